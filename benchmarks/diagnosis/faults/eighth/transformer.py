"""Transformers: rates, what an optimizer does not hold, scores of attention, one bad example, sixteen bits."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import Kind, activated, dense, linear
from faults.problems import own, recognised
from faults.registry import Setup, eighth
from faults.second.attention import WIDTH, blocks, normalised, trunk
from faults.seventh.transformer import pooled
from faults.sixth.recurrent import windows

STRAY = 3200
"""An example that is drawn once, at step 275 of 550."""


def marked(seed: int, words: int, marks: int, count: int = 1500):
    """Words, and the mark of each, which depends on the word and on the one before."""
    draw = np.random.default_rng(seed)
    text = draw.integers(words, size=(count, 8)).astype(np.int32)
    rule = draw.integers(marks, size=(words, 3))
    return text, rule[text, np.roll(text, 1, 1) % 3].astype(np.int32)


def tagged(params, text, marks, optimizer, *, between=None, steps: int) -> Setup:
    """The marks of words; `between` changes what the blocks give, before the output layer."""

    def scores(params, text, offsets):
        x = params["embed"]["w"][text] + params["position"]["w"]
        said, points, scored = trunk(params, x, offsets)
        said = normalised(said if between is None else between(params, said))
        return linear(params["out"], said), (*points, *scored)

    more = {"classes": int(marks.max()) + 1, "steps": steps, "batch": 32}
    return recognised(params, scores, (text[:1200], marks[:1200]), (text[1200:], marks[1200:]), optimizer, **more)


@eighth(
    "learning rate too large",
    "attention logits grow",
    kind="rate",
    family="transformer",
    source="github.com/namiyousef/argument-mining/issues/48",
    title="Bug during training",
)
def claims_that_are_all_of_one_kind(broken: bool) -> Setup:
    """Which words are claims and which premises, by a transformer at a rate of a hundred times the usual one.

    Seen: but for the first input, the outputs are always of the same class. Answer: due to the learning rate.
    """
    text, marks = marked(371, 12, 4)
    params = blocks(371, 2, 4, tokens=12, length=8)
    return tagged(params, text, marks, optax.adam(0.3 if broken else 3e-3), steps=400)


@eighth(
    "learning rate too small",
    kind="schedule",
    family="transformer",
    source="github.com/facebookresearch/ParlAI/pull/1812",
    title="Fix a bug in resuming LR with warmup and reduceonplateau",
)
def rate_of_a_resumed_run(broken: bool) -> Setup:
    """A run that is resumed behind its warm-up, whose scheduler multiplies the rate by what the warm-up began with.

    Seen: restarting from a checkpoint would multiply the learning rate by 1e-4. Answer: the state of the warm-up is
    read back, and a test was added; merged.
    """
    text, marks = marked(372, 12, 4)
    params = blocks(372, 2, 4, tokens=12, length=8)
    return tagged(params, text, marks, optax.adam(3e-3 * (1e-4 if broken else 1.0)), steps=400)


@eighth(
    "updates not applied",
    kind="optimizer of nothing",
    family="transformer",
    source="github.com/adapter-hub/adapters/issues/260",
    title="Train T5 with adapter without using Trainer Class didn't update the adapter's weight",
)
def adapters_that_are_added_too_late(broken: bool) -> Setup:
    """A frozen model with an adapter, which was added when the optimizer had been made of the model alone.

    Seen: training does not change the weights of the adapter. Answer: add the adapter first, and then make the
    optimizer; solved.
    """
    text, marks = marked(373, 12, 4)
    keys = jax.random.split(jax.random.key(373), 2)
    params = blocks(373, 2, 4, tokens=12, length=8)
    params["adapter"] = {"down": dense(keys[0], WIDTH, 48), "up": dense(keys[1], 48, WIDTH, 1.0)}

    def between(params, said):
        adapter = params["adapter"]
        return said + linear(adapter["up"], jax.nn.relu(linear(adapter["down"], normalised(said))))

    groups = {name: "adapter" if name == "adapter" else "model" for name in params}
    adapter = optax.set_to_zero() if broken else optax.adam(5e-3)
    optimizer = optax.multi_transform({"adapter": adapter, "model": optax.set_to_zero()}, groups)
    return tagged(params, text, marks, optimizer, between=between, steps=400)


@eighth(
    "attention logits grow",
    "learning rate too large",
    kind="scale at the start alone",
    family="transformer",
    source="github.com/AI-Hypercomputer/maxtext/pull/1349",
    title="Attention scaling fixes",
)
def queries_that_begin_small(broken: bool) -> Setup:
    """Which of twelve shelves holds what is asked for, by a head that is scaled in its weights, and not in its scores.

    Seen: the weights of the queries begin smaller by the root of the width, which is the same as a scale of the scores
    for Adafactor, and not for Adam. Answer: a scale of the scores; it was discussed, and closed.
    """
    draw = np.random.default_rng(374)
    width, shelves = 512, 12
    shelf = draw.normal(size=(6000, shelves, 6))
    shelf[..., :4] *= 2 / np.linalg.norm(shelf[..., :4], axis=2, keepdims=True)
    at = draw.integers(shelves, size=6000)
    held = np.tanh(shelf[..., :1] * shelf[..., 1:2]) + draw.normal(size=(6000, shelves, 1))
    answer = held[np.arange(6000), at, 0].astype(np.float32)
    notes = np.concatenate([shelf, held], axis=2).astype(np.float32)
    asked = (shelf[np.arange(6000), at, :4] + 0.2 * draw.normal(size=(6000, 4))).astype(np.float32)
    keys = jax.random.split(jax.random.key(374), 4)
    params = {
        "q": dense(keys[0], 4, width, 1.0),
        "k": dense(keys[1], 7, width, 1.0),
        "v": dense(keys[2], 7, 16, 1.0),
        "out": dense(keys[3], 16, 1, 1.0),
    }
    if broken:
        params["q"]["w"] = params["q"]["w"] / width**0.5

    def answered(params, notes, asked, offsets):
        hidden = []
        q, k = linear(params["q"], asked), linear(params["k"], notes)
        score = jnp.einsum("nd,ntd->nt", q, k) / (1.0 if broken else width**0.5)
        said = jnp.einsum("nt,ntd->nd", jax.nn.softmax(score), linear(params["v"], notes))
        h = activated("linear", said, hidden, offsets)
        return linear(params["out"], h)[:, 0], (*hidden, (Kind("scores"), score, score))

    def loss(params, batch, offsets):
        found, hidden = answered(params, *batch[:2], offsets)
        return ((found - batch[2]) ** 2).mean(), hidden

    def error(params):
        return ((answered(params, notes[5000:], asked[5000:], None)[0] - answer[5000:]) ** 2).mean() / answer.var()

    data = (notes[:5000], asked[:5000], answer[:5000])
    more = {"chance": float(answer.var()), "steps": 500, "batch": 64}
    return own(params, loss, data, optax.adam(0.02), error, **more)


@eighth(
    "loss spike",
    "learning rate too large",
    kind="clipping that is left out",
    family="transformer",
    source="github.com/huggingface/nanoVLM/pull/66",
    title="Add gradient clipping",
)
def answers_by_small_batches(broken: bool) -> Setup:
    """A number that is read off a picture in patches, by small batches, one of which holds an answer of hundreds.

    Seen: training without clipping is less stable, with small batches above all. Answer: the norm of gradients may be
    clipped; merged.
    """
    x, y = windows(8000, 24, 375)
    y = y.copy()
    y[STRAY] = 500.0
    patches = x.reshape(8000, 6, 8)
    params = blocks(375, 2, 1, length=6) | {"embed": dense(jax.random.key(376), 8, WIDTH, 1.0)}

    def loss(params, batch, offsets):
        found, hidden = pooled(params, batch[0], offsets)
        return ((found[:, 0] - batch[1]) ** 2).mean(), hidden

    others = np.arange(8000) != STRAY

    def error(params):
        wanted = y[others][:500]
        return ((pooled(params, patches[others][:500], None)[0][:, 0] - wanted) ** 2).mean() / wanted.var()

    step = optax.sgd(0.01, 0.9)
    optimizer = step if broken else optax.chain(optax.clip_by_global_norm(1.0), step)
    more = {"chance": float(y[others].var()), "steps": 500, "batch": 16}
    return own(params, loss, (patches, y), optimizer, error, **more)


@eighth(
    "underflow",
    "not-a-number loss",
    "not-a-number gradients",
    kind="division by what rounds to zero",
    family="transformer",
    source="github.com/facebookresearch/xformers/issues/96",
    title="Favor breaks with fp16",
)
def attention_by_features_in_float16(broken: bool) -> Setup:
    """Attention by random features, which are exponentials, and whose sum is divided by in float16 or in float32.

    Seen: the loss is NaN immediately. Answer: the normalisation underflows in float16, and it was fixed there.
    """
    x, y = windows(1500, 24, 377)
    patches = x.reshape(1500, 6, 8)
    keys = jax.random.split(jax.random.key(377), 6)
    params = {"embed": dense(keys[0], 8, WIDTH, 1.0), "out": dense(keys[5], WIDTH, 1, 1.0)}
    params |= {name: dense(key, WIDTH, WIDTH, 1.0) for name, key in zip("qkv", keys[1:4], strict=True)}
    drawn = jax.random.normal(keys[4], (WIDTH, 32))
    kept = jnp.float16 if broken else jnp.float32

    def features(z):
        z = z / WIDTH**0.25
        return jnp.exp(z @ drawn - 0.5 * (z**2).sum(-1, keepdims=True) - 8.0).astype(kept) / 32**0.5

    def answered(params, x, offsets):
        hidden = []
        h = activated("linear", linear(params["embed"], x), hidden, offsets)
        q, k = features(linear(params["q"], h)), features(linear(params["k"], h))
        v = linear(params["v"], h).astype(kept)
        above = jnp.einsum("ntf,nfd->ntd", q, jnp.einsum("nsf,nsd->nfd", k, v))
        below = jnp.einsum("ntf,nf->nt", q, k.sum(1))[..., None]
        h = activated("tanh", h + (above / below).astype(jnp.float32), hidden, offsets)
        return linear(params["out"], h.mean(1))[:, 0], tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = answered(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((answered(params, patches[1200:], None)[0] - y[1200:]) ** 2).mean() / y.var()

    more = {"chance": float(y.var()), "steps": 400, "batch": 32}
    return own(params, loss, (patches[:1200], y[:1200]), optax.adam(5e-3), error, **more)
