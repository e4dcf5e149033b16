"""Cells unfolded in time: all steps at once give what step by step gives, values and gradients."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.instruments.probe import observe
from vgbench.measure.draw import draw, first_batch
from vgbench.measure.numerics import numerics
from vgbench.models import build_network
from vgbench.models.network import Network, Variables

PARALLEL = "lru", "s5", "min_gru", "min_lstm", "gated_linear"
DATA = {"name": "copy_memory", "symbols": 2}


def built(cell: str, **slots: Any) -> tuple[Network, Variables, Any]:
    """A network of two cells that answers at several steps, its variables and a batch."""
    model = {"name": "recurrent", "layers": 2}
    case = vg.Case(
        **{"model": model, "depth": 13, "width": 6, "data": DATA, "batch_size": 3, "dtype": "float64"} | slots,
        cell=cell,
    )
    dataset = load_dataset(case)
    network = build_network(case, dataset.problem)
    return network, draw(case, network, dataset, 0), first_batch(case, dataset, 0)


@pytest.mark.parametrize("cell", PARALLEL)
def test_parallel_form_equals_the_sequential_one(cell: str) -> None:
    with numerics("float64", "highest"):
        network, variables, (x, y) = built(cell)
        taps = network.zero_taps()

        def loss(params: Any, probed: bool) -> jax.Array:
            given: Any = {"probe": observe, "taps": taps} if probed else {}
            output = network.apply(variables._replace(params=params), x, train=True, **given)
            assert (output.largest is not None) == probed
            return network.problem.objective.loss(output.answers, y)

        at_once, one_by_one = (
            jax.jit(jax.value_and_grad(lambda params, probed=probed: loss(params, probed)))(variables.params)
            for probed in (False, True)
        )
    for found, expected in zip(jax.tree.leaves(at_once), jax.tree.leaves(one_by_one), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize(("cell", "loops"), [("lru", False), ("gru", True)])
@pytest.mark.parametrize("remat", [False, True])
def test_only_cells_that_are_nonlinear_in_their_state_loop_over_time(cell: str, loops: bool, remat: bool) -> None:
    network, variables, (x, _) = built(cell, dtype="float32", remat=remat)
    program = jax.make_jaxpr(lambda params: jnp.sum(network.apply(params, x, train=True).answers))(variables)
    assert ("scan[" in str(program)) == loops
    assert ("remat2[" in str(program) or "checkpoint[" in str(program)) == remat
