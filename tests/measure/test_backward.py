"""The backward passes of a look share their forward pass, and are those that are run by themselves."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.instruments.probe import log10_norms
from vgbench.measure.backward import DIVIDED, TRAINED, passes
from vgbench.measure.draw import draw, first_batch
from vgbench.measure.matrices import norms, squares
from vgbench.measure.numerics import numerics
from vgbench.measure.profile import profile, whole
from vgbench.measure.step import propose, start
from vgbench.models import build_network

SCALE = 64.0
CASES: dict[str, dict[str, Any]] = {
    "scaled": {"depth": 3, "width": 6, "remat": True, "loss_scaling": {"name": "static", "scale": SCALE}},
    "kinds": {"model": "transformer", "depth": 2, "width": 8},
    "answers": {
        "model": "recurrent",
        "cell": "lru",
        "depth": 13,
        "width": 4,
        "data": {"name": "copy_memory", "symbols": 3},
    },
}


@pytest.mark.parametrize("name", CASES)
def test_passes_side_by_side_are_those_by_themselves(name: str) -> None:
    case = vg.Case(**CASES[name], batch_size=4, dtype="float64", optimizer="sgd")
    dataset = load_dataset(case)
    with numerics(case.dtype, "highest"):
        network = build_network(case, dataset.problem)
        state = start(network, case, draw(case, network, dataset, 0), 0.0)
        batch = first_batch(case, dataset, 0)

        def both(state: Any, batch: Any) -> Any:
            scale = state.scale and state.scale.value
            found = passes(network, state.variables, *batch, scale, lambda given, layers: jnp.zeros(layers))
            _, summed = jax.vjp(network.by_use, state.variables.params)
            return found, squares(network, found.gradients[found.exact]), summed(found.gradients[TRAINED])[0]

        def apart(state: Any, batch: Any) -> Any:
            return profile(network, state.variables, *batch), propose(network, case, state, batch, 0.0)

        found, sums, gradients = jax.jit(both)(state, batch)
        alone, move = jax.jit(apart)(state, batch)
    scale = 1.0 if state.scale is None else SCALE
    for got, expected in zip(jax.tree.leaves(gradients), jax.tree.leaves(move.gradients), strict=True):
        np.testing.assert_allclose(np.asarray(got) / scale, expected, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(found.loss, move.loss, rtol=1e-12)
    ((parameter, kind),) = norms(sums)
    taps = found.taps[DIVIDED]._replace(parameter=np.stack(parameter, axis=-1), kind=np.stack(kind, axis=-1))
    together, expected = whole(alone._replace(taps=taps, largest=found.output.largest)), whole(alone)
    for got, exact in zip(together[:4], expected[:4], strict=True):
        np.testing.assert_allclose(log10_norms(*got), log10_norms(*exact), atol=1e-9)
    np.testing.assert_allclose(together.largest, expected.largest, rtol=1e-12)
