"""Transformers: weights that are kept in sixteen bits, shares in the place of scores."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.eighth.transformer import marked
from faults.nets import linear
from faults.problems import recognised
from faults.registry import Setup, twelfth
from faults.second.attention import at_each_word, blocks, normalised, trunk


@twelfth(
    "updates lost to rounding",
    kind="copy of the weights",
    family="transformer",
    source="github.com/NVIDIA/apex/pull/1731",
    title="Use master weights for bfloat16 FusedAdam when master_weights=True",
)
def copy_that_is_not_kept(broken: bool) -> Setup:
    """The marks of words by a block whose weights are bfloat16, with or without a copy in float32 that is updated.

    Seen: an optimizer that is set to keep such a copy does not do so for bfloat16. Answer: the change; it behaves as a
    copy that is kept by hand; open.
    """
    text, marks = marked(1243, 12, 4)
    params = blocks(1243, 1, 4, tokens=12, length=8)
    params = jax.tree.map(lambda w: w.astype(jnp.bfloat16 if broken else jnp.float32), params)

    def scores(params, text, offsets):
        params = jax.tree.map(lambda w: w.astype(jnp.bfloat16).astype(jnp.float32), params)
        return at_each_word(params, text, offsets)

    def apply(params, updates):
        return jax.tree.map(lambda w, u: (w.astype(jnp.float32) + u).astype(w.dtype), params, updates)

    data, others = (text[:1200], marks[:1200]), (text[1200:], marks[1200:])
    more = {"classes": 4, "batch": 32, "steps": 1800, "apply": apply}
    return recognised(params, scores, data, others, optax.adam(2e-4), **more)


@twelfth(
    "softmax applied twice",
    kind="softmax before the loss",
    family="transformer",
    source="github.com/lansinuote/Huggingface_Toturials/issues/6",
    title="分类示例在 CrossEntropyLoss 前重复应用了 Softmax / Softmax applied before CrossEntropyLoss",
)
def shares_given_as_scores(broken: bool) -> Setup:
    """Which of sixteen subjects a text is about, read off its first place behind one block, as scores or as shares.

    Seen: the scores go through a softmax, and the loss takes them for scores and does so again. Answer: none yet; the
    report's own: scores are to be returned as they are.
    """
    draw = np.random.default_rng(1245)
    subject = draw.integers(16, size=2000).astype(np.int32)
    own = subject[:, None] * 3 + draw.integers(3, size=(2000, 8))
    text = np.where(draw.random((2000, 8)) < 0.5, own, draw.integers(48, 64, size=(2000, 8))).astype(np.int32)
    params = blocks(1245, 1, 16, tokens=64, length=8)

    def scores(params, text, offsets):
        x = params["embed"]["w"][text] + params["position"]["w"]
        said, points, scored = trunk(params, x, offsets)
        found = linear(params["out"], normalised(said[:, 0]))
        return jax.nn.softmax(found) if broken else found, (*points, *scored)

    data, others = (text[:1600], subject[:1600]), (text[1600:], subject[1600:])
    return recognised(params, scores, data, others, optax.sgd(0.012, 0.9), classes=16, batch=32, steps=300)
