"""Predictions of numbers whose scale nobody looked at."""

import numpy as np
import optax

from faults.nets import mlp
from faults.problems import curve, regression
from faults.registry import Setup, fault


@fault("far from unit scale", "first loss too large", family="regression", source="discuss.pytorch.org 96648")
def cubes_of_thousands(broken: bool) -> Setup:
    """The cube of numbers up to 4,000, neither scaled."""
    x = np.arange(1, 513, dtype=np.float32)[:, None] * 7.8
    y = x[:, 0] ** 3
    if not broken:
        x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    return regression(mlp(0, [1, 50, 1]), optax.adam(1e-2), data=(x, y), kind="relu")


@fault("far from unit scale", "first loss too large", family="regression", source="stats.stackexchange.com 409000")
def prices_in_dollars(broken: bool) -> Setup:
    """Targets around 250,000."""
    data = curve(scale=1e5, shift=2.5e5) if broken else curve()
    return regression(mlp(0, [3, 64, 64, 1]), optax.adam(1e-2), data=data, kind="relu")


@fault(
    "far from unit scale",
    "saturation",
    "first loss too large",
    family="regression",
    source="datascience.stackexchange.com 51687",
)
def inputs_to_a_hundred(broken: bool) -> Setup:
    """Inputs between 0 and 100 under tanh."""
    x = np.linspace(0, 1, 256, dtype=np.float32)[:, None]
    y = ((x[:, 0] > 0.4) & (x[:, 0] < 0.6)).astype(np.float32)
    x = 100 * x if broken else 4 * x - 2
    return regression(mlp(0, [1, 20, 20, 20, 1], 1.0), optax.adam(3e-3), data=(x, y), kind="tanh", steps=500)
