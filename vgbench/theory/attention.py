"""Attention at initialisation: what it makes of every pair of tokens, and of the squared gradients of these pairs.

The weights of values do not depend on what they multiply, so that a head with attention weights A maps the Gram matrix
K of the values to A K A^T, and back the gradient's G to A^T G A. Of a wide signal queries and keys are Gaussian with
the covariance of the tokens, however few features a head has: they are drawn so, and averaged over. So is the gradient
that goes through the scores (Dinan, Yaida & Zhang 2023, Effective theory of transformers at initialization; Noci et
al. 2022, Signal propagation in transformers; Cowsik, Nebabu, Qi & Ganguli 2024, Geometric dynamics of signal
propagation predict trainability of transformers).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import softmax

from vgbench.theory.kernels import Gram, Kernels, root_of
from vgbench.theory.prediction import NoTheory

Drawn = Float[np.ndarray, "drawn tokens features"]
Scores = Float[np.ndarray, "drawn tokens tokens"]

_HEADS = 2
"""Drawn for each example."""
_MOST_CHOSEN = 0.7
"""Sum of a token's squared attention weights, from 0 where they are equal to 1 where one is all. Without norms, over 48
blocks of 48 units, it goes to 1, and the gradient measured grew by 72 decades where 14 came out here."""


class Weights(NamedTuple):
    """Variances of the weights, times their fan-in; `gate` of those without a gate is 0."""

    query: float
    key: float
    value: float
    output: float
    gate: float


class Read(NamedTuple):
    """Heads that were drawn: queries and keys as the weights give them, attention weights, slope of the scores."""

    query: Drawn
    key: Drawn
    attention: Scores
    slope: Scores


class Gradients(NamedTuple):
    """The gradient's Gram matrices by what a layer reads: by its tokens (scores and gate), and by its values."""

    tokens: Gram
    values: Gram


@dataclass(frozen=True)
class Attention:
    """Attention, whose heads are drawn for each layer anew.

    Attributes:
        weights: their variances.
        features: of a head.
        qk_norm: whether queries and keys are normalised.
        softcap: bound of the scores; None for none.
        score_gain: what multiplies the scores beside 1 / sqrt(features).
        rotary_base: of rotary positions, with which tokens read themselves and earlier ones alone; None for none.
        gate: the sigmoid that multiplies what the heads read; None for none.
    """

    weights: Weights
    features: int
    qk_norm: bool
    softcap: float | None
    score_gain: float
    rotary_base: float | None
    gate: Kernels | None

    def forward(self, layer: int, tokens: Gram, values: Gram) -> Gram:
        """What the layer of this number adds, where it reads these tokens and values."""
        mixed = _mixed(self._read(layer, tokens), values)
        if self.gate:
            mixed = mixed * self.gate.value(self.weights.gate * tokens)
        return self.weights.output * mixed

    def backward(self, layer: int, tokens: Gram, values: Gram, gradient: Gram) -> Gradients:
        """The gradients by what the layer reads, from that by what it adds."""
        read, gradient = self._read(layer, tokens), self.weights.output * gradient
        by_gate = np.zeros_like(tokens)
        if self.gate:
            given = self.weights.gate * tokens
            by_gate = self.weights.gate * gradient * _mixed(read, values) * self.gate.slope(given)
            gradient = gradient * self.gate.value(given)
        by_values = _mean(read.attention.swapaxes(1, 2) @ _copies(gradient) @ read.attention)
        return Gradients(by_gate + self._by_scores(layer, read, values, gradient), by_values)

    def _read(self, layer: int, tokens: Gram) -> Read:
        root, draw = _copies(root_of(tokens)), np.random.default_rng((layer, 0))
        query, key = (v**0.5 * self._features(root, draw) for v in (self.weights.query, self.weights.key))
        gain = self.score_gain * self.features**-0.5
        scores, slope = gain * self._used(query) @ self._used(key).swapaxes(1, 2), np.full(root.shape, gain)
        if self.softcap is not None:
            scores = self.softcap * np.tanh(scores / self.softcap)
            slope = slope * (1 - np.square(scores / self.softcap))
        if self.rotary_base is not None:
            scores = np.where(np.tri(scores.shape[-1], dtype=bool), scores, -np.inf)
        attention = softmax(scores, axis=-1)
        _refuse_choices(attention, causal=self.rotary_base is not None)
        return Read(query, key, attention, slope)

    def _by_scores(self, layer: int, read: Read, values: Gram, gradient: Gram) -> Gram:
        """The gradient by the tokens through queries and keys."""
        draw = np.random.default_rng((layer, 1))
        value, above = (self._features(_copies(root_of(at)), draw) for at in (values, gradient / self.features))
        by_attention = above @ value.swapaxes(1, 2)
        mean = np.sum(read.attention * by_attention, axis=-1, keepdims=True)
        by_score = read.slope * read.attention * (by_attention - mean)
        by_query = self._unused(by_score @ self._used(read.key), read.query)
        by_key = self._unused(by_score.swapaxes(1, 2) @ self._used(read.query), read.key)
        of_query, of_key = (_mean(by @ by.swapaxes(1, 2)) for by in (by_query, by_key))
        return self.weights.query * of_query + self.weights.key * of_key

    def _features(self, root: Scores, draw: np.random.Generator) -> Drawn:
        return root @ draw.normal(size=(*root.shape[:2], self.features))

    def _used(self, drawn: Drawn) -> Drawn:
        """Queries or keys as their scores use them."""
        used = _centred(drawn) / _deviation(drawn) if self.qk_norm else drawn
        return used if self.rotary_base is None else _turned(used, self.rotary_base)

    def _unused(self, gradient: Drawn, drawn: Drawn) -> Drawn:
        """The gradient by queries or keys, from that by what their scores use."""
        if self.rotary_base is not None:
            gradient = _turned(gradient, self.rotary_base, back=True)
        if not self.qk_norm:
            return gradient
        normal = _centred(drawn) / _deviation(drawn)
        along = normal * np.mean(gradient * normal, axis=-1, keepdims=True)
        return (_centred(gradient) - along) / _deviation(drawn)


