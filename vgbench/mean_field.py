"""Mean-field integrals of an activation: what variance of the weights keeps a wide network's signal or gradient.

Convention: z = W phi(h) + b with W ~ N(0, weight_variance / fan_in), b ~ N(0, bias_std^2) and g ~ N(0, 1). With q the
variance of z, the length map is q' = weight_variance E[phi(sqrt(q) g)^2] + bias_std^2 (Poole et al. 2016), and a layer
multiplies the squared norm of dL/dz by chi = weight_variance E[phi'(sqrt(q) g)^2] going back (Schoenholz et al. 2017).
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import brentq

from vgbench.errors import InputError

Activation = Callable[[Array], Array]

_REACH, _PIECES, _NODES = 12.0, 96, 12
_LOG10_Q = np.linspace(-12, 4, 161)
_TOLERANCE = 1e-4


def _rule() -> tuple[Float[np.ndarray, "nodes"], Float[np.ndarray, "nodes"]]:
    """Nodes and weights of E[f(g)]: Gauss-Legendre in short pieces, since a kink at 0 spoils Gauss-Hermite."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    edges = np.linspace(-_REACH, _REACH, _PIECES + 1)
    centers, half = (edges[1:] + edges[:-1]) / 2, _REACH / _PIECES
    g = (centers[:, None] + half * nodes).ravel()
    density = np.exp(-(g**2) / 2) / np.sqrt(2 * np.pi)
    return g, np.tile(half * weights, _PIECES) * density


_G, _WEIGHTS = _rule()


def moments(
    activation: Activation, q: float | Float[np.ndarray, "*q"]
) -> tuple[Float[np.ndarray, "*q"], Float[np.ndarray, "*q"]]:
    """(E[phi(sqrt(q) g)^2], E[phi'(sqrt(q) g)^2]) for g ~ N(0, 1), in float64, for each variance q."""
    with jax.enable_x64(True), jax.ensure_compile_time_eval():
        z = jnp.asarray(np.sqrt(q)[..., None] * _G)
        values, slopes = jax.jvp(activation, (z,), (jnp.ones_like(z),))
    square, slope = (np.asarray(np.asarray(at) ** 2 @ _WEIGHTS) for at in (values, slopes))
    return square, slope


def centred_variance(activation: Activation) -> float:
    """Var phi(g), which is what weights of mean 0 for each output carry on."""
    with jax.enable_x64(True), jax.ensure_compile_time_eval():
        values = np.asarray(activation(jnp.asarray(_G)))
    return float(values**2 @ _WEIGHTS - (values @ _WEIGHTS) ** 2)


def preserving_variance(activation: Activation) -> float:
    """The weight variance that keeps a pre-activation variance of 1 from layer to layer, without biases."""
    return float(1 / moments(activation, 1.0)[0])


def critical_variance(activation: Activation, bias_std: float) -> float:
    """The weight variance on the edge of chaos: chi = 1 at a stable fixed point of the length map.

    Where chi = 1 at several, the one of smallest q; without biases that is often q = 0, which is approached slowly.
    Source: Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017.

    Raises:
        InputError: the activation has no such point with these biases.
    """

    def drift(log10_q: float | np.ndarray) -> np.ndarray:
        """How much q grows in a layer, in proportion, at the weight variance for which chi(q) = 1."""
        q = np.asarray(10.0**log10_q)
        square, slope = moments(activation, q)
        return np.asarray((square / slope + bias_std**2) / q - 1)

    drifts = drift(_LOG10_Q)
    if abs(drifts[0]) < _TOLERANCE:
        smallest = float(10 ** _LOG10_Q[0])
        variance = float(1 / moments(activation, smallest)[1])
        growth = variance * moments(activation, 0.01)[0] / 0.01
        if growth < 1 + _TOLERANCE:
            return variance
    sure = np.abs(drifts) > _TOLERANCE  # those nearer to 0 are rounding, as q goes to 0
    for i in np.flatnonzero(sure[:-1] & sure[1:] & (drifts[:-1] * drifts[1:] < 0)):
        root: Any = brentq(lambda x: float(drift(x)), _LOG10_Q[i], _LOG10_Q[i + 1])
        q = 10.0 ** float(root)
        variance = float(1 / moments(activation, q)[1])
        above, below = (variance * moments(activation, q * step)[0] for step in (1.01, 0.99))
        if (above - below) / (0.02 * q) < 1:
            return variance
    raise InputError(f"gain 'critical': no stable edge of chaos with biases of standard deviation {bias_std:g}")
