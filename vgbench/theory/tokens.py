"""The tokens of a transformer before its blocks, and the gradient behind them, as Gram matrices of examples' tokens.

Tokens of real data are neither of one size nor uncorrelated, and what attention and norms make of them depends on it.
"""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.special import softmax

from vgbench.data.text import VOCABULARY
from vgbench.mitigations.initializers import Signal, weight_variance
from vgbench.mitigations.parametrizations import parametrization_of
from vgbench.models.transformer import POSITION_STD
from vgbench.spec.case import Case
from vgbench.spec.registry import DATA, Choice
from vgbench.theory.inputs import examples_of, last_gradient
from vgbench.theory.kernels import Gram, root_of
from vgbench.theory.prediction import NoTheory

_IMAGES, _WINDOWS = 48, 12
"""Examples that are followed through few blocks."""
_FEW_BLOCKS = 24
_MOST_TOKENS = 256
_CLASSES = 10


def embedded(case: Case) -> Gram:
    """The tokens as they are embedded, before any norm.

    Raises:
        NoTheory: what the data are is not known from the case.
    """
    if case.model.name == "causal_lm":
        read, _ = _text(case)
        std = case.init.options().get("std", 1.0)
        return std**2 * (read[:, :, None] == read[:, None, :])
    model: Any = case.model
    x = images(case)
    side = math.isqrt(x.shape[1] // model.channels)
    rows, patch = side // model.patch, model.patch
    cut = x.reshape(len(x), rows, patch, rows, patch, model.channels).swapaxes(2, 3).reshape(len(x), rows**2, -1)
    _few(rows**2)
    return cut @ cut.swapaxes(1, 2) / cut.shape[-1] + POSITION_STD**2 * np.eye(rows**2)


def answered(case: Case, read: Gram) -> Gram:
    """The gradient of the loss by what the output layer reads, in any unit; examples weigh as their losses do."""
    model: Any = case.model
    tokens = read.shape[-1]
    if case.model.name == "causal_lm":
        return _by_positions(case, read)
    mean = model.pooling == "mean"
    logits = read.mean(axis=(1, 2)) if mean else np.diagonal(read, axis1=1, axis2=2).mean(axis=1)
    squares = last_gradient(_output_variance(case, case.width * (1 if mean else tokens), _CLASSES) * logits)
    return squares[:, None, None] * (np.ones((tokens, tokens)) if mean else np.eye(tokens))


def _by_positions(case: Case, read: Gram) -> Gram:
    """Every position answers with the next token: (p - y)(p - y)^T of all pairs, p from logits drawn once."""
    _, follows = _text(case)
    noise = np.random.default_rng(0).normal(size=(*read.shape[:2], VOCABULARY))
    logits = _output_variance(case, case.width, VOCABULARY) ** 0.5 * root_of(read) @ noise
    error = softmax(logits, axis=-1) - (np.arange(VOCABULARY) == follows[..., None])
    return error @ error.swapaxes(1, 2)


def _output_variance(case: Case, inputs: int, outputs: int) -> float:
    variance = weight_variance(case.init, Signal(case.activation, 0.0, raw=True), inputs, outputs)
    return (variance or 1.0) * parametrization_of(case).shrunk ** 2


def images(case: Case, most: int = _IMAGES) -> Float[np.ndarray, "examples features"]:
    """At most so many examples of the data.

    Raises:
        NoTheory: the data are not known from the case.
    """
    if case.data.name not in ("digits", "gaussian"):
        raise NoTheory(f"data {case.data.name!r}: how large and how alike its tokens are is not known here")
    x = examples_of(case.data)  # pyright: ignore[reportArgumentType]  # frozen, so hashable
    return x[np.linspace(0, len(x) - 1, _examples(case, most)).astype(int)]


def _examples(case: Case, most: int) -> int:
    """How many examples are followed: through many blocks fewer, since what they differ by is lost in the first."""
    return max(most * _FEW_BLOCKS // max(case.depth, _FEW_BLOCKS), most // 4)


def _text(case: Case) -> tuple[Int[np.ndarray, "examples tokens"], Int[np.ndarray, "examples tokens"]]:
    """Windows of the text, and the tokens that follow."""
    data: Any = case.data
    if data.name != "text" or data.path is not None:
        raise NoTheory("a text of one's own: which of its tokens are equal is not known here")
    _few(data.length)
    return _windows(case.data, _examples(case, _WINDOWS))  # pyright: ignore[reportArgumentType]


@lru_cache(maxsize=4)
def _windows(data: Choice, count: int) -> tuple[Int[np.ndarray, "examples tokens"], Int[np.ndarray, "examples tokens"]]:
    windows: Any = DATA.build(data).train
    x, y = windows.take(np.linspace(0, windows.examples - 1, count).astype(np.int32))
    return np.asarray(x, np.int64), np.asarray(y, np.int64)


def _few(tokens: int) -> None:
    if tokens > _MOST_TOKENS:
        raise NoTheory(f"{tokens:,} tokens: pairs of at most {_MOST_TOKENS} are followed")
