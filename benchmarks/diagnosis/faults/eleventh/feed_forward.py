"""Perceptrons: a rate for data of another scale, rectifiers for four corners, first weights that are small."""

import jax
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import classified, cross_entropy, curve, regression
from faults.registry import Setup, eleventh


def corners(seed: int, noise: float, count: int = 1200):
    """Points around the corners of a square, and whether exactly one of their coordinates is at one."""
    draw = np.random.default_rng(seed)
    corner = draw.integers(2, size=(count, 2))
    return (corner + noise * draw.normal(size=(count, 2))).astype(np.float32), (corner.sum(1) % 2).astype(np.int32)


def exclusive(params, optimizer, x, y, *, kind: str, steps: int) -> Setup:
    """Which two corners a point is at, by a perceptron."""

    def loss(params, batch, offsets):
        scores, hidden = perceptron(params, batch[0], offsets, kind)
        return cross_entropy(scores, batch[1]), hidden

    right = jax.jit(lambda params: (perceptron(params, x[1000:], None, kind)[0].argmax(-1) == y[1000:]).mean())
    more = {"classes": 2, "steps": steps, "batch": 32}
    return classified(params, loss, (x[:1000], y[:1000]), optimizer, right, **more)


@eleventh(
    "learning rate too small",
    kind="rate for data of another scale",
    family="feed-forward",
    source="github.com/Smadx/USTC-ML24-Fall/issues/47",
    title="[lab1]归一化之后第一部分loss不下降",
)
def rate_of_the_raw_data(broken: bool) -> Setup:
    """A number from three others that were standardised, at the rate that was right for the numbers as they were.

    Seen: without normalising the loss falls, somewhat slowly; after it the loss does not fall. Answer: the rate must be
    too small.
    """
    params = mlp(1001, [3, 48, 48, 1], 1.0)
    return regression(params, optax.sgd(5e-5 if broken else 0.1, 0.9), data=curve(1001, 600), steps=400, batch=64)


@eleventh(
    "dead units",
    "gradients exactly zero",
    kind="activation",
    family="feed-forward",
    source="github.com/pytorch/glow/pull/232",
    title="[ML tests] Fix xor",
)
def rectifiers_for_four_corners(broken: bool) -> Setup:
    """Which two corners of a square a point is at, by two layers of three rectifiers, or hyperbolic tangents.

    Seen: with rectifiers 56 of 100 runs of the test fail. Answer: hyperbolic tangents, which always converge; merged.
    """
    x, y = corners(1003, 0.05)
    params = mlp(1074, [2, 3, 3, 2], 2.0)
    return exclusive(params, optax.adam(2e-2), x, y, kind="relu" if broken else "tanh", steps=300)


@eleventh(
    "vanishing",
    kind="scale of the first weights",
    family="feed-forward",
    source="github.com/microsoft/CNTK/issues/757",
    title="XOR problem. Back to basics.",
)
def corners_by_small_weights(broken: bool) -> Setup:
    """Which two corners of a square a point is at, by five layers of hyperbolic tangents, whose weights begin small.

    Seen: unsolvable with any size and activation; the least error is that of a constant answer. Answer: the critical
    thing is the scale of the first weights, which is to be ten times as large.
    """
    x, y = corners(1005, 0.1)
    params = mlp(1005, [2, 50, 50, 50, 50, 50, 2], 0.015 if broken else 1.5)
    return exclusive(params, optax.sgd(0.1), x - 0.5, y, kind="tanh", steps=400)
