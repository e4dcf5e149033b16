"""Predictions of numbers: pairs of all answers and all targets."""

import jax
import numpy as np
import optax

from faults.nets import activated, dense, linear
from faults.problems import regression
from faults.registry import Setup, eighth


@eighth(
    "constant answer",
    kind="shapes that are broadcast",
    family="regression",
    source="github.com/pytorch/pytorch/issues/16045",
    title="Bug: fail to throw error when computing loss between tensors with shapes [n, 1] and [n]",
)
def straight_line_of_two_inputs(broken: bool) -> Setup:
    """A number that is linear in two others, by a linear model, whose answers are [n, 1], where targets are [n].

    Seen: the correct coefficients are not found, and the loss does not fall near the optimum of a convex problem, but
    no error is raised. Answer: reshape the targets; later, a warning where a size is expanded.
    """
    draw = np.random.default_rng(451)
    x = draw.normal(size=(400, 2)).astype(np.float32)
    y = (10 + 9 * x[:, 0] - 2 * x[:, 1] + draw.normal(size=400)).astype(np.float32)

    def net(params, x, offsets):
        hidden = []
        return activated("linear", linear(params["layer00"], x), hidden, offsets), tuple(hidden)

    def squared(found, wanted):
        return ((found if broken else found[:, 0]) - wanted) ** 2

    def truth(found, wanted):
        return ((found[:, 0] - wanted) ** 2).mean()

    params = {"layer00": dense(jax.random.key(451), 2, 1, 1.0)}
    more = {"loss": lambda found, wanted: squared(found, wanted).mean(), "truth": truth, "steps": 100}
    return regression(params, optax.sgd(0.1), data=(x, y), net=net, **more)
