"""Claims: common statements with the rule that decides each one, fixed before anything is measured."""

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
    """Decides by the whole interval: supported if it is inside the bounds, refuted if outside, unclear if across one.

    Attributes:
        above: lower bound of the interval; None for no bound.
        below: upper bound of the interval; None for no bound.
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
        """Judge an effect; it is unclear if there is no interval, as with a single seed."""
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
    """Cells of a suite; each one is a condition of a claim.

    Attributes:
        mitigation: the mitigations' names; all of the suite if empty.
        at: the chosen values of swept axes, with slots as text; an axis that is left out has all its values.
        reference: the baseline or mitigation that each cell is compared with, at the same values of the axes; None if
            the claim does not compare.
        reference_at: values of axes at which the reference is taken instead of the cell's own.
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
    """A common statement about vanishing gradients, and the rule that decides it.

    Attributes:
        sentence: the statement as people say it.
        hypothesis: what is tested, precisely.
        statistic: a member of `STATISTICS`, which gives a number for each seed; with a reference, the rule judges the
            difference of the two, paired by seed.
        sign: instead of a statistic, a member of `SIGNS`. The two conditions are its sensitivity (the share of cells
            with the sign among those whose gradient vanishes) and its specificity (the share without it among the
            others).
        cells: the cells on which the claim is tested.
        rule: decides every condition.
        source: the paper (authors, year) whose result the claim is, with what it says; the verdict then reads
            reproduced, not reproduced or, where it depends, reproduced in part.
        needs_scale: what the source had and these cells do not have, if a refutation may be due to that; the verdict
            then reads needs scale.
    """

    sentence: Annotated[str, Field(min_length=1)]
    hypothesis: Annotated[str, Field(min_length=1)]
    statistic: Annotated[str, _member_of(STATISTICS)] | None = None
    sign: Annotated[str, _member_of(SIGNS)] | None = None
    cells: Annotated[tuple[Cells, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
    rule: Rule
    source: Annotated[str, Field(min_length=1)] | None = None
    needs_scale: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_measure(self) -> "Claim":
        if (self.statistic is None) == (self.sign is None):
            raise ValueError("needs either a statistic or a sign")
        if self.sign is not None and any(cells.reference for cells in self.cells):
            raise ValueError("reference: a claim with a sign does not compare cells; leave it out")
        if self.needs_scale and not self.source:
            raise ValueError("needs_scale: needs `source`, the paper whose result is measured at a smaller scale")
        return self

    def in_words(self, verdict: Verdict | Literal["depends"]) -> str:
        """The verdict itself, or on a paper's result what it says of that."""
        if self.source is None:
            return verdict
        refuted = "needs scale" if self.needs_scale else "not reproduced"
        return {"supported": "reproduced", "refuted": refuted, "depends": "reproduced in part"}.get(verdict, verdict)

    def named(self) -> Iterator[tuple[str, str]]:
        """The names that the claim uses of its suite, each after its kind: `mitigation` or `swept axis`."""
        for cells in self.cells:
            yield from (("mitigation", name) for name in cells.mitigation)
            if cells.reference is not None:
                yield "mitigation", cells.reference
            yield from (("swept axis", axis) for axis in (*cells.at, *cells.reference_at))

    @property
    def measure(self) -> str:
        """The statistic or the sign, with its description."""
        if self.sign is not None:
            return f"sensitivity and specificity of {self.sign} ({SIGNS[self.sign].description})"
        assert self.statistic is not None
        return f"{self.statistic} ({STATISTICS[self.statistic].description})"

    @property
    def facts(self) -> dict[str, str]:
        """What the claim rests on and how it is decided, each part by its heading."""
        stated = {
            "Source": self.source,
            "Scale": self.needs_scale,
            "Hypothesis": self.hypothesis,
            "Measured": self.measure,
            "Rule": str(self.rule),
        }
        return {heading: text for heading, text in stated.items() if text}


def rules_digest(claims: Sequence[Claim]) -> str:
    """Hash of the claims with their rules: 16 hexadecimal digits."""
    # Without the fields that a claim does not have, so that rules that are older than these keep their hash.
    absent = [{name for name in ("source", "needs_scale") if getattr(claim, name) is None} for claim in claims]
    return content_id([claim.model_dump(mode="json", exclude=left) for claim, left in zip(claims, absent, strict=True)])
