"""The protocol of a suite, which is the same for all its cells."""

from typing import Annotated

from pydantic import Field

from vgbench.errors import InputError
from vgbench.spec.registry import Strict

_RATE_STEPS = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""Decades from the centre to each learning rate."""


class Protocol(Strict):
    """The rules for training and timing that are the same for all cells of a suite.

    Attributes:
        train_to_depth: deeper cells are not trained.
        time_to_depth: deeper cells are not timed.
        learning_rate_centers: for each gradient transform or optimizer the centre of its learning rates; a transform's
            centre takes precedence over its optimizer's. Five learning rates are tried, half a decade apart, over two
            decades around the centre; without tuning seeds, only the centre.
    """

    train_to_depth: int | None = Field(default=None, ge=0)
    time_to_depth: int | None = Field(default=None, ge=0)
    learning_rate_centers: dict[str, Annotated[float, Field(gt=1e-9, lt=1e9)]] = {}

    def learning_rates(self, gradient_transform: str, optimizer: str, *, tuned: bool) -> tuple[float, ...]:
        """The learning rates to try, to three significant digits."""
        center = self.learning_rate_centers.get(gradient_transform, self.learning_rate_centers.get(optimizer))
        if center is None:
            known = ", ".join(self.learning_rate_centers) or "none"
            raise InputError(
                f"protocol.learning_rate_centers: no centre for optimizer {optimizer!r} (there are: {known})"
            )
        return tuple(float(f"{center * 10**step:.3g}") for step in _RATE_STEPS) if tuned else (center,)
