"""Learning-rate schedules: what the learning rate is multiplied by as training goes on, from 1 after the warm-up."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import jax.numpy as jnp
from jaxtyping import Array, Float, Int
from pydantic import Field

from vgbench.spec.registry import SCHEDULES

Schedule = Callable[[Int[Array, ""]], Float[Array, ""]]
"""From the updates made so far to the factor of the next one."""
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Horizon:
    """How long a training is.

    Attributes:
        steps: of the whole training.
        warmup_steps: of them at its beginning, in which the learning rate rises to its full value.
    """

    steps: int
    warmup_steps: int

    def progress(self, taken: Int[Array, ""]) -> Float[Array, ""]:
        """The share of the steps after the warm-up that is behind, in [0, 1]."""
        after = max(self.steps - self.warmup_steps, 1)
        return jnp.clip((taken - self.warmup_steps) / after, 0, 1)


@SCHEDULES.register(source="Robbins & Monro 1951, without their decay")
def constant(horizon: Horizon) -> None:
    """The learning rate stays as it is after the warm-up."""


@SCHEDULES.register(source="Howard & Ruder 2018")
def linear(horizon: Horizon, *, final: Share = 0.0) -> Schedule:
    """A straight line from 1 to `final` at the last step."""
    return lambda taken: 1 - (1 - final) * horizon.progress(taken)


@SCHEDULES.register(source="Loshchilov & Hutter 2017")
def cosine(horizon: Horizon, *, final: Share = 0.0) -> Schedule:
    """Half a cosine wave from 1 to `final` at the last step."""
    return lambda taken: final + (1 - final) * (1 + jnp.cos(jnp.pi * horizon.progress(taken))) / 2


@SCHEDULES.register(source="Vaswani et al. 2017")
def inverse_root(horizon: Horizon) -> Schedule:
    """One over the root of the steps, counted in lengths of the warm-up (of one step without it)."""
    unit = max(horizon.warmup_steps, 1)
    return lambda taken: jnp.sqrt(unit / jnp.maximum(taken + 1, unit))


@SCHEDULES.register(source="Zhai, Kolesnikov, Houlsby & Beyer 2022; Hägele et al. 2024")
def trapezoid(horizon: Horizon, *, decay: Annotated[float, Field(gt=0, le=1)] = 0.2) -> Schedule:
    """Constant (warmup-stable-decay), then a straight line to 0 over the last `decay` of the steps."""
    return lambda taken: jnp.minimum(1, (1 - horizon.progress(taken)) / decay)
