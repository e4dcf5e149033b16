"""The transformer encoder: tokens are patches of an image, and every block has self-attention and a feed-forward part.

    order       block: for f = attention, then f = feed-forward      output layer
    pre_norm    h = skip(h, f(norm(h)))                              linear map of the norm of h
    post_norm   h = norm(skip(h, f(h)))                              linear map of h

With order `post_norm` the embedded tokens are normalised, too. Without a norm the order is that of `pre_norm`. Sources:
Vaswani et al. 2017 (post_norm); Xiong et al. 2020 (pre_norm); Dosovitskiy et al. 2021 (patches).
"""

import math
from functools import partial
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float
from pydantic import Field

from vgbench.errors import InputError
from vgbench.instruments.probe import wide
from vgbench.mitigations.initializers import Signal
from vgbench.mitigations.norms import LinearMap, Norm, Reparametrised, lost, lost_at_one_place, reparametrised
from vgbench.mitigations.site import Site
from vgbench.mitigations.skips import WeightRule
from vgbench.models.backbone import no_stream_norm
from vgbench.models.network import Part
from vgbench.models.pooling import Pooling, pooled_linear
from vgbench.models.problem import Problem
from vgbench.models.stack import Stack
from vgbench.spec.case import Case
from vgbench.spec.registry import ACTIVATIONS, INITIALIZERS, MODELS, NORMS, SKIPS

Tokens = Float[Array, "batch tokens width"]
KINDS = ("query", "key", "value", "output", "feed_forward")
POSITION_STD = 0.02


class _Maps:
    """Draws the linear maps of a block."""

    def __init__(self, case: Case, site: Site) -> None:
        self.case, self.site = case, site
        self.norm = NORMS.build(case.norm, site)

    def __call__(
        self, inputs: int, outputs: int, *, activated: bool = False, gain: float = 1.0
    ) -> LinearMap | Reparametrised:
        """Draw a map of normalised tokens, or of activations."""
        signal = Signal(self.case.activation, bias_std=0.0, raw=not activated)
        kernel = INITIALIZERS.build(self.case.init, signal)
        linear = nnx.Linear(inputs, outputs, kernel_init=kernel, rngs=self.site.rngs)
        linear.kernel[...] *= gain
        return reparametrised(self.norm, linear)


