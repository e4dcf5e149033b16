"""The metric: the number by which a network's answers to held-out examples are judged, and which way is better."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field


@dataclass(frozen=True)
class Metric:
    """What a data source is judged by; every comparison of its values goes through `score`.

    Attributes:
        name: in its unit, as tables have it after "test" and "validation".
        better: whether higher or lower values are better.
    """

    name: Annotated[str, Field(min_length=1, max_length=40)]
    better: Literal["higher", "lower"]

    def score(self, values: Any) -> Any:
        """The values (a number or an array), or minus them where lower is better: the higher, the better."""
        return values if self.better == "higher" else -values

    def reached(self, values: Any, target: float) -> Any:
        """Which values (a number or an array) are as good as `target`, to the precision of their dtype."""
        return self.score(values) >= self.score(target)

    def refuses(self, target: float) -> str | None:
        """Why no value is as good as `target`, which is above 0; None where one may be."""
        return f"{target:g} is no accuracy, which lies between 0 and 1" if self == ACCURACY and target > 1 else None

    def amount(self, value: float) -> str:
        """A value as text: an accuracy in per cent, any other as it is."""
        return f"{value:.0%}" if self == ACCURACY else f"{value:g}"


ACCURACY = Metric("accuracy", "higher")
"""Share of right answers, 0 to 1."""
BITS_PER_BYTE = Metric("bits/byte", "lower")
"""Mean cross-entropy of the next byte of a text, in bits."""
