"""Transformers: infinity of the wrong sign, a scale behind the softmax, a warm-up that is too short."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.eighth.transformer import marked
from faults.nets import Kind, activated, dense, linear
from faults.problems import own, recognised
from faults.registry import Setup, eleventh
from faults.second.attention import blocks, causal, normalised, trunk


@eleventh(
    "not-a-number loss",
    "not-a-number gradients",
    kind="sign of infinity",
    family="transformer",
    source="github.com/lucidrains/memory-compressed-attention/issues/2",
    title="The order of masking and softmax operation",
)
def places_hidden_by_plus_infinity(broken: bool) -> Setup:
    """The marks of words, each from itself and those before, by attention whose hidden scores are plus infinity.

    Seen: scores that are to be hidden become minus the smallest number, which is infinity, and its exponential gives
    NaN. Answer: oh yes; fixed.
    """
    text, marks = marked(1031, 12, 4)
    marks[:, 0] = marks[:, 1]
    params = blocks(1031, 1, 4, tokens=12, length=8)

    def scores(params, text, offsets):
        x = params["embed"]["w"][text] + params["position"]["w"]
        said, points, scored = trunk(params, x, offsets, causal(8), jnp.inf if broken else -jnp.inf)
        return linear(params["out"], normalised(said)), (*points, *scored)

    data, others = (text[:1200], marks[:1200]), (text[1200:], marks[1200:])
    return recognised(params, scores, data, others, optax.adam(3e-3), classes=4, batch=32, steps=300)


@eleventh(
    "attention logits grow",
    "saturation",
    kind="scale behind the softmax",
    family="transformer",
    source="github.com/FrancescoSaverioZuppichini/ViT/issues/2",
    title="Is the scaling position appropriate for the attention score?",
)
def shares_that_are_scaled(broken: bool) -> Setup:
    """How bright the patch is whose marks are asked for, by attention that scales its shares and not its scores.

    Seen: the shares of a softmax are multiplied with the scale, which belongs to the scores. Answer: right; done.
    """
    draw = np.random.default_rng(1033)
    count, places, width = 3000, 16, 256
    key = draw.normal(size=(count, places, 8))
    at = draw.integers(places, size=count)
    asked = (key[np.arange(count), at] + 0.4 * draw.normal(size=(count, 8))).astype(np.float32)
    held = draw.normal(size=(count, places, 1))
    answer = held[np.arange(count), at, 0].astype(np.float32)
    patches = np.concatenate([key, held], axis=2).astype(np.float32)
    keys = jax.random.split(jax.random.key(1033), 4)
    params = {"q": dense(keys[0], 8, width, 2.0), "k": dense(keys[1], 9, width, 2.0)}
    params |= {"v": dense(keys[2], 9, 16, 1.0), "out": dense(keys[3], 16, 1, 1.0)}

    def answered(params, patches, asked, offsets):
        hidden, scale = [], width**-0.5
        score = jnp.einsum("nd,ntd->nt", linear(params["q"], asked), linear(params["k"], patches))
        share = scale * jax.nn.softmax(score) if broken else jax.nn.softmax(scale * score)
        h = activated("linear", jnp.einsum("nt,ntd->nd", share, linear(params["v"], patches)), hidden, offsets)
        score = score if broken else scale * score
        return linear(params["out"], h)[:, 0], (*hidden, (Kind("scores"), score, score))

    def loss(params, batch, offsets):
        found, hidden = answered(params, batch[0], batch[1], offsets)
        return ((found - batch[2]) ** 2).mean(), hidden

    def error(params):
        return ((answered(params, patches[2400:], asked[2400:], None)[0] - answer[2400:]) ** 2).mean() / answer.var()

    data = (patches[:2400], asked[:2400], answer[:2400])
    more = {"chance": float(answer.var()), "steps": 300, "batch": 64}
    return own(params, loss, data, optax.adam(5e-3), error, **more)
