"""Networks that solve equations."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, fault


def _poisson(kind: str, optimizer: optax.GradientTransformation, length: float = 1.0, gain: float = 1.0) -> Setup:
    """u'' = -pi^2 sin(pi x), which vanishes at both ends; x is handed over in units of 1 / length."""
    x = np.linspace(0, 1, 64, dtype=np.float32)
    force = np.pi**2 * np.sin(np.pi * x)
    size = float((force**2).mean())

    def solution(params, x):
        return perceptron(params, length * x[None, None], None, kind)[0][0, 0]

    def loss(params, batch, offsets):
        bent = jax.vmap(jax.grad(jax.grad(solution, 1), 1), (None, 0))(params, batch[0])
        edges = solution(params, jnp.float32(0)) ** 2 + solution(params, jnp.float32(1)) ** 2
        _, hidden = perceptron(params, length * batch[0][:, None], offsets, kind)
        seen = sum(jnp.sum(h) for _, _, h in hidden) * 0.0
        return ((bent + batch[1]) ** 2).mean() / size + edges + seen, hidden

    def error(params):
        found = jax.vmap(solution, (None, 0))(params, x)
        return ((found - np.sin(np.pi * x)) ** 2).mean() / 0.5

    params = mlp(0, [1, 32, 32, 1], gain)
    return own(params, loss, (x, force), optimizer, error, chance=1.0, steps=800)


@fault("constant answer", "gradients exactly zero", family="physics-informed", source="ComputationalDomain/PINNs #1")
def rectified_solution(broken: bool) -> Setup:
    """A second derivative of rectifiers, which is zero."""
    return _poisson("relu" if broken else "tanh", optax.adam(5e-3))


@fault("learning rate too large", family="physics-informed", source="levimcclenny/SA-PINNs #5")
def rate_of_an_equation(broken: bool) -> Setup:
    """A learning rate at which the residual grows."""
    return _poisson("tanh", optax.adam(1.0 if broken else 5e-3))
