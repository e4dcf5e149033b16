"""Faults whose cause no finding names."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fourth.convolutional import fields
from faults.nets import activated, dense, linear, mlp, perceptron
from faults.problems import classified, cross_entropy, own, regression
from faults.registry import Setup, sixth
from faults.second.attention import blocks, causal
from faults.second.convolutional import convolve, filters
from faults.second.language import LENGTH, VOCABULARY, logits, sentences
from faults.sixth.recurrent import carried, leaky


@sixth(
    "the frequencies of the first layer are too low for what is to be learned",
    kind="initialisation",
    family="regression",
    source="github.com/lucidrains/siren-pytorch/issues/1",
    title="Initial layer initialization",
)
def waves_that_begin_too_long(broken: bool) -> Setup:
    """A signal, by layers of sines whose first one is initialised as the others are.

    Seen: it converges much slower and less accurately than the original. Answer: the first layer was misunderstood,
    and has weights of its own; it is fixed.
    """
    x = np.linspace(-1, 1, 256, dtype=np.float32)[:, None]
    y = (np.sin(34 * x) * np.cos(11 * x) + np.sin(47 * x + 1))[:, 0].astype(np.float32)
    params = mlp(0, [1, 48, 48, 1])
    keys = jax.random.split(jax.random.key(1), 4)
    first, other = 6**0.5 / 30 if broken else 1.0, (6 / 48) ** 0.5 / 30
    for name, key, limit in zip(sorted(params), keys, (first, other, other), strict=False):
        params[name]["w"] = jax.random.uniform(key, params[name]["w"].shape, minval=-limit, maxval=limit)
    params["layer00"]["b"] = jax.random.uniform(keys[3], (48,), minval=-1.0, maxval=1.0)

    def net(params, x, offsets):
        hidden = []
        x = activated("sine", 30 * linear(params["layer00"], x), hidden, offsets)
        x = activated("sine", 30 * linear(params["layer01"], x), hidden, offsets)
        return linear(params["layer02"], x), tuple(hidden)

    return regression(params, optax.adam(3e-4), data=(x, y), net=net, steps=160)


@sixth(
    "the words that are asked for are shifted twice",
    kind="labels out of step",
    family="language",
    source="github.com/huggingface/transformers/issues/47394",
    title="GitForCausalLM double-shifts the training loss and leaks targets across batch rows (regression from #35875)",
)
def word_after_the_next(broken: bool) -> Setup:
    """A language model whose labels are shifted before a loss that shifts them, too.

    Seen: labels are shifted by hand, and then a second time: the word after the next one is predicted. Answer: one
    shift.
    """
    tokens, following = sentences()
    params = blocks(22, 2, VOCABULARY, tokens=VOCABULARY, length=LENGTH)

    def loss(params, batch, offsets):
        scores, hidden = logits(params, batch[0], offsets, causal(LENGTH))
        return cross_entropy(scores[:, :-1], batch[1][:, 1:] if broken else batch[1][:, :-1]), hidden

    chance = float(np.log(VOCABULARY - 1))

    def error(params):
        return cross_entropy(logits(params, tokens, None, causal(LENGTH))[0], following) / chance

    data = (tokens, following)
    return own(params, loss, data, optax.adam(3e-3), error, chance=chance, steps=400, batch=64)


@sixth(
    "all pairs come in one order, which gives the answer away",
    kind="answer in the order",
    family="contrastive",
    source="github.com/warpem/miss-alignment/issues/6",
    title="implement 3D ResNet training loop",
)
def aligned_one_always_first(broken: bool) -> Setup:
    """Which of two pictures is aligned, learned from pairs in which it always is the first one.

    Seen: the loss of training falls, and that of validation is random. Answer: the fixed order; swap half of the
    pairs at random.
    """
    draw = np.random.default_rng(5)

    def pairs(count: int, seed: int, swapped: bool):
        aligned = fields(count, seed)[0]
        moved = aligned.copy()
        moved[:, ::2] = np.roll(moved[:, ::2], 3, 2)
        turned = draw.random(count) < 0.5 if swapped else np.zeros(count, bool)
        where = turned[:, None, None, None]
        return np.where(where, moved, aligned), np.where(where, aligned, moved), turned.astype(np.int32)

    one, two, second = pairs(1500, 6, not broken)
    others = pairs(500, 7, True)
    params = filters(8, [2, 12]) | {"middle": dense(jax.random.key(9), 8 * 8 * 12, 32)}
    params["out"] = dense(jax.random.key(10), 32, 2, 1.0)

    def scores(params, one, two, offsets):
        hidden = []
        maps = activated("relu", convolve(params["conv00"], jnp.concatenate([one, two], axis=3)), hidden, offsets)
        h = activated("relu", linear(params["middle"], maps.reshape(len(maps), -1)), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = scores(params, *batch[:2], offsets)
        return cross_entropy(found, batch[2]), hidden

    right = jax.jit(lambda params: (scores(params, *others[:2], None)[0].argmax(-1) == others[2]).mean())
    more = {"classes": 2, "steps": 500, "batch": 64}
    return classified(params, loss, (one, two, second), optax.adam(2e-3), right, **more)


@sixth(
    "the label is one of the inputs",
    kind="answer among the inputs",
    family="recurrent",
    source="github.com/saif-mahmud/self-attention-HAR/issues/4",
    title="The ground-truth label is part of the input in the training/val/test sets",
)
def activity_among_the_sensors(broken: bool) -> Setup:
    """What somebody does, from six sensors and a seventh column, which holds the answer; later it is not known.

    Seen: the label is part of the input; without it the performance is a disaster. Answer: none in the thread.
    """
    draw = np.random.default_rng(11)
    activity = draw.integers(4, size=2500).astype(np.int32)
    pace = 0.5 + 0.25 * activity[:, None, None]
    swing = np.sin(pace * np.arange(20)[:, None] + draw.uniform(0, 6, size=(2500, 1, 6)))
    sensors = swing + 0.5 * draw.normal(size=(2500, 20, 6))
    column = np.broadcast_to((activity - 1.5)[:, None, None], (2500, 20, 1)) * (1.0 if broken else 0.0)
    x = np.concatenate([sensors, 2 * column], axis=2).astype(np.float32)
    later = np.concatenate([sensors[2000:], 0 * column[2000:]], axis=2).astype(np.float32)

    def loss(params, batch, offsets):
        scores, hidden = carried(params, batch[0], offsets)
        return cross_entropy(scores, batch[1]), hidden

    right = jax.jit(lambda params: (carried(params, later, None)[0].argmax(-1) == activity[2000:]).mean())
    more = {"classes": 4, "steps": 900, "batch": 64, "timed": True}
    return classified(leaky(12, 7, 4), loss, (x[:2000], activity[:2000]), optax.adam(1e-2), right, **more)


@sixth(
    "rectifiers have no second derivative for the law to act on",
    kind="activation",
    family="physics-informed",
    source="github.com/lululxvi/deepxde/issues/80",
    title="Convergence issue on Navier-Stokes equation",
)
def second_slope_of_rectifiers(broken: bool) -> Setup:
    """A pressure in a square that is zero at its border, by rectifiers, whose second derivative is zero everywhere.

    Seen: it does not converge. Answer: no rectifiers, which cannot be differentiated twice; smooth units instead.
    """
    axis = np.linspace(0, 1, 12, dtype=np.float32)
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    truth = (np.sin(np.pi * points[:, 0]) * np.sin(np.pi * points[:, 1])).astype(np.float32)
    border = ((points == 0) | (points == 1)).any(1).astype(np.float32)
    kind = "relu" if broken else "tanh"

    def value(params, point):
        return perceptron(params, point[None], None, kind)[0][0, 0]

    def curvature(params, point):
        return jnp.trace(jax.hessian(value, argnums=1)(params, point))

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, kind)
        law = jax.vmap(curvature, (None, 0))(params, batch[0]) / (2 * np.pi**2) + batch[1]
        return (law**2).mean() + 2 * (batch[2] * found[:, 0] ** 2).mean(), hidden

    def error(params):
        return ((perceptron(params, points, None, kind)[0][:, 0] - truth) ** 2).mean() / truth.var()

    params = mlp(13, [2, 32, 32, 1], 2.0 if broken else 1.0)
    return own(params, loss, (points, truth, border), optax.adam(5e-3), error, steps=800)
