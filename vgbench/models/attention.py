"""Multi-head self-attention over tokens."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from vgbench.instruments.probe import wide
from vgbench.mitigations.initializers import Signal
from vgbench.mitigations.norms import LinearMap, Reparametrised, reparametrised
from vgbench.mitigations.site import Site
from vgbench.models.backbone import summands
from vgbench.spec.case import Case
from vgbench.spec.registry import INITIALIZERS, NORMS

Tokens = Float[Array, "batch tokens width"]
Heads = Float[Array, "batch tokens heads features"]


class Maps:
    """Draws the linear maps of a block."""

    def __init__(self, case: Case, site: Site) -> None:
        self.case, self.site = case, site
        self.norm = NORMS.build(case.norm, site)

    def __call__(
        self, inputs: int, outputs: int, *, activated: bool = False, last: bool = False, gain: float = 1.0
    ) -> LinearMap | Reparametrised:
        """Draw a map of normalised tokens, or of activations; `last` of those of its branch."""
        joined = summands(self.case, self.site) if last else 1
        signal = Signal(self.case.activation, bias_std=0.0, raw=not activated, summands=joined)
        kernel = INITIALIZERS.build(self.case.init, signal)
        linear = nnx.Linear(inputs, outputs, kernel_init=kernel, rngs=self.site.rngs)
        linear.kernel[...] *= gain
        return reparametrised(self.norm, linear)


@dataclass(frozen=True)
class AttentionOptions:
    """How tokens read each other.

    Attributes:
        heads: among which the width is divided.
        qk_norm: whether queries and keys are normalised in each head (Henry, Dachapally, Pawar & Chen 2020).
        gated: whether a sigmoid of a linear map of the input multiplies what the heads read (Qiu et al. 2025).
        softcap: scores are squashed into (-softcap, softcap) by tanh (Gemma Team 2024); None for not at all.
        causal: whether a token reads itself and earlier ones only.
        rotary_base: the base of rotary positions (Su et al. 2021); None for none.
        score_gain: what multiplies the scores beside 1 / sqrt(features of a head).
        watched: whether the largest score of each head is kept, for QK-clip.
    """

    heads: int
    qk_norm: bool = False
    gated: bool = False
    softcap: float | None = None
    causal: bool = False
    rotary_base: float | None = None
    score_gain: float = 1.0
    watched: bool = False


class Attention(nnx.Module):
    """Multi-head self-attention; `gain` multiplies the initial weights of values and outputs."""

    def __init__(self, maps: Maps, options: AttentionOptions, gain: float) -> None:
        width = maps.case.width
        self.options = options
        self.query = maps(width, width)
        self.key = maps(width, width)
        self.value = maps(width, width, gain=gain)
        self.output = maps(width, width, last=True, gain=gain)
        self.normalise = nnx.List([])
        if options.qk_norm:
            of_head = partial(nnx.LayerNorm, width // options.heads, use_bias=False, use_fast_variance=False)
            self.normalise = nnx.List([of_head(rngs=maps.site.rngs) for _ in range(2)])
        if options.gated:
            self.attention_gate = maps(width, width)
        self.largest = nnx.Variable(jnp.zeros(options.heads, jnp.float32)) if options.watched else None

    def __call__(self, h: Tokens, values: Tokens | None = None) -> Tokens:
        """Let every token read the tokens that it may, or these values in place of the tokens' own."""
        mapped = self.query(h), self.key(h), self.value(h) if values is None else values
        query, key, value = (each.reshape(*h.shape[:2], self.options.heads, -1) for each in mapped)
        if self.normalise:
            query, key = (norm(each) for norm, each in zip(self.normalise, (query, key), strict=True))
        if self.options.rotary_base is not None:
            query, key = (rotated(each, self.options.rotary_base) for each in (query, key))
        # At least in float32; `jax.nn.dot_product_attention` has its softmax in float32 at most, which hides the
        # gradients of queries and keys where tokens have collapsed.
        weights = jax.nn.softmax(self._scores(query, key)).astype(h.dtype)
        mixed = jnp.einsum("bhqk,bkhd->bqhd", weights, value).reshape(h.shape)
        if self.options.gated:
            mixed = jax.nn.sigmoid(self.attention_gate(h)) * mixed
        return self.output(mixed)

    def _scores(self, query: Heads, key: Heads) -> Float[Array, "batch heads queries keys"]:
        gain = self.options.score_gain * query.shape[-1] ** -0.5
        scores = wide(jnp.einsum("bqhd,bkhd->bhqk", query, key) * gain)
        readable = np.tri(scores.shape[-1], dtype=bool) if self.options.causal else np.True_
        if self.largest is not None:
            seen = jax.lax.stop_gradient(jnp.where(readable, scores, -jnp.inf))
            self.largest[...] = seen.max(axis=(0, 2, 3)).astype(self.largest[...].dtype)
        cap = self.options.softcap
        if cap is not None:
            scores = cap * jnp.tanh(scores / cap)
        return jnp.where(readable, scores, -jnp.inf) if self.options.causal else scores


def rotated(x: Heads, base: float) -> Heads:
    """Turn pairs of features, the first half with the second, by angles in proportion to their token's position."""
    half = x.shape[-1] // 2
    angles = np.arange(x.shape[1])[:, None] * base ** (-np.arange(half) / half)
    cosine, sine = (jnp.asarray(turn(angles)[:, None, :], x.dtype) for turn in (np.cos, np.sin))
    first, second = x[..., :half], x[..., half : 2 * half]
    turned = [first * cosine - second * sine, second * cosine + first * sine, x[..., 2 * half :]]
    return jnp.concatenate(turned, axis=-1)