class Attention(nnx.Module):
    """Multi-head self-attention; `gain` multiplies the initial weights of values and outputs."""

    def __init__(self, maps: _Maps, heads: int, gain: float, *, qk_norm: bool) -> None:
        width = maps.case.width
        self.heads = heads
        self.query = maps(width, width)
        self.key = maps(width, width)
        self.value = maps(width, width, gain=gain)
        self.output = maps(width, width, gain=gain)
        self.normalise = nnx.List([])
        if qk_norm:
            of_head = partial(nnx.LayerNorm, width // heads, use_bias=False, use_fast_variance=False)
            self.normalise = nnx.List([of_head(rngs=maps.site.rngs) for _ in range(2)])

    def __call__(self, h: Tokens) -> Tokens:
        """Let every token read all tokens."""
        query, key, value = (
            each(h).reshape(*h.shape[:2], self.heads, -1) for each in (self.query, self.key, self.value)
        )
        if self.normalise:
            query, key = (norm(each) for norm, each in zip(self.normalise, (query, key), strict=True))
        scores = jnp.einsum("bqhd,bkhd->bhqk", query, key) * query.shape[-1] ** -0.5
        # At least in float32; `jax.nn.dot_product_attention` has its softmax in float32 at most, which hides the
        # gradients of queries and keys where tokens have collapsed.
        weights = jax.nn.softmax(wide(scores)).astype(h.dtype)
        return self.output(jnp.einsum("bhqk,bkhd->bqhd", weights, value).reshape(h.shape))


class FeedForward(nnx.Module):
    """Two linear maps with an activation in between, at every token alone; `gain` multiplies their initial weights."""

    def __init__(self, maps: _Maps, inner: int, gain: float) -> None:
        case = maps.case
        self.feed_forward = nnx.List(
            [maps(case.width, inner, gain=gain), maps(inner, case.width, activated=True, gain=gain)]
        )
        self.activation = partial(ACTIVATIONS.build, case.activation)

    def __call__(self, h: Tokens) -> Tokens:
        """Map every token."""
        up, down = self.feed_forward
        return down(self.activation(up(h)))


class SubBlock(nnx.Module):
    """Attention or the feed-forward part with its norm and skip, the one or the other around it."""

    def __init__(self, case: Case, site: Site, make: Any) -> None:
        self.post = _order(case) == "post_norm"
        self.norm = NORMS.build(case.norm, site)
        self.skip = SKIPS.build(case.skip, site)
        self.branch = make(_Maps(case, site), gain=self.skip.gain(1, 2) if isinstance(self.skip, WeightRule) else 1.0)

    def __call__(self, h: Tokens) -> Tokens:
        """Add to the stream."""
        if self.post:
            return self.norm(self.skip(h, self.branch(h)))
        return self.skip(h, self.branch(self.norm(h)))


class Block(nnx.Module):
    """Self-attention, then the feed-forward part."""

    def __init__(self, case: Case, layer: int | Array, rngs: nnx.Rngs) -> None:
        model: Any = case.model
        site = Site(case.width, case.depth, layer, rngs, case.activation, branches=2)
        self.attention = SubBlock(case, site, partial(Attention, heads=model.heads, qk_norm=model.qk_norm))
        self.feeding = SubBlock(case, site, partial(FeedForward, inner=model.expansion * case.width))

    def __call__(self, h: Tokens) -> Tokens:
        """Map h_{l-1} to h_l."""
        return self.feeding(self.attention(h))


class Embedding(nnx.Module):
    """Patches of an image, mapped to tokens, each with a learned position."""

    def __init__(self, case: Case, side: int, layer: int | Array, rngs: nnx.Rngs) -> None:
        model: Any = case.model
        self.side, self.patch, self.channels = side, model.patch, model.channels
        tokens = (side // model.patch) ** 2
        self.linear = nnx.Linear(model.patch**2 * model.channels, case.width, rngs=rngs)
        self.position = nnx.Param(POSITION_STD * jax.random.normal(rngs.params(), (tokens, case.width), jnp.float32))
        self.norm = _norm_where("post_norm", case, layer, rngs)

    def __call__(self, x: Float[Array, "batch features"]) -> Tokens:
        """Cut, map and place."""
        rows, patch = self.side // self.patch, self.patch
        pieces = x.reshape(len(x), rows, patch, rows, patch, self.channels).swapaxes(2, 3)
        h = self.linear(pieces.reshape(len(x), rows**2, -1)) + self.position[...]
        return self.norm(h)


class Head(nnx.Module):
    """The last norm and a linear map of the tokens."""

    def __init__(self, case: Case, tokens: int, outputs: int, layer: int | Array, rngs: nnx.Rngs) -> None:
        model: Any = case.model
        self.norm = _norm_where("pre_norm", case, layer, rngs)
        kernel = INITIALIZERS.build(case.init, Signal(case.activation, bias_std=0.0, raw=True))
        self.linear = pooled_linear(model.pooling, tokens)(case.width, outputs, kernel_init=kernel, rngs=rngs)

    def __call__(self, h: Tokens) -> Float[Array, "batch outputs"]:
        """Answer."""
        return self.linear(self.norm(h))


def _order(case: Case) -> str:
    model: Any = case.model
    return model.order


def _norm_where(order: str, case: Case, layer: int | Array, rngs: nnx.Rngs) -> Norm:
    """The case's norm where its order is this one, else none."""
    choice = case.norm if _order(case) == order else NORMS.choose("none")
    return NORMS.build(choice, Site(case.width, case.depth, layer, rngs))


def _unfit(case: Case) -> str | None:
    model: Any = case.model
    if case.width % model.heads:
        return f"{model.heads} heads do not divide a width of {case.width}"
    if model.qk_norm and case.width // model.heads < 3:
        fewer = next((n for n in range(model.heads, 0, -1) if case.width % n == 0 and case.width // n > 2), None)
        choose = f"at most {fewer} heads" if fewer else "a width of at least 3"
        return lost(f"qk_norm of {case.width} units in {model.heads} heads", case.width // model.heads, choose)
    if case.skip.name == "dense":
        return "its branches are as wide as the stream: skip 'dense' has no place"
    if case.init.options().get("gain") == "critical":
        return 'gain = "critical" comes from the mean-field theory of feed-forward backbones without attention'
    return no_stream_norm(case)


@MODELS.register(
    source="Vaswani et al. 2017; Dosovitskiy et al. 2021",
    refuses=_unfit,
    defaults={"norm": "layer", "skip": "residual", "init": "glorot_normal"},
)
def transformer(
    case: Case,
    problem: Problem,
    scanned: bool,
    *,
    order: Literal["pre_norm", "post_norm"] = "pre_norm",
    heads: Annotated[int, Field(ge=1)] = 4,
    expansion: Annotated[int, Field(ge=1)] = 4,
    qk_norm: bool = False,
    patch: Annotated[int, Field(ge=1)] = 2,
    channels: Annotated[int, Field(ge=1)] = 1,
    pooling: Pooling = "mean",
) -> Stack:
    """Transformer encoder on the patches of square images, each a token, with norms in the given order.

    The feed-forward part is `expansion` times as wide as the stream; `qk_norm` normalises queries and keys in each head
    (Henry, Dachapally, Pawar & Chen 2020; Dehghani et al. 2023). The output layer is a linear map of the mean over all
    tokens, or of all tokens with weights of its own for each (`flatten`), which sends every token another gradient. The
    embedding is LeCun normal, all else as the case says.
    """
    side = math.isqrt(problem.features // channels)
    if side**2 * channels != problem.features or side % patch:
        raise InputError(
            f"model 'transformer': {problem.features} numbers are no square image of {channels} channels in patches of"
            f" {patch} by {patch}"
        )
    tokens = (side // patch) ** 2
    reason = lost_at_one_place(case) if tokens == 1 else None
    if reason:
        raise InputError(f"norm {case.norm.name!r} of a single token: {reason}")
    input_layer = Part(lambda rngs, layer: Embedding(case, side, layer, rngs))
    block = Part(lambda rngs, layer: Block(case, layer, rngs))
    head = Part(lambda rngs, layer: Head(case, tokens, problem.outputs, layer, rngs))
    return Stack.of(
        case,
        problem,
        scanned,
        input_layer=input_layer,
        blocks=(block,) * (case.depth - 1),
        output_layer=head,
        places=tokens,
        weight_kinds=KINDS,
        input_products=tokens * patch**2 * channels * case.width,  # positions are added, not multiplied
        block_products=2 * tokens**2 * case.width,  # of queries and keys, of weights and values
    )
