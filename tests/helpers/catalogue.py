"""Every member's networks against plain backpropagation."""

from functools import cache
from typing import Any

import jax
import numpy as np

import vgbench as vg
from vgbench.data import Dataset, load_dataset
from vgbench.instruments.probe import log10_norms, observe, zero_taps
from vgbench.measure.draw import draw, first_batch
from vgbench.measure.step import make_step, start
from vgbench.models import build_network
from vgbench.models.network import Network, Taps, Variables

SMALL: dict[str, Any] = {
    "depth": 3,
    "width": 32,
    "batch_size": 16,
    "seeds": (0,),
    "data": "gaussian",
    "activation": "tanh",
}


def drawn(case: vg.Case) -> tuple[Network, Dataset, Variables]:
    data = load_dataset(case)
    network = build_network(case, data.problem)
    return network, data, draw(case, network, data, case.seeds[0])


def plain_profile(case: vg.Case) -> np.ndarray:
    """log10 ||dL/dh_l|| of the first seed without renormalisation, [depth]."""
    with jax.enable_x64(case.dtype == "float64"), jax.default_matmul_precision("highest"):
        network, data, variables = drawn(case)
        x, y = first_batch(case, data, case.seeds[0])

        def loss(taps: jax.Array) -> jax.Array:
            logits = network.apply(variables, x, train=True, probe=observe, taps=Taps(taps, None)).answers
            return network.problem.objective.loss(logits, y)

        taps = np.asarray(jax.jit(jax.grad(loss))(zero_taps(case.depth, case.dtype)))
    return log10_norms(taps[:, 0], taps[:, 1])


@cache
def gradients(case: vg.Case) -> Any:
    """Of the loss of the first batch by the parameters that the first seed starts with, without a training step."""
    network, data, variables = drawn(case)
    x, y = first_batch(case, data, case.seeds[0])

    def loss(params: Any) -> jax.Array:
        logits = network.apply(variables._replace(params=params), x, train=True).answers
        return network.problem.objective.loss(logits, y)

    return jax.jit(jax.grad(loss))(variables.params)


OF_THE_GRADIENT = (
    "model",
    "depth",
    "width",
    "activation",
    "init",
    "norm",
    "skip",
    "block_execution",
    "data",
    "batch_size",
    "seeds",
)


WAIT_A_STEP = ("adopt", "rprop")
"""Optimizers whose first step only fills their memory, and leaves the weights as they are."""


def step_changes_all_weights(slots: dict[str, Any], layers: str) -> None:
    """A training step changes the weights of every layer, unless their gradient is exactly zero."""
    case = vg.Case(**SMALL | slots, block_execution=layers)
    network, data, variables = drawn(case)
    batch = first_batch(case, data, 0)

    @jax.jit
    def step(variables: Variables) -> tuple[Any, ...]:
        step, state = make_step(network, case), start(network, case, variables, 0.01)
        if case.optimizer.name in WAIT_A_STEP:
            state, *_ = step(state, batch, 0.01)
        after, loss, *_ = step(state, batch, 0.01)
        return after.variables.params, loss

    after, loss = step(variables)
    assert np.isfinite(loss)
    # The same for all cells that differ in their optimizer alone.
    slopes = gradients(vg.Case(**{name: getattr(case, name) for name in OF_THE_GRADIENT}))
    seen = 0
    for leaves in zip(*map(jax.tree.leaves, (variables.params, after, slopes)), strict=True):
        if leaves[0].ndim < 2:
            continue
        before, now, slope = (np.asarray(leaf).reshape(-1, *leaf.shape[-2:]) for leaf in leaves)
        assert np.isfinite(now).all()
        changed, moves = (before != now).any(axis=(1, 2)), slope.any(axis=(1, 2))
        assert (changed | ~moves).all()
        seen += moves.sum()
    assert seen >= 2  # the input layer and the output layer at least
