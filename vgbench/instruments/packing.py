"""Trees of small arrays as one array of float32: integers, which must stay exact, as two numbers each."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

_HALF = 2**16


@dataclass(frozen=True)
class Packing:
    """How a tree lies in an array.

    Attributes:
        structure: of the tree.
        leaves: shape and dtype of each leaf; float64 comes back as float32.
    """

    structure: Any
    leaves: tuple[tuple[tuple[int, ...], str], ...]

    @property
    def numbers(self) -> int:
        """How long the array is."""
        return sum(self._sizes)

    @property
    def _sizes(self) -> list[int]:
        return [int(np.prod(shape)) * (2 if _is_integer(dtype) else 1) for shape, dtype in self.leaves]

    def pack(self, tree: Any) -> Float[Array, "numbers"]:
        """The array of a tree; its first number is not negative where the first leaf's first number is not."""
        parts = []
        for leaf, (_, dtype) in zip(jax.tree.leaves(tree), self.leaves, strict=True):
            flat = jnp.asarray(leaf).ravel()
            halves = [flat // _HALF, flat % _HALF] if _is_integer(dtype) else [flat]
            parts += [each.astype(jnp.float32) for each in halves]
        return jnp.concatenate(parts)

    def unpack(self, packed: Float[np.ndarray, "numbers"]) -> Any:
        """The tree of an array, of NumPy's arrays."""
        parts = np.split(packed, np.cumsum(self._sizes)[:-1])
        leaves = []
        for part, (shape, dtype) in zip(parts, self.leaves, strict=True):
            if _is_integer(dtype):
                high, low = part.reshape(2, -1).astype(np.int64)
                part = (high * _HALF + low).astype(dtype)
            leaves.append(np.asarray(part).reshape(shape))
        return jax.tree.unflatten(self.structure, leaves)


def packing(shapes: Any) -> Packing:
    """How a tree of arrays or of their shapes is packed."""
    leaves, structure = jax.tree.flatten(shapes)
    return Packing(structure, tuple((tuple(leaf.shape), str(leaf.dtype)) for leaf in leaves))


def _is_integer(dtype: str) -> bool:
    return jnp.issubdtype(dtype, jnp.integer)
