"""Both profiles at initialisation, from as few programs as serve."""

from vgbench.measure.forward import ForwardProfile, followed, forward_profile, measure_forward, unfit
from vgbench.measure.gradients import GradientProfile, gradient_profile, measure_gradients, profiled
from vgbench.measure.initial import measured_at_start
from vgbench.measure.numerics import platform
from vgbench.measure.profile import Profile, whole
from vgbench.spec.case import Case


def measure_profiles(case: Case, first: Profile | None = None) -> tuple[GradientProfile, ForwardProfile | None]:
    """Profile the gradient and the forward signal at initialisation; None where `unfit` says why there is no signal.

    Args:
        case: what is profiled.
        first: the gradient's profile in the first snapshots of training, which serves where training multiplies
            matrices at the precision of profiles. Otherwise one program measures both profiles.

    Raises:
        InputError: the data cannot serve the case.
    """
    fit = unfit(case) is None
    if first is not None and _trains_exactly(case):
        return gradient_profile(case, first), measure_forward(case) if fit else None
    if not fit:
        return measure_gradients(case), None
    found, layers = measured_at_start(case, profiled, followed)
    return gradient_profile(case, whole(found)), forward_profile(layers)


def _trains_exactly(case: Case) -> bool:
    """Whether training multiplies matrices at the precision of profiles: an accelerator's default has fewer digits."""
    return platform() == "cpu" or case.matmul_precision == "highest"
