"""Profiles: compiled once, selected by name, the signal's numbers against hand computations, scans and frameworks."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vgbench as vg
from vgbench.boundary.run_lines import plain, run_of

X = jax.random.normal(jax.random.key(0), (6, 4)) + 1
PARAMS = {"in": {"w": jnp.eye(4)[::-1]}, "out": {"w": jnp.ones((4, 2))}}


def test_a_profile_is_compiled_once_for_a_loss_and_a_shape_of_the_batch() -> None:
    traces = []

    def loss(params: dict, x: jax.Array) -> jax.Array:
        traces.append(x.shape)
        return jnp.sum(jnp.tanh(vg.tap(x @ params["in"]["w"], "h")) @ params["out"]["w"])

    first = vg.profile(PARAMS, loss, X)
    again = vg.profile(jax.tree.map(lambda leaf: 2 * leaf, PARAMS), loss, X)
    assert len(traces) == 1
    assert again.of("tap")[0].log10_gradient != first.of("tap")[0].log10_gradient
    vg.profile(PARAMS, loss, X[:3])
    assert len(traces) == 2


def test_expressions_select_and_the_forward_pass_orders() -> None:
    def loss(params: dict, x: jax.Array) -> jax.Array:
        return jnp.sum(vg.tap(vg.tap(x @ params["out"]["w"], "z") @ jnp.ones((2, 4)) @ params["in"]["w"], "a"))

    found = vg.profile(PARAMS, loss, X)
    assert [each.name for each in found.of("parameter")] == ["out.w", "in.w"]
    assert [each.name for each in found.of("tap")] == ["z", "a"]
    some = vg.profile(PARAMS, loss, X, modules="^z", parameters=r"in\.")
    assert [each.name for each in some.readings] == ["in.w", "", "in", "z"]
    with pytest.raises(vg.InputError, match=r"profile: modules: '\(' is no regular expression"):
        vg.profile(PARAMS, loss, X, modules="(")


def test_the_signal_is_described_as_by_hand() -> None:
    h = np.asarray(jax.nn.relu(X - 0.5))
    (tap,) = vg.profile(
        {"b": jnp.full(4, -0.5)}, lambda params, x: jnp.sum(vg.tap(jax.nn.relu(x + params["b"]), "h") ** 2), X
    ).of("tap")
    found = tap.forward
    assert found is not None
    assert tap.log10_gradient == pytest.approx(np.log10(np.linalg.norm(2 * h)), abs=1e-5)
    assert found.scale == pytest.approx(np.log10(np.sqrt(np.mean(h**2))), abs=1e-5)
    assert found.spread == pytest.approx(np.log10(np.sqrt(np.mean((h - h.mean(axis=0)) ** 2))), abs=1e-5)
    assert (found.largest, found.mean) == pytest.approx((h.max(), h.mean()), rel=1e-5)
    assert found.kurtosis == pytest.approx(np.mean((h - h.mean()) ** 4) / h.var() ** 2, rel=1e-4)
    assert (h == 0).any()
    assert (found.zero, found.saturated) == pytest.approx((np.mean(h == 0),) * 2, rel=1e-5)
    assert found.dead == np.mean((h == 0).all(axis=0))
    assert found.activation == "relu"
    units = h / np.linalg.norm(h, axis=1, keepdims=True)
    pairs = 1 - units @ units.T
    assert found.distance == pytest.approx(np.log10(pairs.sum() / (6 * 5)), abs=1e-4)


def test_attention_scores_have_their_largest_logit_and_the_entropy_of_each_head() -> None:
    scores = jnp.stack([jnp.zeros((3, 3)), 50 * jnp.eye(3)])[None]  # one head looks everywhere, the other at itself

    def loss(params: jax.Array, x: jax.Array) -> jax.Array:
        return jnp.sum(jax.nn.softmax(vg.tap(params * x, "scores", scores=True))[..., 0])

    (tap,) = vg.profile(jnp.ones(()), loss, scores).of("tap")
    assert tap.forward is not None
    assert tap.forward.largest_logit == 50
    assert tap.forward.entropy == pytest.approx((np.log(3), 0), abs=1e-5)


def test_a_module_in_a_scan_is_read_by_iteration_and_one_called_twice_by_call() -> None:
    class Block(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array, _: None) -> tuple[jax.Array, None]:
            return nn.tanh(nn.Dense(4, name="dense")(x)), None

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            shared = nn.Dense(4, name="shared")
            blocks = nn.scan(Block, variable_axes={"params": 0}, split_rngs={"params": True}, length=2)(name="blocks")
            return shared(blocks(shared(x), None)[0])

    net = Net()
    found = vg.profile(net.init(jax.random.key(0), X), lambda params, x: net.apply(params, x).sum(), X)
    names = [each.name for each in found.of("output")]
    inside = ["blocks.dense[0]", "blocks.dense[1]", "blocks[0]", "blocks[1]"]
    assert names == ["shared", *inside, "shared#2"]
    assert found.mixed == ("params.shared.bias", "params.shared.kernel")


def test_a_profile_is_a_run_of_one_record() -> None:
    found = vg.profile(PARAMS, lambda params, x: jnp.sum(vg.tap(x @ params["in"]["w"], "h")), X)
    run = found.run()
    assert run_of([plain(run.header), *map(plain, run.records)]) == run
    assert list(run.records[0].layers) == ["in.w", "out.w"]
    assert run.records[0].layers["out.w"].gradient == -np.inf
    assert list(run.records[0].modules) == ["h"]


def test_haiku_modules_are_found_by_themselves() -> None:
    hk = pytest.importorskip("haiku", reason="needs dm-haiku")
    net = hk.without_apply_rng(hk.transform(lambda x: hk.nets.MLP([5, 2])(x)))
    params = net.init(jax.random.key(0), X)
    found = vg.profile(params, lambda params, x: net.apply(params, x).sum(), X)
    names = [each.name for each in found.of("output")]
    assert names == ["mlp/~/linear_0", "mlp/~/linear_1", "mlp"]
    assert found.of("output")[0].forward.activation == "relu"
