"""Predictions of numbers: layers of one or two rectifiers, and a rate of one."""

import numpy as np
import optax

from faults.nets import mlp
from faults.problems import regression
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
