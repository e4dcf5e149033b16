"""Loss scaling: what multiplies the loss before the backward pass, and is divided out of the gradients again.

A small gradient that a 16-bit dtype would read as zero survives that way (Micikevicius et al. 2018). Gradients are
divided in float32, before any transform or optimizer sees them.
"""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int
from pydantic import Field

from vgbench.spec.registry import LOSS_SCALINGS, Positive


class LossScale(NamedTuple):
    """The scale in the middle of training.

    Attributes:
        value: what the loss is multiplied by, float32.
        finite: steps with finite gradients since the last change.
        skipped: steps that were left out.
    """

    value: Float[Array, ""]
    finite: Int[Array, ""]
    skipped: Int[Array, ""]


@dataclass(frozen=True)
class LossScaling:
    """A rule for the scale.

    Attributes:
        initial: the first scale.
        skips: whether a step whose gradients are not finite changes nothing but the scale.
        growth: what the scale is multiplied by after `interval` steps with finite gradients.
        backoff: what it is multiplied by after a step without.
        interval: steps between two growths.
    """

    initial: float
    skips: bool = False
    growth: float = 1.0
    backoff: float = 1.0
    interval: int = 1

    def start(self) -> LossScale:
        """The scale before the first step."""
        # Each in a buffer of its own, since a step that is donated its state may not be donated one twice.
        return LossScale(jnp.full((), self.initial, jnp.float32), jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32))

    def after(self, scale: LossScale, finite: Bool[Array, ""]) -> LossScale:
        """The scale after a step whose gradients were finite, or not."""
        counted = jnp.where(finite, scale.finite + 1, 0)
        grows = counted == self.interval
        factor = jnp.where(finite, jnp.where(grows, self.growth, 1.0), self.backoff)
        skipped = scale.skipped + (~finite if self.skips else 0)
        value = jnp.clip(scale.value * factor, jnp.finfo(jnp.float32).tiny, jnp.finfo(jnp.float32).max)
        return LossScale(value, jnp.where(grows, 0, counted), skipped)


@LOSS_SCALINGS.register(source="the plain loss")
def none() -> LossScaling | None:
    """No scaling: the loss as it is."""
    return None


@LOSS_SCALINGS.register(source="Micikevicius et al. 2018")
def static(*, scale: Positive = 2.0**14) -> LossScaling:
    """One scale for all steps; a step whose gradients overflow is taken all the same."""
    return LossScaling(scale)


@LOSS_SCALINGS.register(source="Micikevicius et al. 2018; constants of Flax's DynamicScale")
def dynamic(
    *,
    initial: Positive = 2.0**16,
    growth: Annotated[float, Field(ge=1)] = 2.0,
    backoff: Annotated[float, Field(gt=0, lt=1)] = 0.5,
    interval: Annotated[int, Field(ge=1)] = 2000,
) -> LossScaling:
    """A scale that halves when gradients overflow, the step left out, and doubles after `interval` steps without."""
    return LossScaling(initial, True, growth, backoff, interval)
