"""Readouts of signals that have places: pixels or tokens."""

from typing import Any, Literal

from flax import nnx
from jaxtyping import Array, Float

Readout = Literal["mean", "flatten"]


class MeanReadout(nnx.Linear):
    """A linear map of the mean over all places."""

    def __call__(
        self, inputs: Float[Array, "batch *places features"], out_sharding: Any = None
    ) -> Float[Array, "batch outputs"]:
        """Pool and map."""
        return super().__call__(inputs.mean(axis=tuple(range(1, inputs.ndim - 1))), out_sharding)


class FlatReadout(nnx.Linear):
    """A linear map of all places' features, with weights of its own at each place."""

    def __call__(
        self, inputs: Float[Array, "batch *places features"], out_sharding: Any = None
    ) -> Float[Array, "batch outputs"]:
        """Flatten and map."""
        return super().__call__(inputs.reshape(len(inputs), -1), out_sharding)


def readout_map(readout: Readout, places: int) -> Any:
    """What makes a readout's linear map from features and outputs."""
    if readout == "mean":
        return MeanReadout
    return lambda inputs, outputs, **options: FlatReadout(inputs * places, outputs, **options)
