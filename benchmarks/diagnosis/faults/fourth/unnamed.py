"""Faults whose cause no finding names."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fourth.convolutional import seen
from faults.nets import activated, dense, linear, mlp, perceptron
from faults.problems import classified, cross_entropy, digits, own, regression
from faults.registry import Setup, fourth
from faults.second.attention import WIDTH, blocks, normalised, trunk
from faults.second.convolutional import filters


@fourth(
    "other data are not normalised as those of training",
    kind="scale of other data",
    family="convolutional",
    source="github.com/JeasunLok/ResNet-pytorch/issues/1",
    title="Why is the training accuracy okay, but the testing accuracy is very low?",
)
def pictures_as_they_are_in_the_test(broken: bool) -> Setup:
    """A network that learns normalised pictures, and is judged by others as they were taken, grey between 0 and 255.

    Seen: a good accuracy in training, and a very low one in the test. Answer: only the training set was normalised.
    """
    x, y, x_other, y_other = digits()
    x_other = 128 + 20 * x_other if broken else x_other
    params = filters(0, [1, 8, 12]) | {"out": dense(jax.random.key(1), 8 * 8 * 12, 10, 1.0)}

    def forward(params, x, offsets):
        maps, hidden = seen(params, x.reshape(len(x), 8, 8, 1), offsets, "tanh")
        return linear(params["out"], maps.reshape(len(x), -1)), hidden

    def loss(params, batch, offsets):
        scores, hidden = forward(params, batch[0], offsets)
        return cross_entropy(scores, batch[1]), hidden

    right = jax.jit(lambda params: (forward(params, x_other, None)[0].argmax(-1) == y_other).mean())
    return classified(params, loss, (x, y), optax.adam(3e-3), right, classes=10, steps=300, batch=64)


@fourth(
    "the divergence from the prior is made large instead of small",
    kind="wrong sign",
    family="autoencoder",
    source="github.com/EderSantana/gumbel/issues/3",
    title="Minimizing KL (not maximizing)",
)
def divergence_that_is_subtracted(broken: bool) -> Setup:
    """An autoencoder of two letters, whose divergence from the prior is subtracted; it is the error that is measured.

    Seen: a loss of the cross-entropy minus the divergence. Answer: it should be plus.
    """
    x = digits()[0]
    gumbel = np.random.default_rng(0).gumbel(size=(len(x), 2, 8)).astype(np.float32)
    params = {"encoder": mlp(1, [64, 48, 16], 1.0), "decoder": mlp(2, [16, 48, 64], 1.0)}

    def letters(params, x, hidden, offsets):
        h = activated("tanh", linear(params["encoder"]["layer00"], x), hidden, offsets)
        return linear(params["encoder"]["layer01"], h).reshape(-1, 2, 8)

    def divergence(scores):
        share = jax.nn.softmax(scores)
        return (share * (jax.nn.log_softmax(scores) + np.log(8))).sum(2).mean()

    def loss(params, batch, offsets):
        hidden = []
        scores = letters(params, batch[0], hidden, offsets)
        code = jax.nn.softmax(scores + batch[1]).reshape(-1, 16)
        h = activated("tanh", linear(params["decoder"]["layer00"], code), hidden, offsets)
        lost = ((linear(params["decoder"]["layer01"], h) - batch[0]) ** 2).mean()
        return lost + (-0.1 if broken else 0.1) * divergence(scores), tuple(hidden)

    def error(params):
        return divergence(letters(params, x, [], None)) / np.log(8)

    chance = float(x.var(0).mean())
    return own(params, loss, (x, gumbel), optax.adam(3e-3), error, chance=chance, steps=400, batch=64)


@fourth(
    "the reward at the end of an episode does not reach the steps before it",
    kind="returns that are cut",
    family="value regression",
    source="github.com/AechPro/rlgym-ppo/pull/23",
    title="Fix GAE truncating returns for future state instead of current state",
)
def goals_that_count_for_one_step(broken: bool) -> Setup:
    """Values of the steps towards a goal, whose returns are cut before the last step, where the reward is.

    Seen: rewards at terminal states are not in the returns of the states before. Answer: cut at the state itself.
    """
    draw = np.random.default_rng(1)
    skill = np.repeat(draw.normal(size=200), 10)
    left = np.tile(np.arange(9, -1, -1), 200)
    x = np.stack([skill, left / 5 - 1, (left == 0) * 2.0 - 1], axis=1).astype(np.float32)
    worth = (2 * np.tanh(skill) * 0.97**left).astype(np.float32)
    given = np.where(left == 0, worth, 0.0).astype(np.float32) if broken else worth
    setup = regression(mlp(3, [3, 48, 48, 1], 1.0), optax.adam(3e-3), data=(x, given), steps=500, batch=64)
    wrong = jax.jit(lambda params: ((perceptron(params, x, None, "tanh")[0][:, 0] - worth) ** 2).mean() / worth.var())
    return Setup(**{**vars(setup), "error": lambda params: float(wrong(params))})


@fourth(
    "the divergence from the prior keeps the code silent beside what else the decoder is given",
    kind="weight of a loss",
    family="autoencoder",
    source="github.com/CompVis/vunet/issues/5",
    title="Code Collapse problem",
)
def code_beside_a_skip(broken: bool) -> Setup:
    """Pictures by their upper halves, which the decoder is given, and a code of the rest that costs more than it saves.

    Seen: the divergence becomes zero early, and codes are inactive. Answer: begin with a weight of nearly zero.
    """
    x = digits()[0]
    upper, lower = x[:, :32], x[:, 32:]
    noise = np.random.default_rng(2).normal(size=(len(x), 8)).astype(np.float32)
    params = {"encoder": mlp(4, [64, 48, 16], 1.0), "decoder": mlp(5, [40, 64, 32], 1.0)}
    guess = np.c_[upper, np.ones(len(x))]
    alone = ((guess @ np.linalg.lstsq(guess, lower)[0] - lower) ** 2).mean()

    def back(params, x, noise, offsets):
        hidden = []
        h = activated("tanh", linear(params["encoder"]["layer00"], x), hidden, offsets)
        mean, log = jnp.split(linear(params["encoder"]["layer01"], h), 2, axis=1)
        given = jnp.concatenate([x[:, :32], mean + jnp.exp(log / 2) * noise], axis=1)
        h = activated("tanh", linear(params["decoder"]["layer00"], given), hidden, offsets)
        return linear(params["decoder"]["layer01"], h), mean, log, tuple(hidden)

    def loss(params, batch, offsets):
        found, mean, log, hidden = back(params, *batch, offsets)
        divergence = 0.5 * (mean**2 + jnp.exp(log) - log - 1).sum(1).mean()
        return ((found - batch[0][:, 32:]) ** 2).mean() + (1.0 if broken else 1e-3) * divergence, hidden

    def error(params):
        return ((back(params, x, jnp.zeros_like(noise), None)[0] - lower) ** 2).mean() / alone

    chance = float(lower.var(0).mean())
    return own(params, loss, (x, noise), optax.adam(3e-3), error, chance=chance, steps=600, batch=64)


@fourth(
    "the decoder reads the words that it is asked for",
    kind="mask that hides nothing",
    family="transformer",
    source="github.com/pytorch/tutorials/issues/719",
    title="[HELP WANTED]Tutorial for nn.Transformer with nn.TransformerDecoder",
)
def phonemes_in_sight(broken: bool) -> Setup:
    """Letters and phonemes that mostly follow from them, of which the decoder may read all in training, and none later.

    Seen: the loss drops to zero at once, and one token is generated. Answer: the masks were not set up correctly.
    """
    draw = np.random.default_rng(3)
    letters = draw.integers(1, 12, size=(1024, 6))
    phonemes = 1 + draw.permutation(11)[letters[:, ::-1] - 1]
    phonemes = np.where(draw.random((1024, 6)) < 0.25, draw.integers(1, 12, size=(1024, 6)), phonemes)
    data = (letters.astype(np.int32), phonemes.astype(np.int32))
    begun = np.where(np.arange(6) < 3, phonemes, 0).astype(np.int32)
    mask = np.ones((12, 12), bool)
    mask[:6, 6:] = False
    mask[6:, 6:] = True if broken else np.tril(np.ones((6, 6), bool))

    def scores(params, letters, phonemes, offsets):
        shifted = jnp.pad(phonemes[:, :-1], ((0, 0), (1, 0)))
        tokens = jnp.concatenate([letters, 12 + shifted], axis=1)
        x, points, attention = trunk(
            params, params["embed"]["w"][tokens] + params["position"]["w"], offsets, mask[None]
        )
        return linear(params["out"], normalised(x[:, 6:])), (*points, *attention)

    def loss(params, batch, offsets):
        found, hidden = scores(params, *batch, offsets)
        return cross_entropy(found, batch[1]), hidden

    def error(params):
        return (scores(params, letters, begun, None)[0][:, 3].argmax(-1) != phonemes[:, 3]).mean() * 11 / 10

    params = blocks(6, 2, 12, tokens=24, length=12, width=WIDTH)
    return own(params, loss, data, optax.adam(5e-3), error, chance=float(np.log(11)), steps=500, batch=64)
