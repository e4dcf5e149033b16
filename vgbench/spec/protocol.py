"""The protocol of a suite, which is the same for all its cells."""

from typing import Annotated

from pydantic import Field

from vgbench.errors import InputError
from vgbench.spec.registry import Strict


class Protocol(Strict):
    """The rules for training and timing that are the same for all cells of a suite.

    Attributes:
        train_to_depth: deeper cells are not trained.
        time_to_depth: deeper cells are not timed.
        learning_rate_centers: for each mitigation or baseline, gradient transform or optimizer the centre of its
            learning rates. A mitigation's centre takes precedence over its transform's, and that over its optimizer's.
            Without tuning seeds, only the centre is tried.
        learning_rate_decades: the number of decades around the centre that the learning rates span, half a decade
            apart: five learning rates over two decades, seven over three.
    """

    train_to_depth: int | None = Field(default=None, ge=0)
    time_to_depth: int | None = Field(default=None, ge=0)
    learning_rate_centers: dict[str, Annotated[float, Field(gt=1e-9, lt=1e9)]] = {}
    learning_rate_decades: int = Field(default=2, ge=1, le=8)

    def learning_rates(
        self, mitigation: str, gradient_transform: str, optimizer: str, *, tuned: bool
    ) -> tuple[float, ...]:
        """The learning rates to try, to three significant digits.

        Raises:
            InputError: there is no centre for any of the names.
        """
        centers = self.learning_rate_centers
        named = next((name for name in (mitigation, gradient_transform, optimizer) if name in centers), None)
        if named is None:
            known = ", ".join(centers) or "none"
            raise InputError(
                f"protocol.learning_rate_centers: no centre for optimizer {optimizer!r} (there are: {known})"
            )
        if not tuned:
            return (centers[named],)
        decades = self.learning_rate_decades
        return tuple(float(f"{centers[named] * 10 ** (half / 2):.3g}") for half in range(-decades, decades + 1))
