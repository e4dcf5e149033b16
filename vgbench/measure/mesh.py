"""Data parallelism: where the arrays of a case that asks for several devices lie."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from vgbench.errors import InputError
from vgbench.spec.case import Case

_BATCH = "batch"


def whole(case: Case) -> NamedSharding | None:
    """Where every device gets a copy: of parameters, states and data sets. None for a case of one device.

    Programs are traced as for a single device, and XLA sums over all devices where the sum is over the batch: losses,
    batch statistics, gradients and their norms are those of the whole batch.

    Raises:
        InputError: too few devices.
    """
    return None if case.devices == 1 else NamedSharding(_mesh(case), PartitionSpec())


def split(case: Case, axis: int = 0) -> NamedSharding | None:
    """Where the batch axis is dealt out to the devices in equal parts; None for a case of one device.

    Raises:
        InputError: too few devices.
    """
    return None if case.devices == 1 else NamedSharding(_mesh(case), PartitionSpec(*[None] * axis, _BATCH))


def _mesh(case: Case) -> Mesh:
    (default,) = jnp.zeros(()).devices()
    there = jax.devices(default.platform)
    if len(there) < case.devices:
        kind = f"{default.platform} device{'s' * (len(there) != 1)}"
        raise InputError(f"devices: {case.devices} are asked for, and this process sees {len(there)} {kind}")
    return Mesh(np.asarray(there[: case.devices]), (_BATCH,))
