"""Output layers of signals that have places, such as pixels or tokens: a linear map of their mean, or of them all."""

from typing import Any, Literal

from flax import nnx
from jaxtyping import Array, Float

Pooling = Literal["mean", "flatten"]


class MeanPooledLinear(nnx.Linear):
    """A linear map of the mean over all places."""

    def __call__(
        self, inputs: Float[Array, "batch *places features"], out_sharding: Any = None
    ) -> Float[Array, "batch outputs"]:
        """Pool and map."""
        return super().__call__(inputs.mean(axis=tuple(range(1, inputs.ndim - 1))), out_sharding)


class FlattenedLinear(nnx.Linear):
    """A linear map of all places' features, with weights of its own at each place."""

    def __call__(
        self, inputs: Float[Array, "batch *places features"], out_sharding: Any = None
    ) -> Float[Array, "batch outputs"]:
        """Flatten and map."""
        return super().__call__(inputs.reshape(len(inputs), -1), out_sharding)


def pooled_linear(pooling: Pooling, places: int) -> Any:
    """The constructor of an output layer of so many places, called with the numbers of features and outputs."""
    if pooling == "mean":
        return MeanPooledLinear
    return lambda inputs, outputs, **options: FlattenedLinear(inputs * places, outputs, **options)
