"""Transformers by mean field: Gram matrices of an example's tokens forward, those of their gradients back.

Of the stream the mean products of every two tokens are carried from branch to branch, of examples of the data. Weights
are drawn anew in every branch, so that streams and branches add up without mixed terms; a norm divides by the tokens'
sizes, and attention and activations act on pairs (Cowsik et al. 2024; Kedia et al. 2024). Where all tokens are equally
large and alike this is the recursion of Alekseev 2026.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from vgbench.mitigations.initializers import Signal, weight_variance
from vgbench.mitigations.norms import SQUASHING
from vgbench.spec.case import Case
from vgbench.theory.kernels import Gram
from vgbench.theory.prediction import Kind, NoTheory, Prediction, from_factors
from vgbench.theory.skip import ZERO_SOURCES, skip_of
from vgbench.theory.streams import BRANCHES, Joint, Shares, streams_of
from vgbench.theory.tokens import answered, embedded
from vgbench.theory.transformer_parts import SIZED, Parts

Streamed = Float[np.ndarray, "streams streams examples tokens tokens"]
"""A Gram matrix for each pair of streams."""

_MOST_BLOCKS = 1_000
_SOURCES = "Dinan, Yaida & Zhang 2023", "Cowsik et al. 2024", "Kedia et al. 2024"


def predict_transformer(case: Case) -> Prediction:
    """Predict a transformer encoder or a causal language model.

    Raises:
        NoTheory: no theory covers it.
    """
    if case.depth == 1:
        return from_factors(np.empty(0), "exact", (), ("one hidden layer",))
    model: Any = case.model
    skip, gaps = skip_of(case), case.depth - 1
    if skip and skip.branch == 0 and model.order != "post_norm":
        sources = ZERO_SOURCES.get(case.skip.name, ("Bachlechner et al. 2021",))
        factors = np.full(gaps, skip.stream ** (2 * BRANCHES))
        return from_factors(factors, "exact", sources, ("every branch starts at zero",))
    streams, reason = streams_of(case), _uncovered(case)
    if reason or streams is None:
        raise NoTheory(reason or f"skip {case.skip.name!r}: no theory of it is known here")
    notes = f"a width of {case.width} counts as large", "tokens as in some examples of the data"
    # Without a norm the largest examples and tokens decide, and these differ from batch to batch.
    kind: Kind = "asymptotic" if case.norm.name in (*SIZED, *SQUASHING) else "order"
    return from_factors(_Walk(Parts(case, streams)).factors(), kind, _SOURCES, notes)


def _uncovered(case: Case) -> str | None:
    if case.norm.name not in ("none", "weight", *SIZED, *SQUASHING):
        return f"norm {case.norm.name!r} of tokens: no theory of it is known here"
    if case.init.name == "identity":
        return "init 'identity': its weights are not random, so that every layer repeats the one before"
    if weight_variance(case.init, Signal(case.activation, 0.0, raw=True), case.width, case.width) is None:
        return f"init {case.init.name!r}: the variance of its weights is not known here"
    if getattr(case.model, "tied", False):
        return "a tied table: the gradient begins along the tokens' own vectors"
    if case.depth > _MOST_BLOCKS:
        return f"depth {case.depth}: pairs of tokens are followed through {_MOST_BLOCKS:,} layers at most"
    return None


class _Passed(NamedTuple):
    """A branch on the way forward.

    Attributes:
        read: what is read of the stream, before the norm.
        kept: the first block's values, where attention reads them.
        added: by the branch, before a norm behind it.
        joined: the stream after it, before a norm on it.
    """

    read: Gram
    kept: Gram | None
    added: Gram
    joined: Gram


@dataclass(frozen=True)
class _Walk:
    """Forward and back through all branches, attention and feed-forward parts in turn."""

    parts: Parts

    def factors(self) -> Float[np.ndarray, "gaps"]:
        """What every block multiplies the squared gradient by, the one nearest the input first."""
        stream, passed = self._forward()
        joints, leave = self.parts.streams.joints, self.parts.streams.leave
        read = _read(leave, stream)
        squared = answered(self.parts.case, read if self._post else self.parts.norm(read))
        squared = squared if self._post else self.parts.through_norm(read, squared)
        gradient, by_kept = np.multiply.outer(np.outer(leave, leave), squared), np.zeros_like(squared)
        gradient, factors = gradient / _total(gradient, by_kept), []
        for i in reversed(range(len(joints))):
            gradient, by_kept = self._back(i, joints[i], passed[i], gradient, by_kept)
            if i % BRANCHES == 0:
                factors.append(_total(gradient, by_kept))
                gradient, by_kept = gradient / factors[-1], by_kept / factors[-1]
        return np.asarray(factors[::-1])

    @property
    def _model(self) -> Any:
        return self.parts.case.model

    @property
    def _post(self) -> bool:
        return self._model.order == "post_norm"

    @property
    def _peri(self) -> bool:
        return self._model.order == "peri_norm" and self.parts.case.norm.name != "none"

    def _forward(self) -> tuple[Streamed, list[_Passed]]:
        tokens, enter = embedded(self.parts.case), self.parts.streams.enter
        stream = np.multiply.outer(np.outer(enter, enter), self.parts.norm(tokens) if self._post else tokens)
        kept, passed = None, []
        for i, joint in enumerate(self.parts.streams.joints):
            read = _read(joint.reading, stream)
            tokens = self._given(i, read)
            added = self._added(i, tokens, kept)
            behind = self.parts.norm(added) if self._peri else added
            stream = _mixed(joint.mixing, stream) + np.multiply.outer(np.outer(joint.writing, joint.writing), behind)
            passed.append(_Passed(read, kept, added, stream[0, 0]))
            stream = self.parts.norm(stream) if self._post else stream
            if self._model.value_residual and kept is None:
                kept = self.parts.attention.weights.value * tokens
        return stream, passed

    def _back(self, i: int, joint: Joint, at: _Passed, gradient: Streamed, by_kept: Gram) -> tuple[Streamed, Gram]:
        """The gradients by the streams and by the first block's values, before a branch."""
        if self._post:
            gradient = self.parts.through_norm(at.joined, gradient[0, 0])[None, None]
        by_added = _read(joint.writing, gradient)
        gradient = _mixed(joint.mixing.T, gradient)
        if not by_added.any():  # a branch that starts at zero
            return gradient, by_kept
        if self._peri:
            by_added = self.parts.through_norm(at.added, by_added)
        tokens = self._given(i, at.read)
        if i % BRANCHES:
            by_tokens = self.parts.feed_forward.backward(tokens, by_added)
        else:
            by_tokens, by_kept = self._through_attention(i, tokens, at.kept, by_added, by_kept)
        by_read = by_tokens / self._divisor(i)
        by_read = by_read if self._post else self.parts.through_norm(at.read, by_read)
        return gradient + np.multiply.outer(np.outer(joint.reading, joint.reading), by_read), by_kept

    def _through_attention(
        self, i: int, tokens: Gram, kept: Gram | None, by_added: Gram, by_kept: Gram
    ) -> tuple[Gram, Gram]:
        attention = self.parts.attention
        found = attention.backward(i, tokens, self._values(tokens, kept), by_added)
        if kept is None:  # no values are kept, or these are they
            return found.tokens + attention.weights.value * (found.values + by_kept), np.zeros_like(by_kept)
        return found.tokens + attention.weights.value * found.values / 4, by_kept + found.values / 4

    def _added(self, i: int, tokens: Gram, kept: Gram | None) -> Gram:
        if i % BRANCHES:
            return self.parts.feed_forward.forward(tokens)
        return self.parts.attention.forward(i, tokens, self._values(tokens, kept))

    def _values(self, tokens: Gram, kept: Gram | None) -> Gram:
        """Of a block's own values, or of their mean with those of the first."""
        own = self.parts.attention.weights.value * tokens
        return own if kept is None else (own + kept) / 4

    def _given(self, i: int, read: Gram) -> Gram:
        """What a branch reads, behind its norm."""
        return (read if self._post else self.parts.norm(read)) / self._divisor(i)

    def _divisor(self, i: int) -> int:
        return i // BRANCHES + 1 if self._model.depth_scaled_norm else 1


def _read(shares: Shares, streams: Streamed) -> Gram:
    """The Gram matrix of a mixture of the streams."""
    return np.tensordot(np.outer(shares, shares), streams, axes=2)


def _mixed(mixing: Float[np.ndarray, "n n"], streams: Streamed) -> Streamed:
    if np.array_equal(mixing, np.eye(len(mixing))):
        return streams
    return np.einsum("am,mn...,bn->ab...", mixing, streams, mixing, optimize=True)


def _total(gradient: Streamed, by_kept: Gram) -> float:
    """The squared norm of the gradient by all that a block hands on."""
    return float(np.einsum("mmett->", gradient) + np.einsum("ett->", by_kept))
