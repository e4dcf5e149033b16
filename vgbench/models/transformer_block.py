"""The block that transformer encoders and causal language models have in common: self-attention, then a feed-forward
part, each with its norms and its skip.

    order       f = attention, then f = feed-forward           before the output layer
    pre_norm    h = skip(h, f(norm(h)))                        norm of h
    post_norm   h = norm(skip(h, f(h)))                        h
    peri_norm   h = skip(h, norm(f(norm(h))))                  norm of h

With order `post_norm` the embedded tokens are normalised, too. Without a norm the orders are the same. Sources: Vaswani
et al. 2017 (post_norm); Xiong et al. 2020 (pre_norm); Kim et al. 2025 (peri_norm).
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from vgbench.mitigations.norms import WEIGHT_NORMS, Norm, lost
from vgbench.mitigations.parametrizations import parametrization_of, skip_in
from vgbench.mitigations.site import Site
from vgbench.mitigations.skips import WeightRule
from vgbench.mitigations.streams import read, streams_of
from vgbench.models.attention import Attention, AttentionOptions, Maps, Tokens
from vgbench.models.backbone import no_stream_norm
from vgbench.models.network import Part
from vgbench.spec.case import Case
from vgbench.spec.registry import ACTIVATIONS, NORMS, SKIPS

Stream = Float[Array, "batch tokens *streams width"]
Order = Literal["pre_norm", "post_norm", "peri_norm"]


class FeedForward(nnx.Module):
    """down(act(up(h))), or gated down(act(gate(h)) * up(h)), of every token; `gain` multiplies initial weights."""

    def __init__(self, maps: Maps, inner: int, gated: bool, gain: float) -> None:
        case = maps.case
        self.up = maps(case.width, inner, gain=gain)
        self.down = maps(inner, case.width, activated=True, last=True, gain=gain)
        self.gate = maps(case.width, inner, gain=gain) if gated else None
        self.activation = partial(ACTIVATIONS.build, case.activation)

    def __call__(self, h: Tokens) -> Tokens:
        """Map every token."""
        if self.gate is None:
            return self.down(self.activation(self.up(h)))
        return self.down(self.activation(self.gate(h)) * self.up(h))


class SubBlock(nnx.Module):
    """Attention or the feed-forward part with its norms and its skip, in the model's order."""

    def __init__(self, case: Case, site: Site, make: Any) -> None:
        model: Any = case.model
        self.order = model.order
        self.norm = NORMS.build(case.norm, site)
        self.norm_after = NORMS.build(case.norm, site) if self.order == "peri_norm" else None
        # The number of the layer is traced where blocks are drawn side by side.
        scaled = model.depth_scaled_norm
        self.number = nnx.Variable(jnp.asarray(site.layer - 1, jnp.float32)) if scaled else None
        self.skip = SKIPS.build(skip_in(case), site)
        self.branch = make(Maps(case, site), gain=self.skip.gain(1, 2) if isinstance(self.skip, WeightRule) else 1.0)

    def __call__(self, h: Stream, branch: Callable[[Tokens], Tokens] | None = None) -> Stream:
        """Add to the stream; `branch` in place of the sub-block's own if it is given."""
        run = branch or self.branch
        if self.order == "post_norm":
            return self.norm(self.skip(h, run(h)))
        given = self.norm(read(self.skip, h))
        if self.number is not None:
            given = given * (self.number[...] ** -0.5).astype(h.dtype)
        added = run(given)
        return self.skip(h, added if self.norm_after is None else self.norm_after(added))


class TransformerBlock(nnx.Module):
    """Self-attention, then the feed-forward part."""

    def __init__(self, case: Case, attention: AttentionOptions, layer: int | Array, rngs: nnx.Rngs) -> None:
        model: Any = case.model
        site = Site(case.width, case.depth, layer, rngs, case.activation, branches=2)
        feed_forward = partial(FeedForward, inner=inner_width(case), gated=model.gated_feed_forward)
        self.attention = SubBlock(case, site, partial(Attention, options=attention))
        self.feeding = SubBlock(case, replace(site, branch=1), feed_forward)

    def __call__(self, h: Stream) -> Stream:
        """Map h_{l-1} to h_l."""
        return self.feeding(self.attention(h))


