"""Predictions of numbers: targets far from zero, lengths of what is not there."""

import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import curve, own, regression
from faults.registry import Setup, sixth


@sixth(
    "far from unit scale",
    "saturation",
    "first loss too large",
    kind="scale of the targets",
    family="regression",
    source="discuss.pytorch.org/t/scaling-target-variables/41046",
    title="Scaling target variables",
)
def targets_around_minus_2700(broken: bool) -> Setup:
    """Targets around -2,700, by two layers of hyperbolic tangents and a linear output.

    Seen: all predictions are the mean of the targets; with scaled targets the model trains. Answer: gradients are too
    big at first, and the weights fall into the saturated area of the tangent.
    """
    data = curve(0, scale=20.0, shift=-2700.0) if broken else curve(0)
    return regression(mlp(0, [3, 24, 24, 1], 1.0), optax.sgd(0.01), data=data, batch=32, steps=1500)


@sixth(
    "not-a-number gradients",
    "not-a-number loss",
    kind="slope at zero",
    family="regression",
    source="github.com/pytorch/pytorch/issues/2421",
    title="Gradient of zero norm is nan",
)
def length_of_a_padded_vector(broken: bool) -> Setup:
    """Two numbers of each example, judged by the length of the error; examples that fill a batch up have none at all.

    Seen: the gradient of a norm is NaN where it is zero. Answer: the root has an infinite slope there; a subgradient
    of zero.
    """
    x, first = curve(1, examples=1024)
    y = np.stack([first, np.tanh(x[:, 0] - x[:, 1])], axis=1).astype(np.float32)
    real = (np.arange(1024) % 16 != 0).astype(np.float32)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "tanh")
        square = ((batch[2][:, None] * (found - batch[1])) ** 2).sum(1)
        length = jnp.sqrt(square if broken else square + 1e-8)
        return length.mean(), hidden

    def error(params):
        return ((perceptron(params, x, None, "tanh")[0] - y) ** 2).mean() / y.var(0).mean()

    return own(mlp(1, [3, 48, 48, 2], 1.0), loss, (x, y, real), optax.adam(5e-3), error, steps=600, batch=64)
