"""Gradient transforms: applied to the gradients before the optimizer sees them."""

from typing import Annotated

import optax
from pydantic import Field

from vgbench.registry import TRANSFORMS


@TRANSFORMS.register(source="the raw gradient", scope="element")
def none() -> optax.GradientTransformation:
    """No transform: the optimizer sees the gradient as it is."""
    return optax.identity()


@TRANSFORMS.register(source="Pascanu, Mikolov & Bengio 2013", scope="global")
def clip_by_global_norm(*, max_norm: Annotated[float, Field(gt=0)] = 1.0) -> optax.GradientTransformation:
    """Clip by global norm: shrink the whole gradient to `max_norm` where it is longer; never lengthen it."""
    return optax.clip_by_global_norm(max_norm)
