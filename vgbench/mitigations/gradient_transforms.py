"""Gradient transforms: applied to the gradients before the optimizer sees them."""

from typing import Annotated

import optax
from jax import Array
from pydantic import GetPydanticSchema

from vgbench.spec.registry import GRADIENT_TRANSFORMS, Positive

Traceable = Annotated[float | Array, GetPydanticSchema(lambda _, schema: schema(Positive))]
"""A positive number in a case; in a compiled program it may be an argument, so that cells share the program."""


@GRADIENT_TRANSFORMS.register(source="the raw gradient", scope="element")
def none() -> optax.GradientTransformation:
    """No transform: the optimizer sees the gradient as it is."""
    return optax.identity()


@GRADIENT_TRANSFORMS.register(source="Pascanu, Mikolov & Bengio 2013", scope="global", traced_options=("max_norm",))
def clip_by_global_norm(*, max_norm: Traceable = 1.0) -> optax.GradientTransformation:
    """Clip by global norm: shrink the whole gradient to `max_norm` where it is longer; never lengthen it."""
    return optax.clip_by_global_norm(max_norm)


@GRADIENT_TRANSFORMS.register(source="Mikolov 2012", scope="element", traced_options=("max_value",))
def clip_by_value(*, max_value: Traceable = 0.1) -> optax.GradientTransformation:
    """Clip by value: bring every number of the gradient into [-max_value, max_value]."""
    return optax.clip(max_value)


@GRADIENT_TRANSFORMS.register(source="optax's clip_by_block_rms", scope="layer", traced_options=("max_rms",))
def clip_by_block_rms(*, max_rms: Traceable = 0.01) -> optax.GradientTransformation:
    """Clip per layer: shrink each array's gradient to a root mean square of `max_rms` where it is larger."""
    return optax.clip_by_block_rms(max_rms)


@GRADIENT_TRANSFORMS.register(source="Brock, De, Smith & Simonyan 2021", scope="layer", traced_options=("clipping",))
def adaptive_clip(*, clipping: Traceable = 0.01, eps: Positive = 1e-3) -> optax.GradientTransformation:
    """Adaptive gradient clipping (AGC): shrink each unit's gradient to a share of its weights' norm."""
    return optax.adaptive_grad_clip(clipping, eps)


@GRADIENT_TRANSFORMS.register(source="Hazan, Levy & Shalev-Shwartz 2015", scope="global")
def normalize(*, eps: Positive = 1e-6) -> optax.GradientTransformation:
    """Normalised gradient: divide the whole gradient by its norm plus `eps`, below which it stays small."""
    return optax.normalize_by_update_norm(eps=eps)
