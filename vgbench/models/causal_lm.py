"""The causal language model: a decoder that predicts the next byte at every position of a text.

Its blocks are those of the transformer encoder; tokens read themselves and earlier ones alone, and their positions turn
queries and keys (rotary positions). Sources: Radford et al. 2019; Su et al. 2021 (rotary positions); Xue et al. 2022
(bytes as tokens).
"""

from typing import Annotated, Any

import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import normal
from jaxtyping import Array, Float
from pydantic import Field

from vgbench.errors import InputError
from vgbench.mitigations.initializers import Signal
from vgbench.mitigations.streams import streams_of
from vgbench.models.network import Part
from vgbench.models.problem import Problem
from vgbench.models.stack import Stack
from vgbench.models.transformer_block import Order, Stream, blocks_of, ends_of_stream, norm_where, unfit
from vgbench.spec.case import Case
from vgbench.spec.registry import INITIALIZERS, MODELS, Positive

POSITION_GROUPS = 8
"""Groups of successive positions by which dL/dh is recorded, where there are so many positions."""


class Embedding(nnx.Module):
    """A vector for each token.

    Its numbers are normal with standard deviation 1, or that of an initialiser that has one at any width. A table that
    is tied is smaller by the root of the width, with which its vectors are multiplied here, so that logits start as
    large as others (Vaswani et al. 2017, section 3.4).
    """

    def __init__(self, case: Case, vocabulary: int, layer: int | Array, rngs: nnx.Rngs) -> None:
        model: Any = case.model
        fixed = case.init.options().get("std")
        self.gain = case.width**0.5 if model.tied and not fixed else 1.0
        self.enter, _ = ends_of_stream(case)
        self.table = nnx.Embed(vocabulary, case.width, embedding_init=normal(fixed or 1 / self.gain), rngs=rngs)
        self.norm = norm_where(("post_norm",), case, layer, rngs)

    def __call__(self, x: Float[Array, "batch tokens"]) -> Stream:
        """Look every token up."""
        vectors = self.table.embedding[...][x.astype(jnp.int32)]  # Flax's own lookup is in float32 at most
        return self.enter(self.norm(self.gain * vectors))


class Head(nnx.Module):
    """The last norm, and a linear map of every token to the logits of the next."""

    def __init__(self, case: Case, vocabulary: int, layer: int | Array, rngs: nnx.Rngs) -> None:
        _, self.leave = ends_of_stream(case)
        self.norm = norm_where(("pre_norm", "peri_norm"), case, layer, rngs)
        model: Any = case.model
        if model.tied:
            self.table = nnx.Embed(vocabulary, case.width, rngs=rngs)  # takes the embedding's
            return
        kernel = INITIALIZERS.build(case.init, Signal(case.activation, bias_std=0.0, raw=True))
        self.linear = nnx.Linear(case.width, vocabulary, use_bias=False, kernel_init=kernel, rngs=rngs)

    def __call__(self, h: Stream) -> Float[Array, "batch tokens vocabulary"]:
        """Answer at every position."""
        h = self.norm(self.leave(h))
        return h @ self.table.embedding[...].T if hasattr(self, "table") else self.linear(h)


def _unfit(case: Case) -> str | None:
    model: Any = case.model
    if case.width % model.heads == 0 and case.width // model.heads < 2:
        return f"rotary positions turn pairs of features: {model.heads} heads of a width of {case.width} have one each"
    if case.norm.name in ("batch", "group"):
        return f"norm {case.norm.name!r} lets a token see later ones, through statistics over positions"
    if model.tied and INITIALIZERS[case.init.name].data_dependent:
        return f"init {case.init.name!r} scales each layer on data, which a table of two layers cannot follow"
    if model.tied and streams_of(case.skip) > 1:
        return f"tied needs a single residual stream, not skip {case.skip.name!r}"
    return unfit(case)


@MODELS.register(
    source="Radford et al. 2019; Su et al. 2021",
    refuses=_unfit,
    defaults={
        **{"norm": "rms", "skip": "residual", "init": "glorot_normal", "activation": "gelu"},
        **{"data": "text", "batch_size": 16},
    },
)
def causal_lm(
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
    rotary_base: Positive = 10000.0,
    tied: bool = False,
) -> Stack:
    """Causal language model on bytes, with rotary positions and norms in the given order.

    Options are those of `transformer`; `rotary_base` is the base of the angles of rotary positions. `tied` lets the
    output layer map by the embedding's table (Press & Wolf 2017), whose gradient is then recorded for both uses apart.
    The embedding is normal with standard deviation 1 (tied, 1 / sqrt(width)) or the initialiser's own, all else as the
    case says. The gradient dL/dh_l is also recorded for up to eight groups of successive positions.
    """
    if not problem.vocabulary:
        raise InputError("model 'causal_lm': reads tokens, as data 'text' has them")
    model: Any = case.model
    tokens, groups = problem.features, min(POSITION_GROUPS, problem.features)
    input_layer = Part(lambda rngs, layer: Embedding(case, problem.vocabulary, layer, rngs))
    head = Part(lambda rngs, layer: Head(case, problem.outputs, layer, rngs))
    return Stack.of(
        case,
        problem,
        scanned,
        input_layer=input_layer,
        output_layer=head,
        answer_places=tokens,
        position_groups=groups,
        input_products=0,  # tokens are looked up
        tied="table" if model.tied else None,
        **blocks_of(case, tokens, causal=True, rotary_base=rotary_base),
    )
