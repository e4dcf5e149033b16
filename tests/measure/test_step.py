"""A training step without data: what the optimizer makes of gradients."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.measure.step import move_along, start
from vgbench.models import build_network
from vgbench.spec.registry import OPTIMIZERS

STEPS = 3
NETWORK: dict[str, Any] = {"depth": 1, "width": 4, "data": "gaussian", "block_execution": "unroll"}


@pytest.mark.parametrize("name", [member.name for member in OPTIMIZERS])
def test_learning_rate_reaches_the_optimizer(name: str) -> None:
    """Also where its state alone holds the rate, as Rprop's does; COCOB is the one that has none, by design."""
    case = vg.Case(**NETWORK, optimizer=name)
    network = build_network(case, load_dataset(case).problem)
    variables = network.init(jax.random.key(0))

    @jax.jit
    def updates(rate: jax.Array) -> Any:
        def step(state: Any, _: None) -> tuple[Any, Any]:
            move = move_along(network, case, state, state.variables.params, jnp.ones(()), {}, rate)
            return state._replace(optimizer=move.optimizer), move.updates["output_layer"]["linear"]["kernel"]

        return jax.lax.scan(step, start(network, case, variables, rate), None, STEPS)[1]

    small, large = (np.asarray(updates(jnp.float32(rate)))[-1] for rate in (1e-3, 2e-3))
    assert np.isfinite(large).all()
    if name == "cocob":
        np.testing.assert_allclose(large, small, rtol=1e-5)
    else:
        assert (np.abs(large) > 1.2 * np.abs(small)).all()
