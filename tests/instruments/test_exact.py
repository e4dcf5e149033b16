"""Profiles of people's own models against float64: exact far below float32 in every framework, or said not to be."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import vgbench as vg

LAYERS, WIDTH = 1000, 6
X = jax.random.normal(jax.random.key(0), (4, WIDTH))
KERNELS = np.asarray(jax.random.normal(jax.random.key(1), (LAYERS, WIDTH, WIDTH)), np.float64) / WIDTH**0.5


def by_hand() -> tuple[np.ndarray, np.ndarray]:
    """log10 ||dL/dh_l|| and log10 ||dL/dW_l|| of a sigmoid network, L the sum of the last layer, in float64."""
    states = [np.asarray(X, np.float64)]
    for w in KERNELS.astype(np.float32).astype(np.float64):
        states.append(1 / (1 + np.exp(-states[-1] @ w)))
    signal, scale = np.ones_like(states[-1]), 0.0
    signals, weights = np.empty(LAYERS), np.empty(LAYERS)
    for i in reversed(range(LAYERS)):
        signals[i] = np.log10(np.linalg.norm(signal)) + scale
        behind = signal * states[i + 1] * (1 - states[i + 1])
        weights[i] = np.log10(np.linalg.norm(states[i].T @ behind)) + scale
        signal = behind @ KERNELS[i].T
        size = np.linalg.norm(signal)
        signal, scale = signal / size, scale + np.log10(size)
    return signals, weights


class LinenLayer(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array, _: None) -> tuple[jax.Array, None]:
        return nn.sigmoid(nn.Dense(WIDTH, use_bias=False)(x)), None


def linen() -> tuple[Any, Any, str]:
    net = nn.scan(LinenLayer, variable_axes={"params": 0}, split_rngs={"params": True}, length=LAYERS)()
    variables = {"params": {"Dense_0": {"kernel": jnp.asarray(KERNELS, jnp.float32)}}}
    return variables, lambda variables, x: net.apply(variables, x, None)[0].sum(), "Dense_0"


class NnxLayer(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.linear = nnx.Linear(WIDTH, WIDTH, use_bias=False, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.sigmoid(self.linear(x))


class NnxNet(nnx.Module):
    def __init__(self) -> None:
        self.layers = nnx.split_rngs(splits=LAYERS)(nnx.vmap(NnxLayer, in_axes=0, out_axes=0))(nnx.Rngs(0))
        self.layers.linear.kernel[...] = jnp.asarray(KERNELS, jnp.float32)

    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.scan(lambda x, layer: layer(x), in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)(x, self.layers)


def of_nnx() -> tuple[Any, Any, str]:
    return NnxNet(), lambda model, x: model(x).sum(), "layers"


def equinox() -> tuple[Any, Any, str]:
    eqx = pytest.importorskip("equinox", reason="needs equinox")

    class Net(eqx.Module):
        kernels: jax.Array

        def __call__(self, x: jax.Array) -> jax.Array:
            def layer(h: jax.Array, sliced: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
                i, w = sliced
                return vg.tap(jax.nn.sigmoid(h @ w), "h", layer=i, of=LAYERS), None

            return jax.lax.scan(layer, x, (jnp.arange(LAYERS), self.kernels))[0]

    model = Net(jnp.asarray(KERNELS, jnp.float32))
    return model, lambda model, x: jax.vmap(model)(x).sum(), "h"


@pytest.mark.parametrize("make", [of_nnx, linen, equinox])
def test_a_thousand_sigmoid_layers_are_exact_in_every_framework(make: Any) -> None:
    model, loss, name = make()
    found = vg.profile(model, loss, X, stacked={"kernel", "kernels"})
    signals, weights = by_hand()
    assert signals[0] < -600
    every = [each for each in (*found.of("output"), *found.of("tap")) if each.name.startswith(f"{name}[")]
    last = {"h": "h", "layers": "layers", "Dense_0": "Dense_0"}[name]
    assert [each.name for each in every] == [f"{last}[{i}]" for i in range(LAYERS)]
    if name != "Dense_0":  # whose output is the pre-activation
        np.testing.assert_allclose([each.log10_gradient for each in every], signals, rtol=2e-4, atol=2e-4)
    parameters = found.of("parameter")
    assert len(parameters) == LAYERS
    np.testing.assert_allclose([each.log10_gradient for each in parameters], weights, rtol=2e-4, atol=2e-4)
    assert all(each.exact_to < each.log10_gradient - 30 for each in (*every, *parameters))
    assert parameters[0].zero_fraction == 1  # as the gradient itself reads in float32
    assert found.mixed == ()


def shrunk(h: jax.Array, name: str) -> jax.Array:
    """The same, with 60 decades taken off its gradient on the way back."""
    for i in range(3):
        h = vg.tap(1e-20 * h + jax.lax.stop_gradient(h - 1e-20 * h), f"{name}{i}")
    return h


class Block(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.norm, self.attention = nnx.LayerNorm(4, rngs=rngs), nnx.MultiHeadAttention(2, 4, decode=False, rngs=rngs)
        self.up = nnx.Linear(4, 4, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x + self.attention(self.norm(x))
        return x + nnx.gelu(self.up(x))


class Transformer(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.blocks = nnx.List([Block(rngs) for _ in range(2)])

    def __call__(self, x: jax.Array) -> jax.Array:
        for block in self.blocks:
            x = block(x)
        return shrunk(x, "head")


def test_a_residual_transformer_is_exact_at_branches_that_do_not_cut() -> None:
    model, tokens = Transformer(nnx.Rngs(0)), jax.random.normal(jax.random.key(2), (2, 3, 4))

    def loss(model: Transformer, tokens: jax.Array) -> jax.Array:
        return jnp.mean(model(tokens) ** 2)

    found = vg.profile(model, loss, tokens)

    def unshrunk(model: Transformer, tokens: jax.Array) -> jax.Array:
        for block in model.blocks:
            tokens = block(tokens)
        return jnp.mean(tokens**2)

    plain = {each.name: each for each in vg.profile(model, unshrunk, tokens).readings}
    places = [each for each in (*found.of("output"), *found.of("parameter")) if "key.bias" not in each.name]
    assert len(places) == 16 + 22  # the gradient by the keys' biases is zero but for rounding
    for each in places:
        assert each.log10_gradient == pytest.approx(plain[each.name].log10_gradient - 60, abs=1e-3), each.name
    assert {"blocks.1.attention.query", "blocks.1.attention", "blocks.1.up"} < set(found.uncut)
    assert "blocks.1" not in found.uncut
    assert found.mixed == ()


def test_where_paths_pass_different_taps_float64_is_taken_and_the_place_is_named() -> None:
    def loss(params: dict[str, jax.Array], x: jax.Array) -> jax.Array:
        h = x @ params["both"]
        return shrunk(jnp.sum(jnp.tanh(h)), "one") + shrunk(jnp.sum((x @ params["both"]) ** 2), "other")

    w = jnp.eye(WIDTH) / 4
    found = vg.profile({"both": w}, loss, X)
    (both,) = found.of("parameter")
    assert found.mixed == ("both",)
    expected = np.log10(jnp.linalg.norm(jax.grad(lambda w: jnp.sum(jnp.tanh(X @ w)) + jnp.sum((X @ w) ** 2))(w))) - 60
    assert both.log10_gradient == pytest.approx(float(expected), abs=1e-4)
    assert both.exact_to == pytest.approx(np.log10(np.finfo(np.float64).tiny), abs=0.1)
    assert both.zero_fraction == 1
    assert both.histogram.shape == (256,)
