"""Claims: what is commonly said, and the rule that decides about it, fixed before anything is measured."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from vgbench.errors import unknown
from vgbench.spec.case import content_id
from vgbench.spec.registry import Strict
from vgbench.statistics import Interval

STATISTICS: dict[str, str] = {
    "decay": "slope of log10 ||dL/dh_l|| along the backward path at initialisation, decades a layer or time step",
    "decay_size": "the same without its sign: how far the gradient is from keeping its size",
    "log10_first_over_last": "log10 of ||dL/dh_1|| / ||dL/dh_depth|| at initialisation",
    "log10_first_over_last_trained": "the same after the last step of training",
    "log10_slope": "mean over the layers of log10 of the mean |phi'| at initialisation, decades a layer",
    "log10_slope_first_over_last": "log10 of the mean |phi'| of the first hidden layer over that of the last, at"
    " initialisation",
    "log10_displacement_first_over_last": "log10 of ||W - its initial value|| / ||its initial value|| after the last"
    " step, mean of the first third of the hidden layers over that of the last third; what moves less than 1e-8, which"
    " float32 cannot show, counts as 1e-8",
    "log10_moment_drift": "log10 of how far the mean and the standard deviation of a layer's pre-activations, on the"
    " same inputs, move between two looks 25 steps apart, in standard deviations; mean over layers and looks",
    "log10_largest_update": "log10 of the largest ||update|| / ||W_l|| that any look at training found in any hidden"
    " layer",
    "log10_steps_to_target": "log10 of the steps until validation accuracy, looked at every 25th step, reaches the"
    " target; a run that never does counts as if it did with its last step, so that an effect is rather too small, and"
    " of two that never do no difference is known",
    "log10_seconds_to_target": "the same times the latency of a plain step",
    "loss_fall": "share of the training loss of the first tenth of steps that is gone in the last tenth",
    "test_accuracy": "after the last step",
}
"""What a claim can be decided by, a number for each seed; beside another cell the difference, paired by seed."""

SIGNS: dict[str, str] = {
    "weights_converge": "over the second half of training the weights of the first third of the hidden layers move by"
    " less than 0.01 of their initial norm",
    "plateau": "over the second half of training validation accuracy rises by less than 0.01",
    "stagnant_loss": "the training loss of the last tenth of steps is at least 0.9 of that of the first tenth",
    "irregular_curves": "validation accuracy falls by 0.03 or more at a fifth of the looks or more (the bounds for"
    " oscillation of AutoTrainer, Zhang et al. 2021)",
    "small_gradient_ratio": "||dL/dW|| of the first layer is below 1e-4, and below 1e-3 of the output layer's, in the"
    " median over training (AutoTrainer's bounds)",
    "small_gradient_norm": "||dL/dW|| of some layer is above 0 and below 1e-7 in the median over training (DLCheck's"
    " bounds)",
    "histogram_at_zero": "over half of the entries of the first layer's dL/dW are below 2**-23, about 1e-7, in the"
    " median over training",
}
"""What is said to be seen when gradients vanish; a cell shows a sign where at least half of its seeds do."""

Verdict = Literal["supported", "refuted", "unclear", "not measured"]


def _as_tuple(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return value if isinstance(value, tuple) else (value,)


def _one_of(kind: str, known: Iterable[str]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in known:
            raise ValueError(unknown(kind, name, known))
        return name

    return AfterValidator(check)


class Rule(Strict):
    """Decides by a whole interval: supported inside the bounds, refuted outside of them, unclear across one.

    Attributes:
        above: bound that the interval has to lie above; None for none.
        below: bound that it has to lie below.
    """

    above: float | None = None
    below: float | None = None

    @model_validator(mode="after")
    def _some_bound(self) -> "Rule":
        if self.above is None and self.below is None:
            raise ValueError("needs a bound: above, below or both")
        if self.above is not None and self.below is not None and self.above >= self.below:
            raise ValueError(f"nothing lies above {self.above} and below {self.below}")
        return self

    def judge(self, effect: Interval) -> Verdict:
        """Judge an effect; where its interval has no ends, as with a single seed, it is unclear."""
        above = -float("inf") if self.above is None else self.above
        below = float("inf") if self.below is None else self.below
        if above < effect.low and effect.high < below:
            return "supported"
        if effect.high <= above or effect.low >= below:
            return "refuted"
        return "unclear"

    def __str__(self) -> str:
        bounds = [
            f"{word} {bound:g}" for word, bound in (("above", self.above), ("below", self.below)) if bound is not None
        ]
        return f"supported if the whole 95 % interval lies {' and '.join(bounds)}, refuted if none of it does"


class Cells(Strict):
    """Cells of a suite, each one condition of a claim.

    Attributes:
        mitigation: their names; all of the suite if empty.
        at: for swept axes the values that are meant, slots in words; all if left out.
        beside: the mitigation that each is compared with, at the same values of the axes; None where the cells speak
            for themselves.
        beside_at: other values of the axes at which that stands.
    """

    mitigation: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = ()
    at: dict[str, Annotated[tuple[Any, ...], BeforeValidator(_as_tuple)]] = {}
    beside: str | None = None
    beside_at: dict[str, Any] = {}

    @model_validator(mode="after")
    def _something_beside(self) -> "Cells":
        if self.beside_at and self.beside is None:
            raise ValueError("beside_at: needs `beside`, the mitigation to compare with")
        return self


class Claim(Strict):
    """A sentence that is commonly said, and how it is decided upon.

    Attributes:
        sentence: as it is said.
        hypothesis: what is tested, precisely.
        statistic: one of `STATISTICS`.
        sign: in place of a statistic one of `SIGNS`: its sensitivity (the share of cells with it among those whose
            gradient vanishes) and its specificity (the share without it among the others) are the two conditions.
        cells: what it is tested on.
        rule: decides about every condition.
    """

    sentence: Annotated[str, Field(min_length=1)]
    hypothesis: Annotated[str, Field(min_length=1)]
    statistic: Annotated[str, _one_of("statistic", STATISTICS)] | None = None
    sign: Annotated[str, _one_of("sign", SIGNS)] | None = None
    cells: Annotated[tuple[Cells, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
    rule: Rule

    @model_validator(mode="after")
    def _one_measure(self) -> "Claim":
        if (self.statistic is None) == (self.sign is None):
            raise ValueError("needs either a statistic or a sign")
        if self.sign is not None and any(cells.beside for cells in self.cells):
            raise ValueError("beside: a sign is looked for in every cell by itself")
        return self

    def named(self) -> Iterator[tuple[str, str]]:
        """What its cells name in their suite: each a `mitigation` or a `swept axis`, and its name."""
        for cells in self.cells:
            yield from (("mitigation", name) for name in cells.mitigation)
            if cells.beside is not None:
                yield "mitigation", cells.beside
            yield from (("swept axis", axis) for axis in (*cells.at, *cells.beside_at))

    @property
    def measure(self) -> str:
        """The statistic or the sign, with what it means."""
        if self.sign is not None:
            return f"sensitivity and specificity of {self.sign} ({SIGNS[self.sign]})"
        assert self.statistic is not None
        return f"{self.statistic} ({STATISTICS[self.statistic]})"


def rules_digest(claims: Sequence[Claim]) -> str:
    """Hash all that is decided beforehand about the claims: 16 hexadecimal digits."""
    return content_id([claim.model_dump(mode="json") for claim in claims])
