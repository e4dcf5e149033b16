"""The transformer encoder: tokens are patches of an image, and all of them read each other.

Sources: Vaswani et al. 2017; Dosovitskiy et al. 2021 (patches).
"""

import math
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float
from pydantic import Field

from vgbench.errors import InputError
from vgbench.mitigations.initializers import Signal
from vgbench.mitigations.norms import lost_at_one_place
from vgbench.models.network import Part
from vgbench.models.pooling import Pooling, pooled_linear
from vgbench.models.problem import Problem
from vgbench.models.stack import Stack
from vgbench.models.transformer_block import Order, Stream, blocks_of, ends_of_stream, norm_where, unfit
from vgbench.spec.case import Case
from vgbench.spec.registry import INITIALIZERS, MODELS, Positive

POSITION_STD = 0.02


class Embedding(nnx.Module):
    """Patches of an image, mapped to tokens, each with a learned position."""

    def __init__(self, case: Case, side: int, layer: int | Array, rngs: nnx.Rngs) -> None:
        model: Any = case.model
        self.side, self.patch, self.channels = side, model.patch, model.channels
        tokens = (side // model.patch) ** 2
        self.linear = nnx.Linear(model.patch**2 * model.channels, case.width, rngs=rngs)
        self.position = nnx.Param(POSITION_STD * jax.random.normal(rngs.params(), (tokens, case.width), jnp.float32))
        self.enter, _ = ends_of_stream(case)
        self.norm = norm_where(("post_norm",), case, layer, rngs)

    def __call__(self, x: Float[Array, "batch features"]) -> Stream:
        """Cut, map and place."""
        rows, patch = self.side // self.patch, self.patch
        pieces = x.reshape(len(x), rows, patch, rows, patch, self.channels).swapaxes(2, 3)
        h = self.linear(pieces.reshape(len(x), rows**2, -1)) + self.position[...]
        return self.enter(self.norm(h))


class Head(nnx.Module):
    """The last norm and a linear map of the tokens."""

    def __init__(self, case: Case, tokens: int, outputs: int, layer: int | Array, rngs: nnx.Rngs) -> None:
        model: Any = case.model
        _, self.leave = ends_of_stream(case)
        self.norm = norm_where(("pre_norm", "peri_norm"), case, layer, rngs)
        kernel = INITIALIZERS.build(case.init, Signal(case.activation, bias_std=0.0, raw=True))
        self.linear = pooled_linear(model.pooling, tokens)(case.width, outputs, kernel_init=kernel, rngs=rngs)

    def __call__(self, h: Stream) -> Float[Array, "batch outputs"]:
        """Answer."""
        return self.linear(self.norm(self.leave(h)))


@MODELS.register(
    source="Vaswani et al. 2017; Dosovitskiy et al. 2021",
    refuses=unfit,
    defaults={"norm": "layer", "skip": "residual", "init": "glorot_normal"},
)
def transformer(
    case: Case,
    problem: Problem,
    scanned: bool,
    *,
    order: Order = "pre_norm",
    heads: Annotated[int, Field(ge=1)] = 4,
    expansion: Annotated[int, Field(ge=1)] = 4,
    qk_norm: bool = False,
    gated_attention: bool = False,
    gated_feed_forward: bool = False,
    softcap: Positive | None = None,
    qk_clip: Positive | None = None,
    depth_scaled_norm: bool = False,
    value_residual: bool = False,
    patch: Annotated[int, Field(ge=1)] = 2,
    channels: Annotated[int, Field(ge=1)] = 1,
    pooling: Pooling = "mean",
) -> Stack:
    """Transformer encoder on the patches of square images, each a token, with norms in the given order.

    The feed-forward part is `expansion` times as wide as the stream; gated (Shazeer 2020), it has two thirds of that
    width and three matrices. `qk_norm` normalises queries and keys in each head (Henry, Dachapally, Pawar & Chen 2020;
    Dehghani et al. 2023), `softcap` bounds their scores (Gemma Team 2024), `qk_clip` shrinks their weights after a step
    in heads with larger scores (Kimi Team 2025), `gated_attention` multiplies what the heads read by a sigmoid gate
    (Qiu et al. 2025), `depth_scaled_norm` divides what the l-th block's branches read by the
    root of l (Sun et al. 2025), and `value_residual` averages the values of each block with those of the first
    (Zhou et al. 2024). The output layer is a linear map of the mean over all tokens, or of all tokens with weights
    of its own for each (`flatten`), which sends every token another gradient. The embedding is LeCun normal, all
    else as the case says.
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
    head = Part(lambda rngs, layer: Head(case, tokens, problem.outputs, layer, rngs))
    return Stack.of(
        case,
        problem,
        scanned,
        input_layer=input_layer,
        output_layer=head,
        input_products=tokens * patch**2 * channels * case.width,  # positions are added, not multiplied
        **blocks_of(case, tokens),
    )
