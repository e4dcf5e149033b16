"""All rules in their order."""

from collections.abc import Callable, Iterator

from vgbench.diagnosis.findings import Finding
from vgbench.diagnosis.reading import Reading
from vgbench.diagnosis.risk import risks
from vgbench.diagnosis.rules import gradients, learning_rate, nonfinite, outcome, precision, probabilities, scale, units

Rule = Callable[[Reading], Iterator[Finding]]

RULES: tuple[Rule, ...] = (
    nonfinite.not_a_number,
    units.dead_units,
    nonfinite.gradients_zero,
    learning_rate.uphill,
    scale.exploding,
    scale.unit_scale,
    scale.first_loss,
    precision.underflow,
    precision.lost_to_rounding,
    learning_rate.too_large,
    units.collapse,
    units.died,
    units.saturation,
    gradients.vanishing,
    units.saturated_in_training,
    units.collapsed_in_training,
    gradients.late,
    units.attention_logits,
    gradients.saturated_loss,
    learning_rate.too_small,
    probabilities.softmax_twice,
    outcome.by_heart,
    gradients.vanishing_unexplained,
    outcome.frozen,
    outcome.zero_by_design,
    outcome.constant_answer,
    outcome.short_of_target,
    outcome.learned,
    outcome.spike,
    risks,
)
"""In the order in which a run's first finding is its verdict: causes before what may follow from them."""
