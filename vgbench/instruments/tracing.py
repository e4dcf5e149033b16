"""The loss of a model as a graph in which the outputs of its modules are marked."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from vgbench.errors import InputError
from vgbench.instruments.graph import flattened
from vgbench.instruments.model import Opened
from vgbench.instruments.modules import outputs_tapped
from vgbench.instruments.passes import Traced, traced
from vgbench.instruments.tap import tapping

Loss = Callable[[Any, Any], Any]
"""(model, batch) -> the loss, a scalar."""


def trace(model: Opened, loss_fn: Loss, batch: Any) -> Traced:
    """Trace the loss of a model with the outputs of its modules tapped.

    Raises:
        InputError: the loss is no scalar, or the model has no floating-point arrays.
    """

    def loss(parameters: Sequence[Array], others: Sequence[Array], batch: Any) -> Array:
        built = model.build(parameters, others)
        with outputs_tapped(built):
            found = jnp.asarray(loss_fn(built, batch))
        if found.shape != ():
            raise InputError(f"loss_fn: the loss must be a scalar, not of shape {found.shape}")
        return found

    if not model.parameters:
        raise InputError("model: it has no floating-point arrays to take a gradient by")
    with tapping():
        closed = flattened(loss, [*model.parameters.values()], model.others, batch)
    return traced(closed, len(model.parameters))
