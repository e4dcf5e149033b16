"""What is drawn depends on the seed, not on what the network computes in: a float64 network is the float32 one."""

from functools import partial
from typing import Any

import jax
import numpy as np
import pytest
from helpers.needs import fitting

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.measure.draw import draw, drawn, network_of
from vgbench.measure.numerics import numerics
from vgbench.measure.shared import programs_made
from vgbench.models import build_network
from vgbench.spec.registry import MODELS

TINY: dict[str, Any] = {"depth": 4, "width": 12, "batch_size": 8, "seeds": (0,)}
FAMILIES = {
    "mlp": {"model": {"name": "mlp", "bias_std": 0.1}},
    "convnet": {"model": "convnet"},
    "transformer": {"model": "transformer"},
    "recurrent": {"model": "recurrent", "cell": "lru"},
    "causal_lm": {"model": "causal_lm", "data": {"name": "text", "length": 8}},
}


MEMBERS = fitting(FAMILIES, ("init", "norm", "skip", "cell"), TINY)
"""Every initialiser, norm, skip and cell that fits a family."""


def check_that_draws_agree(slots: dict[str, Any]) -> None:
    """The variables of a float64 case are bit for bit those of the float32 one."""
    layers = "unroll" if slots.get("skip") == "dense" else "scan"
    drawn = {}
    for dtype in ("float32", "float64"):
        case = vg.Case(**TINY | slots, block_execution=layers, dtype=dtype)
        data = load_dataset(case)
        with numerics(dtype, "highest"):
            network = build_network(case, data.problem)
            drawn[dtype] = jax.tree.map(np.asarray, draw(case, network, data, 0))
    assert {leaf.dtype for leaf in jax.tree.leaves(drawn["float64"].params)} == {np.dtype("float64")}
    jax.tree.map(np.testing.assert_array_equal, drawn["float64"], drawn["float32"])


def test_every_family_is_here() -> None:
    assert set(FAMILIES) == {family.name for family in MODELS} - {MODELS.imports}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_float64_network_has_the_parameters_of_the_float32_one(name: str) -> None:
    check_that_draws_agree(FAMILIES[name])


def test_an_initialiser_that_looks_at_data_gives_the_same_in_float64() -> None:
    check_that_draws_agree({"init": "lsuv"})


@pytest.mark.parametrize("layers", ["scan", "unroll"])
@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_program_draws_what_the_network_draws_from_the_seeds_key(layers: str, seed: int) -> None:
    case = vg.Case(**TINY, block_execution=layers)
    data = load_dataset(case)
    network = build_network(case, data.problem)
    expected = network.init(jax.random.key(seed))
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-7), draw(case, network, data, seed), expected)


def test_cells_that_differ_in_training_alone_share_the_program_that_draws() -> None:
    slots = TINY | {"width": 14}
    made = programs_made()
    for others in ({}, {"optimizer": "sgd", "batch_size": 4}, {"block_execution": "unroll"}, {"init": "orthogonal"}):
        case = vg.Case(**slots | others)
        data = load_dataset(case)
        draw(case, build_network(case, data.problem), data, 0)
    assert programs_made() - made == 3  # the field of the layout is one of the network's


def test_cells_that_differ_in_gain_alone_share_the_program_that_draws_and_the_network() -> None:
    made, norms, networks = programs_made(), [], []
    for gain in (1.0, 0.5, 2.0):
        case = vg.Case(**TINY | {"width": 15}, init={"name": "he_normal", "gain": gain})
        data = load_dataset(case)
        networks.append(network_of(case, data.problem))
        variables = drawn(case, networks[-1], data, 0)
        norms.append(float(np.linalg.norm(variables.params["output_layer"]["linear"]["kernel"])))
    assert programs_made() - made == 1
    np.testing.assert_allclose(np.divide(norms, norms[0]), [1.0, 0.5, 2.0], rtol=1e-6)
    assert networks[0] is networks[1] is networks[2]


@pytest.mark.slow
@pytest.mark.parametrize("name", MEMBERS)
def test_every_member_draws_the_same_in_float64(name: str) -> None:
    check_that_draws_agree(MEMBERS[name])
