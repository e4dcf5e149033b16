"""Data parallelism inside a case: eight devices measure what one does, and their batch is one batch."""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vgbench.errors import InputError
from vgbench.measure.gradients import measure_gradients
from vgbench.spec.case import Case

SCRIPT = """
import dataclasses, pickle, sys
import jax
import vgbench as vg
from vgbench.data import load_dataset
from vgbench.measure.draw import first_batch
from vgbench.measure.programs import programs_of


def flat(result):
    return vars(result) | (vars(result.snapshots) if hasattr(result, "snapshots") else {})


assert jax.device_count() == 8
measured = {}
for name, (function, fields) in pickle.load(open(sys.argv[1], "rb")).items():
    cases = [vg.Case(**fields, devices=devices) for devices in (1, 8)]
    if function == "measure_cost":
        results = [vg.measure_cost(case, case, precision=1) for case in cases]
    else:
        results = [getattr(vg, function)(case) for case in cases]
    measured[name] = [flat(result) for result in results]
    data = load_dataset(cases[1])
    x, _ = first_batch(cases[1], data, 0)
    assert {shard.data.shape[0] for shard in x.addressable_shards} == {cases[1].batch_size // 8}
    assert len({shard.device for shard in x.addressable_shards}) == 8
    if function == "measure_training":  # no device computes the whole batch
        one, eight = (programs_of(case, 2).advance[25].cost_analysis()["flops"] for case in cases)
        assert eight < one / 2
pickle.dump(measured, open(sys.argv[2], "wb"))
"""
SMALL: dict[str, Any] = {
    "depth": 3,
    "width": 8,
    "activation": "tanh",
    "data": {"name": "gaussian", "features": 4, "examples": 64},
    "batch_size": 16,
    "steps": 27,
    "learning_rates": (0.1, 1e30),  # of which no example near a border decides
    "optimizer": "sgd",
    "seeds": (0, 1),
    "tuning_seeds": (7,),
}
DEEP = {**SMALL, "depth": 150, "activation": "sigmoid", "init": "lecun_normal"}
RECURRENT = {**SMALL, "model": "recurrent", "cell": "lstm", "depth": 8, "data": "adding", "init": "orthogonal"}


def measure(place: Path, wanted: dict[str, tuple[str, dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Measure in a process with eight devices; by name, what one device and what all eight gave."""
    (place / "wanted").write_bytes(pickle.dumps(wanted))
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    command = [sys.executable, "-c", SCRIPT, "wanted", "measured"]
    # Sums over devices wait for each other in a thread each; with a thread a core, some may wait for good.
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags, "PJRT_NPROC": "64"}
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return pickle.loads((place / "measured").read_bytes())


def check_alike(one: dict[str, Any], eight: dict[str, Any], tolerance: float = 1e-5) -> None:
    """All that is measured is the same up to rounding, since sums over the batch are taken in another order.

    An example near a border may change its class, and an entry of the gradient its bin.
    """
    assert one.keys() == eight.keys()
    for name, value in one.items():
        if isinstance(value, np.ndarray) and name != "gradient_histogram":
            allowed = 0.1 if "metric" in name else tolerance
            np.testing.assert_allclose(eight[name], value, rtol=tolerance, atol=allowed, err_msg=name)


def test_norms_are_those_of_the_whole_batchs_gradient_at_any_depth(tmp_path: Path) -> None:
    ((one, eight),) = measure(tmp_path, {"deep": ("measure_gradients", DEEP)}).values()
    assert one["log10_activation_norm"].min() < -90  # far below float32
    check_alike(one, eight)


@pytest.mark.slow
def test_training_and_batch_statistics_are_those_of_the_whole_batch(tmp_path: Path) -> None:
    ((one, eight),) = measure(tmp_path, {"training": ("measure_training", {**SMALL, "norm": "batch"})}).values()
    assert one["learning_rate"] == eight["learning_rate"]
    check_alike(one, eight, tolerance=2e-3)  # rounding grows in 27 steps


@pytest.mark.slow
def test_cost_counts_the_operations_of_all_devices(tmp_path: Path) -> None:
    ((one, eight),) = measure(tmp_path, {"cost": ("measure_cost", SMALL)}).values()
    assert one["step_flops"] == eight["step_flops"]
    assert 0.9 < eight["xla_flops"] / one["xla_flops"] < 3  # each device moves all weights, and they add up gradients
    assert one["parameters"] == eight["parameters"]


@pytest.mark.slow
def test_every_measurement_of_every_kind_of_network_is_that_of_one_device(tmp_path: Path) -> None:
    cases = {
        "layer": {**SMALL, "norm": "layer", "skip": "residual"},
        "lsuv": {**SMALL, "init": "lsuv"},
        "unroll": {**SMALL, "block_execution": "unroll", "norm": "batch", "optimizer": "adam"},
        "recurrent": RECURRENT,
        "clipped": {**SMALL, "gradient_transform": "adaptive_clip"},
    }
    functions = ("measure_gradients", "measure_forward", "measure_training")
    wanted = {f"{name} {f}": (f, case) for name, case in cases.items() for f in functions}
    del wanted["recurrent measure_forward"]
    for name, (one, eight) in measure(tmp_path, wanted).items():
        check_alike(one, eight, tolerance=2e-3 if "training" in name else 1e-5)


def test_batch_that_cannot_be_dealt_out_is_refused() -> None:
    with pytest.raises(ValueError, match="batch_size: 16 cannot be split equally over 3 devices"):
        Case(**SMALL, devices=3)


def test_too_few_devices_are_reported() -> None:
    with pytest.raises(InputError, match=r"^devices: 8 are asked for, and this process sees 1 cpu device$"):
        measure_gradients(Case(**SMALL, devices=8))
