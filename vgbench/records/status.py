"""How the measurements of a cell ended, by what they show."""

from vgbench.measure.gradients import GradientProfile
from vgbench.measure.training import TrainingCurves
from vgbench.records.schema import Status


def judged(gradients: GradientProfile, training: TrainingCurves | None) -> tuple[Status, str]:
    """The status of a cell that was measured, and its reason, which also tells what only some of the runs did."""
    status, reason = _initial(gradients)
    if training is not None and status == "ok" and training.status == "diverged":
        return "diverged", "the loss became non-finite at every learning rate, for every seed"
    also = training.divergence if training is not None else ""
    return status, "; ".join(filter(None, (reason, also)))


def _initial(gradients: GradientProfile) -> tuple[Status, str]:
    limit = gradients.forward_limit
    if gradients.status == "forward_underflow":
        return gradients.status, f"activations flush to zero from layer {limit}"
    if gradients.status == "nonfinite":
        found = f"activations are not finite from layer {limit}" if limit else "the gradient is not finite"
        return gradients.status, found
    return "ok", ""
