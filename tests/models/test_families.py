"""Every member of every slot that fits a family of networks, in that family."""

from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.catalogue import plain_profile, step_changes_all_weights
from helpers.needs import OF_FAMILY, SLOTS, fitting

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.measure.draw import first_batch
from vgbench.measure.step import make_optimizer, make_step, start
from vgbench.models import build_network
from vgbench.models.network import Network
from vgbench.spec.registry import REGISTRIES

FAMILIES = ("convnet", "transformer", "causal_lm")
TINY: dict[str, Any] = {"depth": 3, "width": 8, "batch_size": 4, "seeds": (0,)}


CASES = fitting(FAMILIES, SLOTS, TINY)
each = pytest.mark.parametrize


@each("family", FAMILIES)
def test_all_members_fit_but_those_without_a_meaning(family: str) -> None:
    fits = {name.removeprefix(f"{family}-") for name in CASES if name.startswith(family)}
    all_ = {f"{slot}-{member.name}" for slot in SLOTS for member in REGISTRIES[slot]}
    refused = {
        "convnet": set(),
        "transformer": {"skip-dense", "skip-fixup"},
        "causal_lm": {"norm-batch", "norm-group", "skip-dense", "skip-fixup"},
    }
    assert all_ - fits == refused[family]


def of(*slots: str) -> list[str]:
    return [name for name in CASES if name.split("-")[1] in slots]


def case_of(name: str) -> vg.Case:
    return vg.Case(**TINY | CASES[name], block_execution="unroll" if CASES[name].get("skip") == "dense" else "auto")


def traced(case: vg.Case) -> tuple[Network, Any]:
    """The network of a case and the shapes and dtypes of its variables."""
    network = build_network(case, load_dataset(case).problem)
    # Scanned to draw, since separate blocks are drawn with numpy, which has no abstract arrays.
    drawn = network if network.stacked else None
    return network, jax.eval_shape(drawn.init, jax.random.key(0)) if drawn else network.init(jax.random.key(0))


@cache
def plain(family: str) -> tuple[Network, Any]:
    """A family's network without any of the members."""
    return traced(vg.Case(**TINY | OF_FAMILY.get(family, {}), model=family))


def alike(tree: Any, other: Any) -> bool:
    """Whether all shapes and dtypes are the same."""
    same = jax.tree.map(lambda a, b: (a.shape, a.dtype) == (b.shape, b.dtype), tree, other)
    return all(jax.tree.leaves(same))


@each("name", of("activation", "norm", "skip", "loss_scaling", "parametrization"))
def test_step_keeps_shapes_and_dtypes(name: str) -> None:
    """A whole training step, traced and not compiled."""
    case = case_of(name)
    network, variables = traced(case)
    state = jax.eval_shape(lambda v: start(network, case, v, 0.1), variables)
    batch = first_batch(case, load_dataset(case), 0)
    after, loss = jax.eval_shape(lambda s: make_step(network, case)(s, batch, 0.1), state)
    assert loss.shape == ()
    assert alike(after, state)


@each("name", of("init"))
def test_initialisation_draws_what_the_step_keeps(name: str) -> None:
    assert alike(traced(case_of(name))[1], plain(name.split("-")[0])[1])


@each("name", of("gradient_transform", "optimizer", "schedule"))
def test_update_is_of_the_parameters_shapes_and_dtypes_and_so_is_the_state(name: str) -> None:
    network, variables = plain(name.split("-")[0])
    optimizer = make_optimizer(case_of(name), 0.1, network.stacked)
    state = jax.eval_shape(optimizer.init, variables.params)
    update = partial(optimizer.update, value=jnp.ones(()))
    updates, after = jax.eval_shape(update, variables.params, state, variables.params)
    assert alike(updates, variables.params)
    assert alike(after, state)


@pytest.mark.slow
@each("name", CASES)
def test_profile_is_plain_backpropagations_and_a_step_changes_every_layer(name: str) -> None:
    slots = TINY | CASES[name]
    expected = plain_profile(vg.Case(**slots, dtype="float64", block_execution="unroll"))
    for layers in ("unroll",) if slots.get("skip") == "dense" else ("scan", "unroll"):
        profile = vg.measure_gradients(vg.Case(**slots, dtype="float64", block_execution=layers))
        # LSUV's scales are statistics in float32, which two programs round each in its own way.
        np.testing.assert_allclose(profile.log10_activation_norm[0], expected, atol=1e-5 if "lsuv" in name else 1e-9)
        step_changes_all_weights(slots, layers)
