"""Transformers: a softmax too many, scores without a scale, files without their order, an odd text."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.eighth.transformer import marked
from faults.nets import Kind, activated, dense, linear
from faults.problems import cross_entropy, own, recognised
from faults.registry import Setup, tenth
from faults.second.attention import WIDTH, blocks, normalised, trunk

STRAY = 5501
"""A text that is drawn once, at step 380 of 550."""


@tenth(
    "softmax applied twice",
    kind="softmax before a softmax",
    family="transformer",
    source="github.com/illiterate/BertClassifier/issues/2",
    title="CrossEntropyLoss内置log_softmax，不需要在模型输出层额外添加softmax",  # noqa: RUF001
)
def titles_of_forty_topics(broken: bool) -> Setup:
    """Which of forty topics a title is about, by a transformer with a softmax before a loss that has another one.

    Seen: the loss falls very slowly, and classes are mixed up. Answer: thanks for the hint; it will be put right.
    """
    draw = np.random.default_rng(761)
    topic = draw.integers(40, size=2400).astype(np.int32)
    hint = draw.integers(3, size=(2400, 8)) * 40 + topic[:, None]
    text = np.where(draw.random((2400, 8)) < 0.6, hint, draw.integers(120, size=(2400, 8))).astype(np.int32)
    params = blocks(761, 1, 40, tokens=120, length=8)

    def scores(params, text, offsets):
        x = params["embed"]["w"][text] + params["position"]["w"]
        said, points, scored = trunk(params, x, offsets)
        found = linear(params["out"], normalised(said).mean(1))
        return jax.nn.softmax(found) if broken else found, (*points, *scored)

    data, others = (text[:2000], topic[:2000]), (text[2000:], topic[2000:])
    optimizer = optax.sgd(0.05, 0.9)
    return recognised(params, scores, data, others, optimizer, classes=40, batch=32, steps=400)


@tenth(
    "attention logits grow",
    "saturation",
    kind="scores without a scale",
    family="transformer",
    source="github.com/huggingface/blog/pull/2893",
    title="Add scaling factor to attention score calculation in kv-cache.md",
)
def keys_and_questions_without_a_scale(broken: bool) -> Setup:
    """What is written beside the place that is asked for, by attention over sixteen places with wide keys.

    Seen: the code lacks the scale that the formula above it has, which prevents that products of keys grow too large.
    Answer: thanks; merged.
    """
    draw = np.random.default_rng(763)
    count, places, width = 4000, 16, 256
    key = draw.normal(size=(count, places, 8))
    at = draw.integers(places, size=count)
    asked = (key[np.arange(count), at] + 0.4 * draw.normal(size=(count, 8))).astype(np.float32)
    held = draw.normal(size=(count, places, 1))
    answer = held[np.arange(count), at, 0].astype(np.float32)
    notes = np.concatenate([key, held], axis=2).astype(np.float32)
    keys = jax.random.split(jax.random.key(763), 4)
    params = {
        "q": dense(keys[0], 8, width, 1.0),
        "k": dense(keys[1], 9, width, 1.0),
        "v": dense(keys[2], 9, 16, 1.0),
        "out": dense(keys[3], 16, 1, 1.0),
    }

    def answered(params, notes, asked, offsets):
        hidden = []
        score = jnp.einsum("nd,ntd->nt", linear(params["q"], asked), linear(params["k"], notes))
        score = score if broken else score / width**0.5
        said = jnp.einsum("nt,ntd->nd", jax.nn.softmax(score), linear(params["v"], notes))
        h = activated("linear", said, hidden, offsets)
        return linear(params["out"], h)[:, 0], (*hidden, (Kind("scores"), score, score))

    def loss(params, batch, offsets):
        found, hidden = answered(params, batch[0], batch[1], offsets)
        return ((found - batch[2]) ** 2).mean(), hidden

    def error(params):
        return ((answered(params, notes[3200:], asked[3200:], None)[0] - answer[3200:]) ** 2).mean() / answer.var()

    data = (notes[:3200], asked[:3200], answer[:3200])
    more = {"chance": float(answer.var()), "steps": 400, "batch": 64}
    return own(params, loss, data, optax.adam(5e-3), error, **more)


@tenth(
    "constant answer",
    kind="labels out of step",
    family="transformer",
    source="github.com/yangdai97/MultiChannelSleepNet/issues/1",
    title="模型始终只预测一个类别",
)
def nights_without_their_labels(broken: bool) -> Setup:
    """Which of five stages of sleep a stretch of three channels is of, whose files are listed in no order.

    Seen: on another version of the data the answer is always of one class. Answer: the report's own: data and labels
    did not belong together; sort both lists of files.
    """
    draw = np.random.default_rng(765)
    stage = draw.integers(5, size=1600).astype(np.int32)
    pace = np.linspace(0.4, 1.9, 5)[stage, None, None]
    phase = draw.uniform(0, 6, size=(1600, 1, 3))
    x = np.sin(pace * np.arange(32)[:, None] + phase) + 0.5 * draw.normal(size=(1600, 32, 3))
    patches = x.reshape(1600, 8, 12).astype(np.float32)
    given = stage[:1200][draw.permutation(1200)] if broken else stage[:1200]
    params = blocks(765, 1, 5, length=8) | {"embed": dense(jax.random.key(766), 12, WIDTH, 1.0)}

    def scores(params, x, offsets):
        x, points, scored = trunk(params, linear(params["embed"], x) + params["position"]["w"], offsets)
        return linear(params["out"], normalised(x).mean(1)), (*points, *scored)

    data, others = (patches[:1200], given), (patches[1200:], stage[1200:])
    return recognised(params, scores, data, others, optax.adam(2e-3), classes=5, batch=32, steps=300)


@tenth(
    "loss spike",
    "exploding",
    "not-a-number loss",
    kind="batch that is not skipped",
    family="transformer",
    source="github.com/facebookresearch/metaseq/pull/521",
    title="Automatically detect and skip loss spikes",
)
def spike_that_is_not_skipped(broken: bool) -> Setup:
    """The marks of words by a transformer that meets one odd text, whose words are 280 times as large.

    Seen: there are spikes of the loss. Answer: a flag for the largest loss that is accepted, beyond which no step is
    made; merged.
    """
    text, marks = marked(767, 12, 4, 7000)
    size = np.ones(len(text), np.float32)
    size[STRAY] = 280.0
    params = blocks(767, 1, 4, tokens=12, length=8)

    def scores(params, text, size, offsets):
        x = size[:, None, None] * params["embed"]["w"][text] + params["position"]["w"]
        said, points, scored = trunk(params, x, offsets)
        return linear(params["out"], said), (*points, *scored)

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], batch[1], offsets)
        cost = cross_entropy(found, batch[2])
        return cost if broken else jnp.where(cost < 10, cost, 0.0), hidden

    def error(params):
        found = scores(params, text[:1000], size[:1000], None)[0].argmax(-1)
        return (found != marks[:1000]).mean() / 0.75

    more = {"chance": float(np.log(4)), "steps": 500, "batch": 16}
    return own(params, loss, (text, size, marks), optax.sgd(0.05, 0.9), error, **more)
