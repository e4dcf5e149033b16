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
from vgbench.models.network import Part
from vgbench.models.problem import Problem
from vgbench.models.stack import Stack
from vgbench.models.transformer_block import Order, Stream, blocks_of, ends_of_stream, norm_where, unfit
from vgbench.spec.case import Case
from vgbench.spec.registry import INITIALIZERS, MODELS, Positive

POSITION_GROUPS = 8
"""Groups of successive positions by which dL/dh is recorded, where there are so many positions."""


class Embedding(nnx.Module):
    """A vector for each token, normal with standard deviation 1."""

    def __init__(self, case: Case, vocabulary: int, layer: int | Array, rngs: nnx.Rngs) -> None:
        self.enter, _ = ends_of_stream(case)
        self.table = nnx.Embed(vocabulary, case.width, embedding_init=normal(1.0), rngs=rngs)
        self.norm = norm_where(("post_norm",), case, layer, rngs)

    def __call__(self, x: Float[Array, "batch tokens"]) -> Stream:
        """Look every token up."""
        return self.enter(self.norm(self.table(x.astype(jnp.int32)).astype(x.dtype)))


class Head(nnx.Module):
    """The last norm, and a linear map of every token to the logits of the next."""

    def __init__(self, case: Case, vocabulary: int, layer: int | Array, rngs: nnx.Rngs) -> None:
        _, self.leave = ends_of_stream(case)
        self.norm = norm_where(("pre_norm", "peri_norm"), case, layer, rngs)
        kernel = INITIALIZERS.build(case.init, Signal(case.activation, bias_std=0.0, raw=True))
        self.linear = nnx.Linear(case.width, vocabulary, use_bias=False, kernel_init=kernel, rngs=rngs)

    def __call__(self, h: Stream) -> Float[Array, "batch tokens vocabulary"]:
        """Answer at every position."""
        return self.linear(self.norm(self.leave(h)))


def _unfit(case: Case) -> str | None:
    model: Any = case.model
    if case.width % model.heads == 0 and case.width // model.heads < 2:
        return f"rotary positions turn pairs of features: {model.heads} heads of a width of {case.width} have one each"
    if case.norm.name in ("batch", "group"):
        return f"norm {case.norm.name!r} lets a token see later ones, through statistics over positions"
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
    depth_scaled_norm: bool = False,
    value_residual: bool = False,
    rotary_base: Positive = 10000.0,
) -> Stack:
    """Causal language model on bytes, with rotary positions and norms in the given order.

    Options are those of `transformer`; `rotary_base` is the base of the angles of rotary positions. The embedding is
    normal with standard deviation 1, all else as the case says. The gradient dL/dh_l is also recorded for up to eight
    groups of successive positions.
    """
    if not problem.vocabulary:
        raise InputError("model 'causal_lm': reads tokens, as data 'text' has them")
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
        **blocks_of(case, tokens, causal=True, rotary_base=rotary_base),
    )