def _refuse_choices(attention: Scores, *, causal: bool) -> None:
    tokens = attention.shape[-1]
    if tokens == 1:
        return
    readable = np.arange(2, tokens + 1) if causal else np.full(tokens - 1, tokens)
    squares = np.sum(np.square(attention[:, 1:]), axis=-1)
    chosen = np.mean((squares - 1 / readable) / (1 - 1 / readable))
    if chosen > _MOST_CHOSEN:
        raise NoTheory(
            "attention without bounded scores: it chooses single tokens, and the gradient through its scores hangs on"
            " rare ties"
        )


def _mixed(read: Read, values: Gram) -> Gram:
    return _mean(read.attention @ _copies(values) @ read.attention.swapaxes(1, 2))


def _copies(gram: Gram) -> Scores:
    return np.repeat(gram, _HEADS, axis=0)


def _mean(drawn: Scores) -> Gram:
    return drawn.reshape(-1, _HEADS, *drawn.shape[1:]).mean(axis=1)


def _centred(drawn: Drawn) -> Drawn:
    return drawn - drawn.mean(axis=-1, keepdims=True)


def _deviation(drawn: Drawn) -> Float[np.ndarray, "drawn tokens 1"]:
    return drawn.std(axis=-1, keepdims=True)


def _turned(drawn: Drawn, base: float, *, back: bool = False) -> Drawn:
    """Rotary positions, or their inverse."""
    half = drawn.shape[-1] // 2
    angles = np.arange(drawn.shape[1])[:, None] * base ** (-np.arange(half) / half) * (-1 if back else 1)
    first, second = drawn[..., :half], drawn[..., half : 2 * half]
    cosine, sine = np.cos(angles), np.sin(angles)
    turned = [first * cosine - second * sine, second * cosine + first * sine, drawn[..., 2 * half :]]
    return np.concatenate(turned, axis=-1)
