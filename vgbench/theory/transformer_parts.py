"""The parts of a transformer's block as maps of tokens' Gram matrices: norm, attention, feed-forward part."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from vgbench.mitigations.initializers import Signal, weight_variance
from vgbench.mitigations.norms import SQUASHING
from vgbench.mitigations.parametrizations import parametrization_of
from vgbench.models.transformer_block import inner_width
from vgbench.spec.case import Case
from vgbench.spec.registry import ACTIVATIONS
from vgbench.theory.attention import Attention, Weights
from vgbench.theory.kernels import Gram, Kernels, correlations, kernels_of, sizes, squashed_kernels
from vgbench.theory.streams import Streams

SIZED = "layer", "rms"
"""Norms that divide tokens by their size; in wide ones the mean that layer norm takes out is nothing."""


@dataclass(frozen=True)
class FeedForward:
    """down(act(up(h))), or gated down(act(gate(h)) * up(h)); `up` (and of the gate) and `down` are variances."""

    up: float
    down: float
    gated: bool
    activation: Kernels

    def forward(self, tokens: Gram) -> Gram:
        """What the part adds, where it reads these tokens."""
        given = self.up * tokens
        active = self.activation.value(given)
        return self.down * (active * given if self.gated else active)

    def backward(self, tokens: Gram, gradient: Gram) -> Gram:
        """The gradient by the tokens, from that by what the part adds."""
        given = self.up * tokens
        slopes = self.activation.slope(given)
        if self.gated:
            slopes = slopes * given + self.activation.value(given)
        return self.up * self.down * gradient * slopes


@dataclass(frozen=True)
class Parts:
    """The parts of a case's blocks."""

    case: Case
    streams: Streams

    @cached_property
    def attention(self) -> Attention:
        """Attention, whose options are the model's."""
        case, model, gain = self.case, self._model, self.streams.gain**2
        square = self._variance(case.width, case.width)
        last = self._variance(case.width, case.width, last=True)
        return Attention(
            weights=Weights(square, square, gain * square, gain * last, square),
            features=case.width // model.heads,
            qk_norm=model.qk_norm,
            softcap=model.softcap,
            score_gain=parametrization_of(case).shrunk,
            rotary_base=getattr(model, "rotary_base", None),
            gate=kernels_of(ACTIVATIONS.choose("sigmoid")) if model.gated_attention else None,
        )

    @cached_property
    def feed_forward(self) -> FeedForward:
        """The feed-forward part."""
        case, inner, gain = self.case, inner_width(self.case), self.streams.gain**2
        return FeedForward(
            up=gain * self._variance(case.width, inner),
            down=gain * self._variance(inner, case.width, activated=True, last=True),
            gated=self._model.gated_feed_forward,
            activation=kernels_of(case.activation),
        )

    def norm(self, tokens: Gram) -> Gram:
        """Tokens behind the norm."""
        if self._squash:
            return self._squash.value(tokens)
        return correlations(tokens) if self.case.norm.name in SIZED else tokens

    def through_norm(self, tokens: Gram, gradient: Gram) -> Gram:
        """The gradient before the norm of these tokens, from that behind it."""
        if self._squash:
            return gradient * self._squash.slope(tokens)
        return gradient / sizes(tokens) if self.case.norm.name in SIZED else gradient

    @property
    def _model(self) -> Any:
        return self.case.model

    @cached_property
    def _squash(self) -> Kernels | None:
        norm = self.case.norm
        return squashed_kernels(norm) if norm.name in SQUASHING else None

    def _variance(self, inputs: int, outputs: int, *, activated: bool = False, last: bool = False) -> float:
        summands = len(self.streams.joints) if last and self.case.skip.name != "none" else 1
        signal = Signal(self.case.activation, 0.0, raw=not activated, summands=summands)
        variance = weight_variance(self.case.init, signal, inputs, outputs)
        assert variance is not None
        return variance
