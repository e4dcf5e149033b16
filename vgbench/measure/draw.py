"""What a seed starts with, its variables and first batch; and what cells may share."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from vgbench.case import Case
from vgbench.data import Dataset, batch_indices
from vgbench.measure.mesh import split, whole
from vgbench.models import Network
from vgbench.models.lsuv import unit_variance
from vgbench.models.network import Variables
from vgbench.models.stack import Stack
from vgbench.registry import INITIALIZERS

_FUNCTION = ("model", "depth", "width", "activation", "norm", "skip", "cell", "dtype", "layers")
_STEP = ("transform", "optimizer", "warmup_steps", "remat", "data", "batch_size", "matmul_precision", "steps")
_TRAINING = (*_FUNCTION, *_STEP, "devices")


def function_of(case: Case) -> Case:
    """The case reduced to what its network computes, however it is initialised and trained.

    Cells that agree in it share their compiled profiles.
    """
    return Case(**{field: getattr(case, field) for field in _FUNCTION})


def training_of(case: Case) -> Case:
    """The case reduced to what a training step computes, wherever it starts and at whatever rate.

    Cells that agree in it share their compiled training.
    """
    return Case(**{field: getattr(case, field) for field in _TRAINING})


def first_batch(
    case: Case, dataset: Dataset, seed: int
) -> tuple[Float[Array, "batch features"], Shaped[Array, "batch *answers"]]:
    """The batch that a seed's training starts with."""
    x, y = dataset.train.take(batch_indices(dataset.train.examples, case.batch_size, 1, seed)[0])
    return jax.device_put((jnp.asarray(x), jnp.asarray(y)), split(case))


def draw(case: Case, network: Network, dataset: Dataset, seed: int) -> Variables:
    """Draw a seed's variables; a data-dependent initialiser sees its first batch."""
    variables = network.init(jax.random.key(seed))
    if INITIALIZERS[case.init.name].data_dependent and isinstance(network, Stack):
        x, _ = first_batch(case, dataset, seed)
        variables = jax.jit(lambda v: unit_variance(network, v, x))(variables)
    return jax.device_put(variables, whole(case))
