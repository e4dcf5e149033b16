"""Transformers: weights that are kept in sixteen bits."""

import jax
import jax.numpy as jnp
import optax

from faults.eighth.transformer import marked
from faults.nets import linear
from faults.problems import recognised
from faults.registry import Setup, twelfth
from faults.second.attention import blocks, normalised, trunk


@twelfth(
    "updates lost to rounding",
    kind="copy of the weights",
    family="transformer",
    source="github.com/NVIDIA/apex/pull/1731",
    title="Use master weights for bfloat16 FusedAdam when master_weights=True",
)
def copy_that_is_not_kept(broken: bool) -> Setup:
    """The marks of words by a block whose weights are bfloat16, with or without a copy in float32 that is updated.

    Seen: an optimizer that is told to keep such a copy does not do so for bfloat16. Answer: the change; it behaves as a
    copy that is kept by hand; open.
    """
    text, marks = marked(1243, 12, 4)
    params = blocks(1243, 1, 4, tokens=12, length=8)
    params = jax.tree.map(lambda w: w.astype(jnp.bfloat16 if broken else jnp.float32), params)

    def scores(params, text, offsets):
        params = jax.tree.map(lambda w: w.astype(jnp.bfloat16).astype(jnp.float32), params)
        x = params["embed"]["w"][text] + params["position"]["w"]
        said, points, scored = trunk(params, x, offsets)
        return linear(params["out"], normalised(said)), (*points, *scored)

    def apply(params, updates):
        return jax.tree.map(lambda w, u: (w.astype(jnp.float32) + u).astype(w.dtype), params, updates)

    data, others = (text[:1200], marks[:1200]), (text[1200:], marks[1200:])
    more = {"classes": 4, "batch": 32, "steps": 1800, "apply": apply}
    return recognised(params, scores, data, others, optax.adam(2e-4), **more)
