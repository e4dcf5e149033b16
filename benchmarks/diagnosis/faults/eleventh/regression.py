"""Predictions of numbers: layers of one or two rectifiers, a rate of one, and a penalty of nothing."""

import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import own, regression
from faults.registry import Setup, eleventh


@eleventh(
    "dead units",
    "gradients exactly zero",
    kind="layers that are too narrow",
    family="regression",
    source="github.com/ooples/AiDotNet/pull/1578",
    title="fix(neuralnetworks): floor default hidden-layer widths — tiny tabular nets were dead at init",
)
def rectifiers_by_ones_and_twos(broken: bool) -> Setup:
    """A line through seventy points, by rectifiers whose number is made of that of the inputs, which is one.

    Seen: one answer for every input, and only the last bias moves: the second layer is dead over the whole range.
    Answer: at least eight of them; merged.
    """
    x = np.linspace(0, 1, 70)[:, None].astype(np.float32)
    y = (2 * x[:, 0] + 1).astype(np.float32)
    sizes = [1, 2, 1, 1] if broken else [1, 8, 8, 1]
    more = {"kind": "relu", "steps": 400, "batch": 10}
    return regression(mlp(1103, sizes), optax.sgd(0.03, 0.9), data=(x, y), **more)


@eleventh(
    "learning rate too large",
    "exploding",
    "not-a-number loss",
    kind="rate",
    family="regression",
    source="github.com/tensorflow/playground/issues/3",
    title="Tensorflow breaks entirely on the following input",
)
def rate_of_one_on_a_playground(broken: bool) -> Setup:
    """A plane over two numbers, by eight bent units and one example at a time, at a rate of one.

    Seen: all units and the answer become NaN. Answer: the rate is too high, and the answer is linear, so that its
    slope has no bound; below 0.3 it works, a reader says.
    """
    draw = np.random.default_rng(1105)
    x = draw.uniform(-6, 6, size=(600, 2)).astype(np.float32)
    y = (x.sum(1) / 6).astype(np.float32)
    seen = (x + 0.5 * draw.normal(size=x.shape)).astype(np.float32)
    more = {"kind": "tanh", "steps": 300, "batch": 1}
    return regression(mlp(1105, [2, 8, 1], 1.0), optax.sgd(1.0 if broken else 0.03), data=(seen, y), **more)


@eleventh(
    "learned by heart",
    kind="penalty on weights",
    family="regression",
    source="github.com/michaelhush/M-LOOP/issues/80",
    title="Neural Net Overfits Data",
)
def penalty_that_counts_for_nothing(broken: bool) -> Setup:
    """What sixty settings of twelve knobs cost, measured with noise, by a network whose weights have a penalty.

    Seen: the network overfits. Answer: the default of the penalty, 1e-8, adds hardly anything to the loss; it has to be
    far larger.
    """
    draw = np.random.default_rng(1106)
    x = draw.normal(size=(460, 12)).astype(np.float32)
    clean = x @ draw.normal(size=12) / 12**0.5
    clean = (clean / clean.std()).astype(np.float32)
    y = (clean + 1.2 * draw.normal(size=460)).astype(np.float32)
    weight = 1e-8 if broken else 0.2

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "gelu")
        size = sum((layer["w"] ** 2).sum() for layer in params.values())
        return ((found[:, 0] - batch[1]) ** 2).mean() + weight * size, hidden

    def error(params):
        return ((perceptron(params, x[60:], None, "gelu")[0][:, 0] - clean[60:]) ** 2).mean()

    chance = float(y[:60].var())
    params = mlp(1106, [12, 64, 64, 1])
    return own(params, loss, (x[:60], y[:60]), optax.adam(1e-2), error, chance=chance, steps=400)
