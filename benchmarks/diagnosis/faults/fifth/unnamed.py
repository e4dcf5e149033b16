"""Faults whose cause no finding names."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.convolutional import flat
from faults.nets import dense, mlp, perceptron
from faults.problems import classification, classified, cross_entropy, digits, own, regression
from faults.registry import Setup, fifth
from faults.second.adversarial import perceptron as shared
from faults.second.convolutional import filters


@fifth(
    "the gradients of all earlier steps are added to that of each step",
    kind="gradients that add up",
    family="feed-forward",
    source="github.com/salesforce/corr_based_prediction/issues/1",
    title="Does the model need accumulate the gradients?",
)
def gradients_never_set_to_zero(broken: bool) -> Setup:
    """A classifier whose gradients are set to zero once, before the training, and add up from step to step.

    Seen: the call that sets gradients to zero is outside of the loop. Answer: none; elsewhere, that it is a bug.
    """

    def add(updates, state, params=None):
        total = jax.tree.map(jnp.add, state, updates)
        return total, total

    summed = optax.GradientTransformation(lambda params: jax.tree.map(jnp.zeros_like, params), add)
    step = optax.sgd(0.1)
    return classification(
        mlp(0, [64, 48, 48, 10], 1.0),
        optax.chain(summed, step) if broken else step,
        kind="tanh",
        batch=64,
        steps=500,
    )


@fifth(
    "the generator is trained to be recognised",
    kind="wrong sign",
    family="adversarial",
    source="github.com/Zeleni9/pytorch-wgan/pull/53",
    title="Fix generator loss backward direction in WGAN with clipping",
)
def generator_in_the_wrong_direction(broken: bool) -> Setup:
    """A generator that makes the score of its points small where it should make it large; the critic is clipped.

    Seen: the generator was trained in the wrong direction. Answer: the other sign, as in the paper.
    """
    draw = np.random.default_rng(0)
    noise = draw.normal(size=(512, 2)).astype(np.float32)
    real = (2 + 0.7 * draw.normal(size=(512, 2))).astype(np.float32)
    params = {"critic": mlp(0, [2, 32, 32, 1], 1.0), "generator": mlp(1, [2, 32, 32, 2], 1.0)}

    def loss(params, batch, offsets):
        hidden = []
        held = jax.lax.stop_gradient
        fake = shared(params["generator"], batch[0], hidden, offsets)
        true = shared(params["critic"], batch[1], hidden, offsets)
        false = shared(params["critic"], held(fake), hidden, offsets)
        shown = shared(held(params["critic"]), fake, hidden, offsets)
        return (false - true).mean() + (1 if broken else -1) * shown.mean(), tuple(hidden)

    def error(params):
        return ((shared(params["generator"], noise, [], None).mean(0) - 2) ** 2).sum() / 8

    def apply(params, updates):
        params = optax.apply_updates(params, updates)
        return params | {"critic": jax.tree.map(lambda w: jnp.clip(w, -0.3, 0.3), params["critic"])}

    more = {"chance": 0.0, "steps": 500, "batch": 128, "apply": apply}
    return own(params, loss, (noise, real), optax.rmsprop(1e-3), error, **more)


@fifth(
    "each value is learned with the reward of the step before",
    kind="data out of step",
    family="value regression",
    source="github.com/openai/spinningup/issues/50",
    title="Silent bug in ppo implementation - rewards shifted",
)
def rewards_of_the_step_before(broken: bool) -> Setup:
    """Values of places on a circle that is walked around, whose rewards are stored one step too late.

    Seen: each slot holds the reward before its observation. Answer: it is fixed in the latest version.
    """
    angle = 0.8 * np.arange(1000)
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    reward = np.sin(2 * angle).astype(np.float32)
    given = np.sin(2 * (angle - 0.8)).astype(np.float32) if broken else reward
    setup = regression(mlp(2, [2, 32, 1], 1.0), optax.adam(5e-3), data=(x, given), steps=500, batch=64)
    wrong = jax.jit(lambda params: ((perceptron(params, x, None, "tanh")[0][:, 0] - reward) ** 2).mean() / reward.var())
    return Setup(**{**vars(setup), "error": lambda params: float(wrong(params))})


@fifth(
    "other data are judged by the labels of those of training",
    kind="labels of other data",
    family="convolutional",
    source="github.com/FluxML/fluxml.github.io/pull/119",
    title="Minor error with 60 minute blitz tutorial",
)
def test_with_the_labels_of_training(broken: bool) -> Setup:
    """A network that learns well, and is judged on other pictures by the labels of those that it was trained with.

    Seen: random accuracy. Answer: the training labels were applied to the test data.
    """
    x, y, x_other, y_other = digits()
    wanted = y[: len(y_other)] if broken else y_other
    params = filters(3, [1, 12]) | {"out": dense(jax.random.key(4), 8 * 8 * 12, 10, 1.0)}

    def loss(params, batch, offsets):
        scores, hidden = flat(params, batch[0], offsets, "leaky_relu")
        return cross_entropy(scores, batch[1]), hidden

    right = jax.jit(lambda params: (flat(params, x_other, None, "leaky_relu")[0].argmax(-1) == wanted).mean())
    return classified(params, loss, (x, y), optax.adam(2e-3), right, classes=10, steps=300, batch=64)


@fifth(
    "other data hold classes that those of training lack",
    kind="split before a shuffle",
    family="feed-forward",
    source="github.com/keras-team/keras/issues/3894",
    title="The training accuracy is very high, while the validation accuracy is very low?",
)
def last_fifth_of_sorted_data(broken: bool) -> Setup:
    """Pictures in the order of their classes, the last fifth of which are the other data.

    Seen: a very high accuracy in training, and a very low one on other data. Answer: shuffle before the split.
    """
    x, y = digits()[:2]
    order = np.argsort(y, kind="stable") if broken else np.arange(len(y))
    x, y = x[order], y[order]
    cut = 4 * len(y) // 5
    params = mlp(5, [64, 48, 10], 1.0)

    def loss(params, batch, offsets):
        scores, hidden = perceptron(params, batch[0], offsets, "tanh")
        return cross_entropy(scores, batch[1]), hidden

    right = jax.jit(lambda params: (perceptron(params, x[cut:], None, "tanh")[0].argmax(-1) == y[cut:]).mean())
    return classified(params, loss, (x[:cut], y[:cut]), optax.adam(3e-3), right, classes=10, steps=300, batch=64)