class ValueResidualBlock(TransformerBlock):
    """A block whose attention reads the mean of its own values and those of the first block.

    Its stream is a pair, [batch, tokens, 2, width]: the signal, and the values of the first block.
    """

    def __init__(self, case: Case, attention: AttentionOptions, layer: int | Array, rngs: nnx.Rngs) -> None:
        super().__init__(case, attention, layer, rngs)
        self.first = nnx.Variable(jnp.asarray(layer == 2, jnp.float32))

    def __call__(self, h: Stream) -> Stream:
        """Map h_{l-1} to h_l, and hand the values of the first block on."""
        kept = []

        def attend(given: Tokens) -> Tokens:
            own, first = self.attention.branch.value(given), self.first[...].astype(h.dtype)
            kept.append(first * own + (1 - first) * h[..., 1, :])
            return self.attention.branch(given, (own + kept[0]) / 2)

        signal = self.feeding(self.attention(h[..., 0, :], attend))
        return jnp.stack([signal, kept[0]], axis=-2)


def with_values(h: Tokens) -> Stream:
    """The stream that enters the first block: there are no values yet."""
    return jnp.stack([h, jnp.zeros_like(h)], axis=-2)


def without_values(h: Stream) -> Tokens:
    """The signal alone."""
    return h[..., 0, :]


def inner_width(case: Case) -> int:
    """Units inside the feed-forward part: two thirds of them where it is gated, so that it has as many weights."""
    model: Any = case.model
    inner = model.expansion * case.width
    return max(1, round(inner * 2 / 3)) if model.gated_feed_forward else inner


def weight_kinds(case: Case) -> tuple[str, ...]:
    """The kinds of weights that a block of the case has, by the names of their attributes."""
    model: Any = case.model
    attention = ("query", "key", "value", "output", *(("attention_gate",) * model.gated_attention))
    return *attention, *(("gate",) * model.gated_feed_forward), "up", "down"


def blocks_of(case: Case, tokens: int, *, causal: bool = False, rotary_base: float | None = None) -> dict[str, Any]:
    """The blocks of a case over so many tokens, and what `Stack.of` takes of them by name."""
    model: Any = case.model
    attention = AttentionOptions(
        *(model.heads, model.qk_norm, model.gated_attention, model.softcap),
        causal=causal,
        rotary_base=rotary_base,
        score_gain=parametrization_of(case).shrunk,
        watched=model.qk_clip is not None,
    )
    kind = ValueResidualBlock if model.value_residual else TransformerBlock
    block = Part(lambda rngs, layer: kind(case, attention, layer, rngs))
    return {
        "blocks": (block,) * (case.depth - 1),
        "places": tokens,
        "branches": 2,
        "weight_kinds": weight_kinds(case),
        "signal": without_values if model.value_residual else None,
        "block_products": 2 * tokens**2 * case.width,  # of queries and keys, of weights and values
    }


def ends_of_stream(case: Case) -> tuple[Callable[[Tokens], Stream], Callable[[Stream], Tokens]]:
    """What makes the stream of the embedded tokens, and what makes tokens of the stream after the last block."""
    model: Any = case.model
    return (with_values, without_values) if model.value_residual else (_same, _same)


def _same(h: Tokens) -> Tokens:
    return h


def norm_where(orders: tuple[Order, ...], case: Case, layer: int | Array, rngs: nnx.Rngs) -> Norm:
    """The case's norm where its order is one of these, else none."""
    model: Any = case.model
    choice = case.norm if model.order in orders else NORMS.choose("none")
    return NORMS.build(choice, Site(case.width, case.depth, layer, rngs))


def unfit(case: Case) -> str | None:
    """Why the case's options and members cannot make such a block, or None where they can."""
    model: Any = case.model
    if case.width % model.heads:
        return f"{model.heads} heads do not divide a width of {case.width}"
    if model.qk_norm and case.width // model.heads < 3:
        fewer = next((n for n in range(model.heads, 0, -1) if case.width % n == 0 and case.width // n > 2), None)
        choose = f"at most {fewer} heads" if fewer else "a width of at least 3"
        return lost(f"qk_norm of {case.width} units in {model.heads} heads", case.width // model.heads, choose)
    if model.qk_clip is not None and (model.qk_norm or case.norm.name in WEIGHT_NORMS):
        by = "qk_norm" if model.qk_norm else f"norm {case.norm.name!r}"
        return f"qk_clip shrinks weights of queries and keys, whose scale {by} takes out or learns apart"
    if case.skip.name == "dense":
        return "its branches are as wide as the stream: skip 'dense' has no place"
    if case.init.options().get("gain") == "critical":
        return 'gain = "critical" comes from the mean-field theory of feed-forward backbones without attention'
    if model.value_residual and streams_of(case.skip) > 1:
        return f"value_residual needs a single residual stream, not skip {case.skip.name!r}"
    if model.depth_scaled_norm and (model.order == "post_norm" or case.norm.name == "none"):
        return f"depth_scaled_norm scales the norm that a branch reads: order {model.order!r}, norm {case.norm.name!r}"
    return no_stream_norm(case)
