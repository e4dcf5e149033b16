"""Runs that are in order and look odd: nothing is wrong with them.

The one that is called broken is the odd one. The other is the same run carried on, or made in the usual way.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.fifth.diffusion import curves, denoised
from faults.fourth.convolutional import seen
from faults.nets import Kind, activated, linear, mlp, perceptron
from faults.ninth.contrastive import guessed
from faults.problems import classification, digits, own, recognised
from faults.registry import Setup, ninth
from faults.second.attention import normalised
from faults.second.contrastive import unit
from faults.second.convolutional import filters
from faults.second.recurrent import UNITS
from faults.third.contrastive import views

NOTHING = "nothing wrong"


@ninth(
    NOTHING,
    kind="logarithm of a softmax before a softmax",
    family="convolutional",
    source="github.com/Randl/MobileNetV2-pytorch/issues/5",
    title="Duplicate log_softmax",
    sound=True,
)
def shares_that_are_taken_twice(broken: bool) -> Setup:
    """Digits by filters whose last layer gives logarithms of shares, of which the loss takes the logarithms again.

    Seen: the loss takes the logarithm of a softmax of what already is one; is it a duplicate? Answer: none, but it
    changes nothing, since these logarithms have shares that add up to one.
    """
    params = filters(701, [1, 12, 12])

    def net(params, x, offsets):
        maps, hidden = seen(params, x.reshape(len(x), 8, 8, 1), offsets)
        scores = linear(params["out"], maps.max((1, 2)))
        return jax.nn.log_softmax(scores) if broken else scores, hidden

    return classification(params, optax.adam(4e-3), net=net, batch=32, steps=400)


@ninth(
    NOTHING,
    kind="gradient that is stopped in the loss",
    family="contrastive",
    source="github.com/PatrickHua/SimSiam/issues/39",
    title="There should be a stop gradient in the simsiam model",
    sound=True,
)
def gradient_that_is_stopped_elsewhere(broken: bool) -> Setup:
    """Two views of a picture without negatives, by a model that stops no gradient, since its loss does.

    Seen: the model trains both paths, since no gradient is stopped in it. Answer: it is detached where the loss is
    computed.
    """
    first, second = views(702)
    x, y, x_other, y_other = digits()
    params = {"encoder": mlp(702, [64, 48, 24]), "guess": mlp(703, [24, 24], 1.0)}

    def projected(params, x, hidden, offsets):
        z = embedded(params["encoder"], x, hidden, offsets, between=lambda z: normalised(z, 0))
        return normalised(z, 0)

    def error(params):
        known, asked = (unit(projected(params, each, [], None)) for each in (x[:600], x_other))
        return (jnp.asarray(y)[(asked @ known.T).argmax(1)] != y_other).mean() / 0.9

    steps = 300 if broken else 600
    return own(params, guessed(projected), (first, second), optax.sgd(0.05, 0.9), error, steps=steps, batch=128)


@ninth(
    NOTHING,
    kind="loss below zero",
    family="recurrent",
    source="github.com/zexupan/MuSE/issues/2",
    title="Why is Loss negative",
    sound=True,
)
def voices_in_decibels(broken: bool) -> Setup:
    """One of two voices out of their mixture, by minus the ratio of what is right to what is wrong, in decibels.

    Seen: the loss is negative during training. Answer: it is the negative ratio of signal to distortion.
    """
    draw = np.random.default_rng(704)
    time = np.arange(24)
    slow = np.sin(0.25 * time + draw.uniform(0, 6, size=(1200, 1)))
    fast = np.sin(1.6 * time + draw.uniform(0, 6, size=(1200, 1)))
    mixed = (slow + fast)[..., None].astype(np.float32)
    wanted = slow.astype(np.float32)
    first = mlp(704, [1 + UNITS, UNITS, 1], 1.0)

    def heard(params, x, offsets):
        def step(h, inputs):
            now, shift = inputs
            h = 0.3 * h + jnp.tanh(linear(params["layer00"], jnp.concatenate([now, h], axis=1))) + shift
            return h, h

        shift = jnp.zeros((24, len(x), UNITS)) if offsets is None else offsets[0]
        states = jax.lax.scan(step, jnp.zeros((len(x), UNITS)), (x.swapaxes(0, 1), shift))[1]
        return linear(params["layer01"], states)[..., 0].T, ((Kind("linear"), states, states),)

    def ratio(found, wanted):
        share = (found * wanted).sum(1, keepdims=True) / (wanted**2).sum(1, keepdims=True)
        right = share * wanted
        return (right**2).sum(1) / ((found - right) ** 2).sum(1)

    def loss(params, batch, offsets):
        found, hidden = heard(params, batch[0], offsets)
        return -10 * jnp.log10(ratio(found, batch[1]) + 1e-8).mean(), hidden

    def error(params):
        return (1 / (1 + ratio(heard(params, mixed[900:], None)[0], wanted[900:]))).mean()

    more = {"steps": 300 if broken else 600, "batch": 32, "timed": True}
    return own(first, loss, (mixed[:900], wanted[:900]), optax.adam(5e-3), error, **more)


@ninth(
    NOTHING,
    kind="schedule by steps",
    family="diffusion",
    source="github.com/crowsonkb/k-diffusion/issues/50",
    title="Learning rate scheduler broken",
    sound=True,
)
def warm_up_that_is_counted_in_steps(broken: bool) -> Setup:
    """A denoiser whose schedule is advanced after each step, with a warm-up and a decay in steps.

    Seen: the rate rises rapidly, essentially without a warm-up, since no epoch is given. Answer: the schedule is meant
    to be in steps, and both are set in them.
    """
    inputs, noise = curves(6000)
    optimizer = optax.adam(optax.warmup_exponential_decay_schedule(0.0, 2e-3, 20, 100, 0.9))
    usual = optax.adam(optax.warmup_exponential_decay_schedule(0.0, 2e-3, 100, 100, 0.9))
    others = inputs[:500], noise[:500]
    return denoised(mlp(705, [9, 64, 64, 8]), (inputs, noise), optimizer if broken else usual, others=others)


@ninth(
    NOTHING,
    kind="minus in a loss",
    family="policy gradient",
    source="github.com/muupan/async-rl/issues/22",
    title="Sign of pi_loss?",
    sound=True,
)
def loss_that_is_subtracted_twice(broken: bool) -> Setup:
    """A policy by a loss that starts from zero, and from which both the gain and the entropy are subtracted.

    Seen: should both terms not be added? Answer: no; it is minimised, and both shall become large.
    """
    draw = np.random.default_rng(706)
    x = draw.normal(size=(3000, 5)).astype(np.float32)
    worth = np.tanh(x @ draw.normal(size=(5, 4)))
    tried = draw.integers(4, size=3000).astype(np.int32)
    reward = worth[np.arange(3000), tried] + 0.2 * draw.normal(size=3000)
    better = ((reward - reward.mean()) / reward.std()).astype(np.float32)

    def loss(params, batch, offsets):
        scores, hidden = perceptron(params, batch[0], offsets, "tanh")
        log = jax.nn.log_softmax(scores)
        share = jnp.exp(jnp.take_along_axis(log, batch[1][:, None], 1)[:, 0])
        total = 0.0
        total -= (4 * share * batch[2]).mean()
        total -= 0.05 * -(jnp.exp(log) * log).sum(1).mean()
        return total, hidden

    def error(params):
        share = jax.nn.softmax(perceptron(params, x, None, "tanh")[0])
        best = worth.max(1)
        return (best - (share * worth).sum(1)).mean() / (best - worth.mean(1)).mean()

    steps = 400 if broken else 800
    return own(mlp(706, [5, 32, 32, 4], 1.0), loss, (x, tried, better), optax.adam(3e-3), error, steps=steps, batch=64)


@ninth(
    NOTHING,
    kind="run that is too short",
    family="convolutional",
    source="github.com/yu4u/age-gender-estimation/issues/18",
    title="Predicting always the same class",
    sound=True,
)
def age_of_the_first_epochs(broken: bool) -> Setup:
    """Of which decade a face is, by filters at a small rate, after a tenth of the run, or at its end.

    Seen: the same class for each picture, with any rate and width. Answer: the loss is one of very early epochs; the
    report confirms that training was not long enough.
    """
    params = filters(707, [1, 8, 8])

    def net(params, x, offsets):
        maps, hidden = seen(params, x.reshape(len(x), 8, 8, 1), offsets)
        return linear(params["out"], maps.max((1, 2))), hidden

    return classification(params, optax.sgd(2e-3, 0.9), net=net, batch=32, steps=100 if broken else 1200)


@ninth(
    NOTHING,
    kind="slope of a sum",
    family="physics-informed",
    source="github.com/nanditadoloi/PINN/issues/3",
    title="Mistake in computing derivatives of u",
    sound=True,
)
def slopes_of_the_sum_of_all_points(broken: bool) -> Setup:
    """A decay, by a network whose slopes are taken of the sum of its answers at all points.

    Seen: these are the derivatives of the sum and not of the answers, so that the law is another one. Answer: none; but
    each answer depends on its own point alone, so that both are the same.
    """
    t = np.linspace(0, 2, 64, dtype=np.float32)
    truth = (6 * np.exp(-1.5 * t) / 6).astype(np.float32)

    def values(params, t, offsets):
        found, hidden = perceptron(params, t[:, None], offsets, "tanh")
        return found[:, 0], hidden

    def slopes(params, t):
        if broken:
            return jax.grad(lambda t: values(params, t, None)[0].sum())(t)
        return jax.vmap(jax.grad(lambda each: values(params, each[None], None)[0][0]))(t)

    def loss(params, batch, offsets):
        found, hidden = values(params, batch[0], offsets)
        law = slopes(params, batch[0]) + 1.5 * found
        return (law**2).mean() + 10 * (found[0] - truth[0]) ** 2, hidden

    def error(params):
        return ((values(params, t, None)[0] - truth) ** 2).mean() / truth.var()

    return own(mlp(708, [1, 24, 24, 1], 1.0), loss, (t,), optax.adam(5e-3), error, steps=400)


@ninth(
    NOTHING,
    kind="plus where a minus is expected",
    family="feed-forward",
    source="github.com/udacity/deep-learning/issues/285",
    title="Wrong calculation in gradient descent",
    sound=True,
)
def minus_of_a_minus(broken: bool) -> Setup:
    """Two classes of points by a logistic unit, whose rule is written out, with one minus in the error and another one.

    Seen: the formula adds, and the code subtracts. Answer: it is the same, since the error has the other minus.
    """
    draw = np.random.default_rng(709)
    what = draw.integers(2, size=600).astype(np.int32)
    x = (1.2 * (2 * what[:, None] - 1) * np.array([1.0, -0.5]) + draw.normal(size=(600, 2))).astype(np.float32)
    params = {"layer00": {"w": jnp.array([[0.1], [0.1]]), "b": jnp.zeros(1)}}

    def scores(params, x, offsets):
        hidden = []
        z = activated("linear", linear(params["layer00"], x), hidden, offsets)
        return jnp.concatenate([jnp.zeros_like(z), z], axis=1), tuple(hidden)

    rule = optax.chain(optax.scale(-1.0), optax.scale(0.05)) if broken else optax.sgd(0.05)
    return recognised(
        params, scores, (x[:400], what[:400]), (x[400:], what[400:]), rule, classes=2, batch=32, steps=200
    )
