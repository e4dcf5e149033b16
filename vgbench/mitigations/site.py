"""The place in a network where a norm or a skip is built."""

from dataclasses import dataclass

from flax import nnx
from jax import Array

from vgbench.spec.registry import Choice


@dataclass(frozen=True)
class Site:
    """The properties of one layer that a norm or a skip may depend on.

    Attributes:
        width: features of the layer (last axis).
        depth: hidden layers of the whole network, the input layer included.
        layer: which of them this is, counted from 1; traced where blocks are drawn side by side.
        rngs: for the module's own parameters.
        activation: that the layer applies; None where it has none.
        branches: of every block, each with a skip of its own.
        branch: which of them this is, counted from 0.
    """

    width: int
    depth: int
    layer: int | Array
    rngs: nnx.Rngs
    activation: Choice | None = None
    branches: int = 1
    branch: int = 0

    @property
    def blocks(self) -> int:
        """Blocks of the whole network; a network of the input layer alone counts as one."""
        return max(self.depth - 1, 1)

    @property
    def skips(self) -> int:
        """Skips of the whole network."""
        return self.blocks * self.branches

    @property
    def skips_before(self) -> int | Array:
        """Skips between the input layer and this place; traced where the layer is."""
        return (self.layer - 2) * self.branches + self.branch
