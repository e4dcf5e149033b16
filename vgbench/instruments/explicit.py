"""Arrays whose sharding is a part of their types, as that of meshes with explicit axes is."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

T = TypeVar("T")


def any_sharding(function: Callable[..., T]) -> Callable[..., T]:
    """Let a function of arrays take them however they are sharded; its results are whole on every device.

    Operations such as a reshape need a sharding for their result where axes are explicit, as those of `jax.make_mesh`
    are. Within this function XLA chooses it.
    """

    def call(*args: Any) -> T:
        meshes = [jax.typeof(leaf).sharding.mesh for leaf in jax.tree.leaves(args)]
        for mesh in meshes:
            axes = [
                name for name, kind in zip(mesh.axis_names, mesh.axis_types, strict=True) if kind == AxisType.Explicit
            ]
            if axes:
                whole = NamedSharding(mesh, PartitionSpec())
                return jax.jit(jax.sharding.auto_axes(function, axes=tuple(axes), out_sharding=whole))(*args)
        return function(*args)

    return call
