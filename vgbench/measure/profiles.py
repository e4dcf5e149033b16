"""Both profiles at initialisation, from as few programs as serve."""

from vgbench.data import load_dataset
from vgbench.measure.draw import large, network_of
from vgbench.measure.forward import ForwardProfile, followed, forward_profile, measure_forward, unfit
from vgbench.measure.gradients import GradientProfile, gradient_profile, measure_gradients, profiled
from vgbench.measure.initial import measured_at_start
from vgbench.measure.numerics import numerics, platform
from vgbench.measure.profile import whole
from vgbench.measure.trainer import Trainer
from vgbench.spec.case import Case


def measure_profiles(case: Case) -> tuple[GradientProfile, ForwardProfile | None]:
    """Profile the gradient and the forward signal at initialisation; None where `unfit` says why there is no signal.

    The gradients of a case that is trained are read by the program that takes its snapshots, which is compiled anyway;
    otherwise, and where training may find no memory, one program measures both.

    Raises:
        InputError: the data cannot serve the case.
    """
    fit = unfit(case) is None
    dataset = load_dataset(case)
    if case.steps and _trains_exactly(case) and not large(network_of(case, dataset.problem)):
        with numerics(case.dtype, case.matmul_precision):
            found = Trainer(case, dataset).profile_at_start()
        return gradient_profile(case, found), measure_forward(case) if fit else None
    if not fit:
        return measure_gradients(case), None
    found, layers = measured_at_start(case, profiled, followed)
    return gradient_profile(case, whole(found)), forward_profile(layers)


def _trains_exactly(case: Case) -> bool:
    """Whether training multiplies matrices at the precision of profiles: an accelerator's default has fewer digits."""
    return platform() == "cpu" or case.matmul_precision == "highest"
