"""Densities."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import curve, own
from faults.registry import Setup, fault

_LOG_2_PI = float(np.log(2 * np.pi))


@fault("not-a-number loss", "not-a-number gradients", family="likelihood", source="keras-team/keras #1061")
def density_of_far_targets(broken: bool) -> Setup:
    """The logarithm of a sum of densities that are all zero: targets lie far from where the mixture begins."""
    x, y = curve(scale=1.0, shift=20.0 if broken else 0.0)

    def loss(params, batch, offsets):
        out, hidden = perceptron(params, batch[0], offsets, "tanh")
        mean, deviation, share = out[:, :3], jnp.exp(out[:, 3:6]), jax.nn.log_softmax(out[:, 6:])
        log = -0.5 * ((batch[1][:, None] - mean) / deviation) ** 2 - jnp.log(deviation) - 0.5 * _LOG_2_PI
        if broken:
            return -jnp.log((jnp.exp(share) * jnp.exp(log)).sum(1)).mean(), hidden
        return -jax.nn.logsumexp(share + log, axis=1).mean(), hidden

    def error(params):
        return jnp.exp(loss(params, (x, y), None)[0] - 1.419)

    return own(mlp(0, [3, 32, 32, 9], 1.0), loss, (x, y), optax.adam(5e-3), error, chance=1.419, steps=400)


@fault("not-a-number loss", "not-a-number gradients", family="likelihood", source="ragulpr/wtte-rnn #39")
def hazards_that_meet(broken: bool) -> Setup:
    """The logarithm of a difference of hazards that becomes zero."""
    x, y = curve(4)
    y = np.exp(0.5 * y).astype(np.float32)

    def loss(params, batch, offsets):
        out, hidden = perceptron(params, batch[0], offsets, "tanh")
        scale, shape = jnp.exp(10 + 10 * jnp.tanh(out[:, 0])), jnp.exp(jnp.tanh(out[:, 1]))
        late, early = ((batch[1] + 1) / scale) ** shape, (batch[1] / scale) ** shape
        gap = jnp.exp(late - early) - 1 if broken else jnp.expm1(late - early) + 1e-30
        return -(jnp.log(gap) - late).mean(), hidden

    params = mlp(1, [3, 32, 32, 2], 1.0)

    def error(params):
        return loss(params, (x, y), None)[0] / 4.0

    return own(params, loss, (x, y), optax.adam(3e-3), error, steps=300)


@fault("learning rate too large", "loss spike", family="likelihood", source="pytorch/pytorch #2623")
def rate_of_a_density(broken: bool) -> Setup:
    """A Gaussian likelihood, whose loss may be negative, at a learning rate too large."""
    x, y = curve()

    def loss(params, batch, offsets):
        out, hidden = perceptron(params, batch[0], offsets, "tanh")
        deviation = jax.nn.softplus(out[:, 1]) + 1e-3
        return (0.5 * ((batch[1] - out[:, 0]) / deviation) ** 2 + jnp.log(deviation)).mean(), hidden

    def error(params):
        return ((perceptron(params, x, None, "tanh")[0][:, 0] - y) ** 2).mean() / y.var()

    rate = 1.0 if broken else 1e-2
    return own(mlp(0, [3, 32, 32, 2], 1.0), loss, (x, y), optax.adam(rate), error, chance=0.5, steps=400)
