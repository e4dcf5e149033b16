"""Generators against critics."""

import jax
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, fault


def _against(steepness: float, broken: bool, rate: float) -> Setup:
    """A generator of points that should lie near (2, 2), against a critic that judges by their distance from it."""
    z = np.random.default_rng(0).normal(size=(256, 4)).astype(np.float32)

    def judge(points):
        return steepness * (1.0 - ((points - 2.0) ** 2).sum(1))

    def loss(params, batch, offsets):
        points, hidden = perceptron(params, batch[0], offsets, "tanh")
        score = judge(points)
        saturating = -jax.nn.softplus(score)  # log(1 - D)
        return (saturating if broken else jax.nn.softplus(-score)).mean(), hidden

    def error(params):
        points = perceptron(params, z, None, "tanh")[0]
        return ((points - 2.0) ** 2).sum(1).mean() / 8

    return own(mlp(0, [4, 32, 32, 2], 1.0), loss, (z,), optax.sgd(rate), error, steps=300)


@fault("saturated loss", family="adversarial", source="stats.stackexchange.com 345044")
def generator_of_a_sure_critic(broken: bool) -> Setup:
    """A generator that minimises log(1 - D) while the critic is sure."""
    return _against(2.0, broken, 0.01)


@fault("saturated loss", family="adversarial", source="castorfou.github.io gan-specialization-week3")
def generator_of_a_perfect_critic(broken: bool) -> Setup:
    """The same against a critic that is all but perfect."""
    return _against(8.0, broken, 0.003)


@fault("learning rate too large", family="adversarial", source="apxml.com gan challenge-non-convergence")
def generator_that_leaps(broken: bool) -> Setup:
    """A generator whose steps are too large for the critic to guide it."""
    setup = _against(1.0, False, 0.01)
    return Setup(**{**vars(setup), "optimizer": optax.sgd(10.0) if broken else optax.adam(3e-3)})
