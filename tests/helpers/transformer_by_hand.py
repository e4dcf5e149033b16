"""The parts of a transformer written out in numpy."""

from typing import Any

import numpy as np


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def norm(h: np.ndarray) -> np.ndarray:
    centred = h - h.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-6)


def rms(h: np.ndarray) -> np.ndarray:
    return h / np.sqrt((h**2).mean(axis=-1, keepdims=True) + 1e-6)


def mapped(params: Any, h: np.ndarray) -> np.ndarray:
    biases = np.asarray(params["bias"][...]) if "bias" in params else 0
    return h @ np.asarray(params["kernel"][...]) + biases


def rotated(x: np.ndarray, base: float) -> np.ndarray:
    """Each pair of features of [batch, heads, tokens, features] as one complex number, turned by its angle."""
    half = x.shape[-1] // 2
    angles = np.outer(np.arange(x.shape[2]), [base ** (-i / half) for i in range(half)])
    turned = (x[..., :half] + 1j * x[..., half:]) * np.exp(1j * angles)
    return np.concatenate([turned.real, turned.imag], axis=-1)


def attention(
    params: Any,
    h: np.ndarray,
    heads: int,
    *,
    qk_norm: bool = False,
    softcap: float | None = None,
    gated: bool = False,
    rotary_base: float | None = None,
    values: np.ndarray | None = None,
) -> np.ndarray:
    """With a base of rotary positions a token reads itself and earlier ones alone; `values` replace the tokens' own."""
    each = [mapped(params[name], h) for name in ("query", "key", "value")]
    each[2] = each[2] if values is None else values
    query, key, value = (part.reshape(*h.shape[:2], heads, -1).swapaxes(1, 2) for part in each)
    if qk_norm:
        query, key = norm(query), norm(key)
    if rotary_base:
        query, key = rotated(query, rotary_base), rotated(key, rotary_base)
    scores = query @ key.swapaxes(2, 3) / np.sqrt(query.shape[-1])
    if softcap:
        scores = softcap * np.tanh(scores / softcap)
    if rotary_base:
        scores[..., np.triu_indices(scores.shape[-1], k=1)[0], np.triu_indices(scores.shape[-1], k=1)[1]] = -np.inf
    mixed = (softmax(scores) @ value).swapaxes(1, 2).reshape(h.shape)
    if gated:
        mixed = sigmoid(mapped(params["attention_gate"], h)) * mixed
    return mapped(params["output"], mixed)


def feed_forward(params: Any, h: np.ndarray, activation: Any = lambda z: np.maximum(z, 0)) -> np.ndarray:
    if "gate" in params:
        return mapped(params["down"], activation(mapped(params["gate"], h)) * mapped(params["up"], h))
    return mapped(params["down"], activation(mapped(params["up"], h)))
