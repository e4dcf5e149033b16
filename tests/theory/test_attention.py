"""Attention's maps of Gram matrices against a wide layer, and where scores say nothing."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vgbench.spec.registry import ACTIVATIONS
from vgbench.theory.attention import Attention, Weights
from vgbench.theory.kernels import kernels_of
from vgbench.theory.prediction import NoTheory

TOKENS, FEATURES, HEADS = 5, 16, 24
WIDTH = FEATURES * HEADS
ALIKE = 1.5 * (0.4 + 0.6 * np.eye(TOKENS))
PLAIN = Attention(
    weights=Weights(query=1.0, key=1.0, value=1.0, output=1.0, gate=1.0),
    features=FEATURES,
    qk_norm=False,
    softcap=None,
    score_gain=1.0,
    rotary_base=None,
    gate=None,
)
GATE = kernels_of(ACTIVATIONS.choose("sigmoid"))
VARIANTS = [PLAIN, replace(PLAIN, qk_norm=True, softcap=1.0), replace(PLAIN, gate=GATE)]


def layer(of: Attention, weights: jax.Array, h: jax.Array) -> jax.Array:
    query, key, value, gate = ((h @ each).reshape(TOKENS, HEADS, FEATURES) for each in weights[:4])
    if of.qk_norm:
        query, key = ((at - at.mean(-1, keepdims=True)) / at.std(-1, keepdims=True) for at in (query, key))
    scores = jnp.einsum("ihf,jhf->hij", query, key) * FEATURES**-0.5
    if of.softcap:
        scores = of.softcap * jnp.tanh(scores / of.softcap)
    mixed = jnp.einsum("hij,jhf->ihf", jax.nn.softmax(scores), value)
    mixed = mixed * jax.nn.sigmoid(gate) if of.gate else mixed
    return mixed.reshape(TOKENS, WIDTH) @ weights[4]


@pytest.mark.parametrize("of", VARIANTS, ids=["plain", "bounded", "gated"])
def test_wide_layers_have_the_same_pairs(of: Attention) -> None:
    draw = np.random.default_rng(0)
    root = np.linalg.cholesky(ALIKE)
    h, above = (root @ np.linalg.qr(draw.normal(size=(WIDTH, TOKENS)))[0].T * WIDTH**0.5 for _ in range(2))

    @jax.jit
    def pairs(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        weights = jax.random.normal(key, (5, WIDTH, WIDTH)) * WIDTH**-0.5
        added, back = jax.vjp(partial(layer, of, weights), jnp.asarray(h, jnp.float32))
        (below,) = back(jnp.asarray(above, jnp.float32))
        return added @ added.T / WIDTH, below @ below.T / WIDTH

    drawn = [pairs(key) for key in jax.random.split(jax.random.key(0), 6)]
    forward, backward = (np.mean(each, axis=0) for each in zip(*drawn, strict=True))
    tokens = np.broadcast_to(ALIKE, (100, TOKENS, TOKENS))  # as many draws
    found = of.backward(0, tokens, tokens, tokens)
    pairs_of = ((of.forward(0, tokens, tokens), forward), (found.tokens + found.values, backward))
    for mine, measured in pairs_of:  # all tokens are alike, and so are all pairs of them
        for places in (np.eye(TOKENS, dtype=bool), ~np.eye(TOKENS, dtype=bool)):
            assert mine.mean(axis=0)[places].mean() == pytest.approx(measured[places].mean(), rel=0.08)


def test_what_reads_all_alike_averages() -> None:
    blind = replace(PLAIN, weights=PLAIN.weights._replace(query=0.0))
    tokens = ALIKE[None]
    np.testing.assert_allclose(blind.forward(0, tokens, tokens), np.full((1, TOKENS, TOKENS), ALIKE.mean()))
    found = blind.backward(0, tokens, tokens, tokens)
    np.testing.assert_allclose(found.values, np.full((1, TOKENS, TOKENS), ALIKE.mean()))
    np.testing.assert_array_equal(found.tokens, np.zeros_like(tokens))


def test_a_token_reads_itself_and_earlier_ones() -> None:
    found = replace(PLAIN, rotary_base=100.0).forward(0, ALIKE[None], np.eye(TOKENS)[None])
    np.testing.assert_allclose(found[0, 0, 0], 1)
    assert np.diff(np.diagonal(found[0])).max() < 0


def test_large_scores_are_refused() -> None:
    with pytest.raises(NoTheory, match="chooses single tokens"):
        PLAIN.forward(0, 1000 * ALIKE[None], ALIKE[None])
