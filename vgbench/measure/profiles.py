"""Both profiles at initialisation, from as few programs as serve."""

from typing import TypeAlias

from vgbench.measure.forward import ForwardProfile, followed, forward_profile, measure_forward, unfit
from vgbench.measure.gradients import GradientProfile, gradient_profile, measure_gradients, profiled
from vgbench.measure.initial import measured_at_start
from vgbench.measure.numerics import platform
from vgbench.measure.profile import whole
from vgbench.measure.training import TrainingCurves, measure_training, trained
from vgbench.spec.case import Case

Profiles: TypeAlias = tuple[GradientProfile, ForwardProfile | None]
"""Of the gradient and of the forward signal at initialisation; None where `unfit` says why there is no signal."""


def measure_profiles(case: Case) -> Profiles:
    """Profile the gradient and the forward signal at initialisation in one program.

    Raises:
        InputError: the data cannot serve the case.
    """
    if unfit(case) is not None:
        return measure_gradients(case), None
    found, layers = measured_at_start(case, profiled, followed)
    return gradient_profile(case, whole(found)), forward_profile(layers)


def train_and_profile(case: Case, tuned: TrainingCurves | None = None) -> tuple[TrainingCurves, Profiles | None]:
    """Train as `measure_training` does, and take both profiles at initialisation.

    The gradient's profile is that of the first snapshots. There are none where training multiplies matrices at a lower
    precision than profiles do, or on several devices. The forward signal is not followed in a thread beside training:
    two programs that factorise matrices, as those that draw orthogonal weights, block each other for ever in XLA's
    threads on a CPU.

    Raises:
        InputError: the case has no training steps, or its data cannot serve it.
    """
    if case.devices > 1 or not _trains_exactly(case):
        return measure_training(case, tuned=tuned), None
    curves, first = trained(case, tuned)
    forward = measure_forward(case) if unfit(case) is None else None
    return curves, (gradient_profile(case, first), forward)


def _trains_exactly(case: Case) -> bool:
    """Whether training multiplies matrices at the precision of profiles: an accelerator's default has fewer digits."""
    return platform() == "cpu" or case.matmul_precision == "highest"
