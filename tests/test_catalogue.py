"""Every member of every slot in every form: finite forward, exact profile, scanned as unrolled, a step that changes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vgbench as vg
from vgbench.data import batch_indices, load_dataset
from vgbench.measure.step import make_step, start
from vgbench.models import build_network
from vgbench.models.stack import Taps
from vgbench.probe import log10_norms, observe, zero_taps
from vgbench.registry import REGISTRIES

SMALL: dict[str, Any] = {
    "depth": 4,
    "width": 32,
    "batch_size": 16,
    "seeds": (0,),
    "data": "gaussian",
    "activation": "tanh",
}
BUILDING = ("activation", "init", "norm", "skip")
MEMBERS = [(slot, member.name) for slot in BUILDING for member in REGISTRIES[slot]]
ALL = MEMBERS + [(slot, member.name) for slot in ("transform", "optimizer") for member in REGISTRIES[slot]]


def plain_profile(case: vg.Case) -> np.ndarray:
    """log10 ||dL/dh_l|| of the first seed without renormalisation, [depth]."""
    data = load_dataset(case)
    with jax.enable_x64(True):
        network = build_network(case, data.features, data.classes)
        variables = network.init(jax.random.key(case.seeds[0]))
        indices = batch_indices(len(data.train.y), case.batch_size, 1, case.seeds[0])[0]
        x, y = jnp.asarray(data.train.x[indices]), data.train.y[indices]

        def loss(taps: jax.Array) -> jax.Array:
            logits = network.apply(variables, x, train=True, probe=observe, taps=Taps(taps, None)).logits
            return -jax.nn.log_softmax(logits)[jnp.arange(len(y)), y].mean()

        taps = np.asarray(jax.jit(jax.grad(loss))(zero_taps(case.depth, "float64")))
    return log10_norms(taps[:, 0], taps[:, 1])


@pytest.mark.parametrize(("slot", "name"), MEMBERS)
def test_scanned_profile_is_plain_backpropagations_through_unrolled_blocks(slot: str, name: str) -> None:
    slots = SMALL | {slot: name}
    expected = plain_profile(vg.Case(**slots, dtype="float64", layers="unrolled"))
    for dtype, tolerance in (("float64", 1e-9), ("float32", 1e-4)):
        profile = vg.measure_gradients(vg.Case(**slots, dtype=dtype))
        np.testing.assert_allclose(profile.log10_activation_norm[0], expected, atol=tolerance)
        assert np.isfinite(profile.log10_largest_activation).all()


@pytest.mark.parametrize(("slot", "name"), ALL)
def test_one_training_step_changes_every_layers_weights(slot: str, name: str) -> None:
    case = vg.Case(**SMALL | {slot: name})
    data = load_dataset(case)
    network = build_network(case, data.features, data.classes)
    state = start(network, case, network.init(jax.random.key(0)))
    after, loss, _ = jax.jit(make_step(network, case))(
        state, jax.device_put((data.train.x[:16], data.train.y[:16])), 0.01
    )
    assert np.isfinite(loss)
    for before, now in zip(*(jax.tree.leaves(each.variables.params) for each in (state, after)), strict=True):
        assert np.isfinite(now).all()
        if before.ndim == 2:
            assert not np.array_equal(before, now)
        if before.ndim == 3:  # stacked blocks: every one of them
            assert (np.abs(np.asarray(now) - np.asarray(before)).max(axis=(1, 2)) > 0).all()


@pytest.mark.parametrize(("slot", "name"), ALL)
def test_every_member_has_a_meaning_and_a_source(slot: str, name: str) -> None:
    member = REGISTRIES[slot][name]
    assert member.meaning.endswith((".", ")"))
    assert len(member.source) > 3


def test_groups_that_do_not_divide_the_width_are_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match="norm 'group': 8 groups do not divide a width of 20"):
        vg.Case(width=20, norm="group")
