"""Transformers: infinity of the wrong sign, a scale behind the softmax, norms of whole sums."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.eighth.transformer import marked
from faults.nets import Kind, activated, dense, linear
from faults.problems import own, recognised
from faults.registry import Setup, eleventh
from faults.second.attention import at_each_word, blocks, causal, normalised


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
        return at_each_word(params, text, offsets, causal(8), jnp.inf if broken else -jnp.inf)

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


@eleventh(
    "vanishing in training",
    "vanishing",
    "collapse",
    kind="norm behind the sum",
    family="transformer",
    source="github.com/google-research/tuning_playbook/issues/31",
    title="Evidence for Norm(x + f(x)) causing issues?",
)
def norms_of_the_whole_sum(broken: bool) -> Setup:
    """The marks of words by twelve blocks, whose norms are taken of each sum, or of what the added part reads.

    Seen: a guide says that a norm of the whole sum is known to cause issues, which is surprising. Answer: two papers
    about the stability of the one and the other order.
    """
    depth, width = 12, 24
    text, marks = marked(1035, 12, 4)
    keys = jax.random.split(jax.random.key(1035), 6)
    sizes = {"q": (24, 24), "k": (24, 24), "v": (24, 24), "proj": (24, 24), "up": (24, 48), "down": (48, 24)}
    params = {
        name: {"w": jax.random.normal(key, (depth, *size)) * size[0] ** -0.5, "b": jnp.zeros((depth, size[1]))}
        for key, (name, size) in zip(keys, sizes.items(), strict=True)
    }
    ends = blocks(1036, 0, 4, tokens=12, length=8)

    def scores(params, text, offsets):
        def block(x, inputs):
            p, shift = inputs

            def attend(x):
                near = jnp.einsum("nth,nsh->nts", linear(p["q"], x), linear(p["k"], x)) / width**0.5
                return linear(p["proj"], jax.nn.softmax(near) @ linear(p["v"], x))

            def feed(x):
                return linear(p["down"], jax.nn.relu(linear(p["up"], x)))

            for part in (attend, feed):
                x = normalised(x + part(x)) if broken else x + part(normalised(x))
            return x + shift, x + shift

        x = params["ends"]["embed"]["w"][text] + params["ends"]["position"]["w"]
        shift = jnp.zeros((depth, len(text), 8, width)) if offsets is None else offsets[0]
        x, states = jax.lax.scan(block, x, (params["blocks"], shift))
        return linear(params["ends"]["out"], normalised(x)), ((Kind("linear"), states, states),)

    data, others = (text[:1200], marks[:1200]), (text[1200:], marks[1200:])
    more = {"classes": 4, "batch": 32, "steps": 300, "timed": True}
    return recognised({"blocks": params, "ends": ends}, scores, data, others, optax.adam(5e-3), **more)
