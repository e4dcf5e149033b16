"""The place in a network where a norm or a skip is built."""

from dataclasses import dataclass

from flax import nnx


@dataclass(frozen=True)
class Site:
    """What a module built at one layer may depend on.

    Attributes:
        width: features of the layer (last axis).
        depth: hidden layers of the whole network.
        rngs: for the module's own parameters.
    """

    width: int
    depth: int
    rngs: nnx.Rngs
