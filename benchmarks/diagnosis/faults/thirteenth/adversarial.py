"""Generators and critics: a slope of nothing in a penalty, shares in a hinge, and weights of a hundredth."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import mlp
from faults.problems import own
from faults.registry import Setup, thirteenth
from faults.seventh.adversarial import paced, rivals


@thirteenth(
    "not-a-number gradients",
    kind="root of nothing",
    family="adversarial",
    source="github.com/keras-team/keras-io/issues/910",
    title="A bug causing gradient to NaN in WGAN-gp example",
)
def slope_of_nothing_in_a_penalty(broken: bool) -> Setup:
    """Points on a bent line by a generator, against a critic of few rectifiers whose slope at points is to be one.

    Seen: the norm of a slope of nothing has no slope, so that the gradients become NaN. Answer: the report's own: a
    small number within the root.
    """
    draw = np.random.default_rng(1361)
    noise = draw.normal(size=(768, 3)).astype(np.float32)
    along = draw.uniform(-1.5, 1.5, size=768)
    line = np.stack([along, along**2 - 0.75], axis=1) + 1.5
    real = (line + 0.1 * draw.normal(size=line.shape)).astype(np.float32)
    small = 0.0 if broken else 1e-12
    given = {"critic": mlp(1361, [2, 8, 8, 1]), "generator": mlp(1362, [3, 32, 32, 2], 1.0)}
    given["critic"]["layer01"]["b"] = given["critic"]["layer01"]["b"] - 0.5

    def judged(critic, x):
        return embedded(critic, x, [], None, "relu")[..., 0]

    def loss(params, batch, offsets):
        hidden = []
        held = jax.lax.stop_gradient
        fake = embedded(params["generator"], batch[0], hidden, offsets, "leaky_relu")
        true = embedded(params["critic"], batch[1], hidden, offsets, "relu")
        middle = 0.5 * (batch[1] + held(fake))
        slope = jax.vmap(jax.grad(judged, 1), (None, 0))(params["critic"], middle)
        away = (jnp.sqrt((slope**2).sum(1) + small) - 1) ** 2
        critic = judged(params["critic"], held(fake)).mean() - true.mean() + 3 * away.mean()
        return critic - judged(held(params["critic"]), fake).mean(), tuple(hidden)

    def error(params):
        fake = embedded(params["generator"], noise, [], None, "leaky_relu")
        far = (fake.mean(0) - real.mean(0)) ** 2 + (fake.std(0) - real.std(0)) ** 2
        return far.sum() / jnp.asarray(real.mean(0) ** 2 + real.std(0) ** 2).sum()

    return own(given, loss, (noise, real), paced(3e-3, 1e-3), error, steps=600, batch=64)


@thirteenth(
    "saturated loss",
    "vanishing",
    kind="shares in a hinge",
    family="adversarial",
    source="github.com/tntrung/gan/issues/4",
    title="Why is the output of D still sigmoid in hinge loss?",
)
def shares_in_a_hinge(broken: bool) -> Setup:
    """Points on a bent line by a generator, against a critic whose hinge is taken of a logistic function, or of scores.

    Seen: with the logistic function the network does not work. Answer: the report's own: with scores, it does; the
    author's model works with both.
    """

    def judge(true, false, shown):
        true, false, shown = ((jax.nn.sigmoid(each) if broken else each) for each in (true, false, shown))
        return (jax.nn.relu(1 - true) + jax.nn.relu(1 + false) - shown).mean()

    rates = {"critic": optax.adam(1e-2, b1=0.5), "generator": optax.sgd(0.02)}
    optimizer = optax.multi_transform({**rates}, {"critic": "critic", "generator": "generator"})
    return rivals(1363, judge, optimizer, place=8.0, steps=700, batch=64)


@thirteenth(
    "collapse",
    "vanishing",
    kind="normalisation that is left out",
    family="adversarial",
    source="github.com/HIPS/autograd/pull/247",
    title="Update generative_adversarial_net.py",
)
def generator_of_a_single_picture(broken: bool) -> Setup:
    """Points of two numbers by a generator whose weights are drawn very small, with or without a batch's normalisation.

    Seen: it always collapses to a single picture. Answer: bring what reaches the units to the batch's mean and
    deviation; merged.
    """
    draw = np.random.default_rng(1365)
    noise = draw.normal(size=(768, 4)).astype(np.float32)
    real = (draw.normal(size=(768, 2))).astype(np.float32)
    params = {"critic": mlp(1365, [2, 32, 32, 1], 1.0), "generator": mlp(1366, [4, 32, 32, 32, 2], 1.0)}
    for layer in params["generator"].values():
        layer["w"] = 0.03 * layer["w"]

    def normal(z):
        return z if broken else (z - z.mean(0)) / (z.std(0) + 1e-8)

    def made(params, noise, hidden, offsets):
        return embedded(params["generator"], noise, hidden, offsets, "tanh", normal)

    def loss(params, batch, offsets):
        hidden = []
        held = jax.lax.stop_gradient
        fake = made(params, batch[0], hidden, offsets)
        true = embedded(params["critic"], batch[1], hidden, offsets, "leaky_relu")
        false = embedded(params["critic"], held(fake), hidden, offsets, "leaky_relu")
        shown = embedded(held(params["critic"]), fake, hidden, offsets, "leaky_relu")
        return (jax.nn.softplus(-true) + jax.nn.softplus(false) + jax.nn.softplus(-shown)).mean(), tuple(hidden)

    def error(params):
        fake = made(params, noise, [], None)
        far = (fake.mean(0) - real.mean(0)) ** 2 + (fake.std(0) - real.std(0)) ** 2
        return far.sum() / jnp.asarray(real.std(0) ** 2).sum()

    rates = {"critic": optax.adam(1e-3, b1=0.5), "generator": optax.sgd(0.3)}
    optimizer = optax.multi_transform({**rates}, {"critic": "critic", "generator": "generator"})
    return own(params, loss, (noise, real), optimizer, error, steps=600, batch=64)
