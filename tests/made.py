"""Records made by hand, for tests of what reads them."""

from typing import Any

import numpy as np

from vgbench.case import Case
from vgbench.measure.cost import Cost
from vgbench.measure.executable import Compilation, Memory
from vgbench.measure.gradients import GradientProfile
from vgbench.measure.training import TrainingCurves
from vgbench.records import Device, Provenance

DEVICE = Device("cpu", "Chip", 2)
SOURCE = {"cell": "f" * 16, "cost": "f" * 16}
ORIGIN = Provenance("0.1", "abc", SOURCE, "3.11", {"jax": "1.2", "numpy": "3.4"}, DEVICE, "Xeon", None, None, "")
BASE = Case(depth=2, width=4, activation="tanh", rates=(0.1, 0.2), seeds=(0, 1))
HE = Case(depth=2, width=4, activation="tanh", rates=(0.1, 0.2), seeds=(0, 1), init={"name": "he_normal", "gain": 2})
TIMES: Any = {"provenance": ORIGIN, "started": "2026-01-01T00:00:00+00:00", "seconds": 1.0, "attempts": 1}


def gradients(*norms: list[float]) -> GradientProfile:
    """A profile of these log10 norms, a list for each seed."""
    values = np.asarray(norms)
    tiny = float(np.finfo(np.float32).smallest_normal)
    return GradientProfile(
        log10_activation_norm=values,
        log10_parameter_norm=np.pad(values, ((0, 0), (0, 1))),
        log10_largest_activation=np.zeros_like(values),
        states=(),
        log10_state_norm=np.zeros((*values.shape, 0)),
        kinds=(),
        log10_kind_norm=np.zeros((*values.shape, 0)),
        reads_zero=np.zeros(values.shape, bool),
        smallest_normal=tiny,
        epsilon=2.0**-23,
    )


def training(*test_accuracy: float) -> TrainingCurves:
    """Curves that end at these accuracies, one a seed; the higher of two rates was chosen."""
    seeds = len(test_accuracy)
    return TrainingCurves(
        rates=(0.1, 0.2),
        tuning_accuracy=np.asarray([[0.5, 0.5], [0.75, 0.75]], np.float32),
        tuning_diverged=np.zeros((2, 2), bool),
        rate=0.2,
        target=0.9,
        loss=np.ones((seeds, 4), np.float32),
        step=np.asarray([4]),
        validation_accuracy=np.ones((seeds, 1), np.float32),
        log10_activation_norm=np.zeros((seeds, 1, 2)),
        log10_parameter_norm=np.zeros((seeds, 1, 3)),
        log10_state_norm=np.zeros((seeds, 1, 2, 0)),
        log10_kind_norm=np.zeros((seeds, 1, 2, 0)),
        gradient_histogram=np.zeros((seeds, 1, 3, 2), np.int32),
        **dict.fromkeys(("update_to_weight", "log10_weight_norm", "displacement"), np.ones((seeds, 1, 3))),
        **dict.fromkeys(("preactivation_mean", "preactivation_variance", "mean_slope"), np.zeros((seeds, 1, 2))),
        **dict.fromkeys(("zero_share", "subnormal_share"), np.zeros((seeds, 1, 3))),
        loss_scale=np.ones((seeds, 1), np.float32),
        skipped_steps=np.zeros((seeds, 1), np.int32),
        **dict.fromkeys(("saturated", "dead"), np.zeros((seeds, 1, 2))),
        test_accuracy=np.asarray(test_accuracy, np.float32),
    )


def cost(ratio: float) -> Cost:
    """A step of a hundredth of a second, `ratio` times the reference's."""
    steps = np.full(30, 0.01)
    return Cost(
        form="unrolled",
        step_seconds=steps,
        reference_seconds=steps / ratio,
        queued_seconds=np.full(5, 0.008),
        compilation=Compilation(trace=0.25, lower=0.125, compile=0.5, first_run=9.0, persistent_cache=False),
        memory=Memory(parameters=360, optimizer=720, temporary=77, peak=2000),
        reference_memory=Memory(parameters=360, optimizer=720, temporary=77, peak=1000),
        parameters=90,
        step_flops=3200,
        xla_flops=3300.0,
        product_flops_per_second=np.full(5, 4e6),
        batch_size=128,
    )
