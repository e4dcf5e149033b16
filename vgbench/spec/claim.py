"""Claims: what is commonly said, and the rule that decides about it, fixed before anything is measured."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from vgbench.spec.case import content_id
from vgbench.spec.registry import SIGNS, STATISTICS, Registry, Strict
from vgbench.statistics import Interval

Verdict = Literal["supported", "refuted", "unclear", "not measured"]


def _as_tuple(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return value if isinstance(value, tuple) else (value,)


def _member_of(registry: Registry) -> AfterValidator:
    def check(name: str) -> str:
        return registry[name].name

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
        reference: the baseline or mitigation that each is compared with, at the same values of the axes; None where
            the claim is about the cells alone.
        reference_at: values of axes at which the reference is taken in place of the cell's own.
    """

    mitigation: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = ()
    at: dict[str, Annotated[tuple[Any, ...], BeforeValidator(_as_tuple)]] = {}
    reference: str | None = None
    reference_at: dict[str, Any] = {}

    @model_validator(mode="after")
    def _some_reference(self) -> "Cells":
        if self.reference_at and self.reference is None:
            raise ValueError("reference_at: needs `reference`, the mitigation to compare with")
        return self


class Claim(Strict):
    """A sentence that is commonly said, and how it is decided upon.

    Attributes:
        sentence: as it is said.
        hypothesis: what is tested, precisely.
        statistic: a member of `STATISTICS`, which gives a number for each seed; with a reference, the difference of the
            two, paired by seed.
        sign: in place of a statistic a member of `SIGNS`: its sensitivity (the share of cells with it among those whose
            gradient vanishes) and its specificity (the share without it among the others) are the two conditions.
        cells: what it is tested on.
        rule: decides about every condition.
    """

    sentence: Annotated[str, Field(min_length=1)]
    hypothesis: Annotated[str, Field(min_length=1)]
    statistic: Annotated[str, _member_of(STATISTICS)] | None = None
    sign: Annotated[str, _member_of(SIGNS)] | None = None
    cells: Annotated[tuple[Cells, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
    rule: Rule

    @model_validator(mode="after")
    def _one_measure(self) -> "Claim":
        if (self.statistic is None) == (self.sign is None):
            raise ValueError("needs either a statistic or a sign")
        if self.sign is not None and any(cells.reference for cells in self.cells):
            raise ValueError("reference: a sign is sought in every cell by itself")
        return self

    def named(self) -> Iterator[tuple[str, str]]:
        """What its cells name in their suite: each a `mitigation` or a `swept axis`, and its name."""
        for cells in self.cells:
            yield from (("mitigation", name) for name in cells.mitigation)
            if cells.reference is not None:
                yield "mitigation", cells.reference
            yield from (("swept axis", axis) for axis in (*cells.at, *cells.reference_at))

    @property
    def measure(self) -> str:
        """The statistic or the sign, with what it means."""
        if self.sign is not None:
            return f"sensitivity and specificity of {self.sign} ({SIGNS[self.sign].description})"
        assert self.statistic is not None
        return f"{self.statistic} ({STATISTICS[self.statistic].description})"


def rules_digest(claims: Sequence[Claim]) -> str:
    """Hash all that is decided beforehand about the claims: 16 hexadecimal digits."""
    return content_id([claim.model_dump(mode="json") for claim in claims])
