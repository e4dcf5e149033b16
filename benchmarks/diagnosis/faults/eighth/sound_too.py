"""More runs that are in order and look odd."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.eighth.sound import NOTHING
from faults.fifth.contrastive import embedded
from faults.fifth.diffusion import curves, denoised
from faults.fourth.convolutional import seen
from faults.nets import dense, linear, mlp
from faults.problems import digits, own, regression
from faults.registry import Setup, eighth
from faults.second.contrastive import unit
from faults.second.convolutional import filters
from faults.third.contrastive import views


@eighth(
    NOTHING,
    kind="no activation at the end",
    family="regression",
    source="github.com/jcjohnson/pytorch-examples/issues/30",
    title="Activation not applied on the output layer",
    sound=True,
)
def answers_without_an_activation(broken: bool) -> Setup:
    """Numbers of both signs, by one rectified layer, and an output layer with no activation.

    Seen: no activation is applied to the output. Answer: with one it could not give negative values.
    """
    draw = np.random.default_rng(481)
    x = draw.normal(size=(1000, 12)).astype(np.float32)
    y = np.abs(x @ draw.normal(size=12)) - np.abs(x @ draw.normal(size=12))
    y = (y / y.std()).astype(np.float32)
    steps = 400 if broken else 800
    more = {"kind": "relu", "steps": steps, "batch": 64}
    return regression(mlp(481, [12, 100, 1]), optax.sgd(0.02), data=(x, y), **more)


@eighth(
    NOTHING,
    kind="target without its coefficient",
    family="diffusion",
    source="github.com/tqch/ddpm-torch/issues/2",
    title="Bug in target noise",
    sound=True,
)
def noise_without_its_coefficient(broken: bool) -> Setup:
    """A denoiser that is asked for the noise as it was drawn, and not as it was added, so that its loss stays high.

    Seen: the target is the noise without its coefficient. Answer: it is intended, as in the paper.
    """
    inputs, noise = curves(6000)
    setup = denoised(mlp(482, [9, 64, 64, 8]), (inputs, noise), optax.adam(1e-3), others=(inputs[:500], noise[:500]))
    return setup if broken else Setup(**{**vars(setup), "steps": 1400})


@eighth(
    NOTHING,
    kind="gradient through both branches",
    family="contrastive",
    source="github.com/lucas-maes/le-wm/issues/44",
    title="Why is stop-gradient not used on the other branch of the loss?",
    sound=True,
)
def two_branches_that_both_learn(broken: bool) -> Setup:
    """Two views of a picture, without negatives, whose difference is made small from both sides.

    Seen: no stop-gradient on the other branch, as others have to avoid a collapse. Answer: a regulariser of the codes
    prevents it, and the gradient of the target helps to learn.
    """
    first, second = views()
    x, y, x_other, y_other = digits()
    params = {"encoder": mlp(483, [64, 64, 16], 1.0), "guess": mlp(484, [16, 16], 1.0)}

    def loss(params, batch, offsets):
        hidden = []
        one, two = (embedded(params["encoder"], view, hidden, offsets, "tanh") for view in batch)
        target = two if broken else jax.lax.stop_gradient(two)
        apart = ((linear(params["guess"]["layer00"], one) - target) ** 2).mean()
        z = jnp.concatenate([one, two])
        z = z - z.mean(0)
        covariance = z.T @ z / len(z)
        return apart + 10.0 * ((covariance - jnp.eye(16)) ** 2).mean(), tuple(hidden)

    def error(params):
        known, asked = (unit(embedded(params["encoder"], each, [], None, "tanh")) for each in (x[:600], x_other))
        return (jnp.asarray(y)[(asked @ known.T).argmax(1)] != y_other).mean() / 0.9

    return own(params, loss, (first, second), optax.adam(2e-3), error, steps=500, batch=64)


@eighth(
    NOTHING,
    kind="start that is worse than a guess",
    family="convolutional",
    source="github.com/lwpyr/CSP-pedestrian-detection-in-pytorch/issues/4",
    title="Parameter initialization is wrong.",
    sound=True,
)
def heads_whose_biases_are_swapped(broken: bool) -> Setup:
    """Where people are on a map and how tall, by two heads, whose biases begin as those of each other were meant to.

    Seen: the two biases should be swapped, and the loss is large at the beginning. Answer: right, but it does not harm
    the result.
    """
    draw = np.random.default_rng(485)
    grid = np.stack(np.meshgrid(np.arange(8), np.arange(8), indexing="ij"), axis=-1)
    at = draw.integers(1, 7, size=(1500, 2))
    height = draw.uniform(-1, 1, size=1500)
    spot = np.exp(-((grid - at[:, None, None]) ** 2).sum(-1) / 1.5)
    x = np.stack([spot, spot * height[:, None, None]], axis=3) + 0.15 * draw.normal(size=(1500, 8, 8, 2))
    x = x.astype(np.float32)
    there = np.zeros((1500, 8, 8), np.float32)
    there[np.arange(1500), at[:, 0], at[:, 1]] = 1.0
    tall = height.astype(np.float32)
    params = filters(485, [2, 12])
    keys = jax.random.split(jax.random.key(486), 2)
    few = -float(np.log(0.99 / 0.01))
    params["position"] = dense(keys[0], 12, 1, 1.0, 0.0 if broken else few)
    params["height"] = dense(keys[1], 12, 1, 1.0, few if broken else 0.0)
    del params["out"]

    def heads(params, x, offsets):
        maps, hidden = seen(params, x, offsets)
        return linear(params["position"], maps)[..., 0], linear(params["height"], maps)[..., 0], hidden

    def loss(params, batch, offsets):
        place, found, hidden = heads(params, batch[0], offsets)
        wrong = optax.sigmoid_binary_cross_entropy(place, batch[1]).sum((1, 2))
        far = (batch[1] * (found - batch[2][:, None, None]) ** 2).sum((1, 2))
        return (wrong + far).mean(), hidden

    def error(params):
        place, found, _ = heads(params, x[:400], None)
        best = place.reshape(len(place), -1).argmax(1)
        missed = (best != at[:400, 0] * 8 + at[:400, 1]).mean()
        off = ((found.reshape(len(found), -1)[jnp.arange(400), best] - tall[:400]) ** 2).mean() / tall.var()
        return 0.5 * (missed + off)

    return own(params, loss, (x, there, tall), optax.adam(5e-3), error, steps=1000, batch=32)
