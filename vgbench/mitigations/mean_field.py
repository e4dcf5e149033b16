"""Mean-field integrals of an activation: the variance of the weights that keeps a wide network's signal or gradient.

Convention: z = W phi(h) + b with W ~ N(0, weight_variance / fan_in), b ~ N(0, bias_std^2) and g ~ N(0, 1). With q the
variance of z, the length map is q' = weight_variance E[phi(sqrt(q) g)^2] + bias_std^2 (Poole et al. 2016), and a layer
multiplies the squared norm of dL/dz by chi = weight_variance E[phi'(sqrt(q) g)^2] going back (Schoenholz et al. 2017).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Float

from vgbench.errors import InputError

Activation = Callable[[Array], Array]

_RATIO, _PIECES, _NODES = 2 ** (1 / 3), 64, 10
_LOG10_Q = np.linspace(-12, 4, 161)
_TOLERANCE = 1e-4
_PIECE = 1 << 14


def _rule(q: Float[np.ndarray, "*q"]) -> tuple[Float[np.ndarray, "*q nodes"], Float[np.ndarray, "*q nodes"]]:
    """Nodes z and weights of E[f(sqrt(q) g)]: Gauss-Legendre in pieces on both sides of 0, where rectifiers bend.

    The edges of the pieces are powers of one ratio, the lowest a tenth of the shorter of two lengths: 1, over which
    activations bend, and sqrt(q). So a bend of any width is met at every variance between 0 and 1e8 (pieces of one
    length in g missed GELU's from q = 1e3 on, and chi was off by 4e-4), and 1, where hard tanh bends, is an edge.
    """
    deviation = np.sqrt(q)[..., None]
    lowest = np.floor(np.log(np.minimum(deviation, 1) / 10) / np.log(_RATIO))
    edges = np.concatenate([np.zeros_like(lowest), _RATIO ** (lowest + np.arange(_PIECES))], axis=-1)
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    middle, half = (edges[..., 1:] + edges[..., :-1])[..., None] / 2, np.diff(edges)[..., None] / 2
    z, lengths = (each.reshape(*np.shape(q), -1) for each in (middle + half * nodes, half * weights))
    density = np.exp(-((z / deviation) ** 2) / 2) / (np.sqrt(2 * np.pi) * deviation)
    return np.concatenate([-z, z], axis=-1), np.concatenate([lengths * density] * 2, axis=-1)


class Moments(NamedTuple):
    """Moments of an activation of z = sqrt(q) g, for each variance q.

    Attributes:
        square: E[phi(z)^2], float64.
        slope: E[phi'(z)^2], float64.
        mean: E[phi(z)], float64.
        curvature: E[phi''(z)], float64, as E[z phi'(z)] / q (Stein's lemma), which a kink does not disturb.
    """

    square: Float[np.ndarray, "*q"]
    slope: Float[np.ndarray, "*q"]
    mean: Float[np.ndarray, "*q"]
    curvature: Float[np.ndarray, "*q"]


def with_slope(
    activation: Activation, z: Float[np.ndarray, "*z"]
) -> tuple[Float[np.ndarray, "*z"], Float[np.ndarray, "*z"]]:
    """(phi(z), phi'(z)) in float64."""
    flat = np.asarray(z, np.float64).ravel()
    # In pieces of one size, so that each operation is compiled once for all activations and arrays.
    pieces = np.pad(flat, (0, -len(flat) % _PIECE)).reshape(-1, _PIECE)
    with jax.enable_x64(True), jax.ensure_compile_time_eval():
        pairs = [jax.jvp(activation, (jnp.asarray(piece),), (jnp.ones(_PIECE),)) for piece in pieces]
    values, slopes = (np.concatenate([np.asarray(at) for at in each])[: len(flat)] for each in zip(*pairs, strict=True))
    return values.reshape(np.shape(z)), slopes.reshape(np.shape(z))


def moments(activation: Activation, q: float | Float[np.ndarray, "*q"]) -> Moments:
    """Moments under a Gaussian pre-activation of each variance q, between 0 and 1e8."""
    q = np.asarray(q, np.float64)
    z, weights = _rule(q)
    values, slopes = with_slope(activation, z)
    tilted = slopes * z / q[..., None]
    return Moments(*(np.asarray((at * weights).sum(axis=-1)) for at in (values**2, slopes**2, values, tilted)))


class Curves:
    """Moments of an activation at any variance by interpolation, for length maps of thousands of layers.

    Cubic splines in the logarithm of q between 1e-12 and 1e8, and power laws beyond.
    """

    def __init__(self, activation: Activation) -> None:
        self._x = np.linspace(-12, 8, 401)
        found = moments(activation, 10.0**self._x)
        tiny = np.finfo(np.float64).tiny
        square, slope = (np.log(np.maximum(at, tiny)) for at in (found.square, found.slope))
        # Signed ones as what they are of their largest possible size, between -1 and 1.
        bias = found.mean / np.sqrt(np.maximum(found.square, tiny))
        tilt = found.curvature * 10 ** (self._x / 2) / np.sqrt(np.maximum(found.slope, tiny))
        self._spline = scipy.interpolate.CubicSpline(self._x, np.stack([square, slope, bias, tilt], axis=-1))
        self._ends = self._spline(self._x[[0, -1]]), self._spline(self._x[[0, -1]], 1)

    def __call__(self, q: float | Float[np.ndarray, "*q"]) -> Moments:
        """Moments at each variance q > 0."""
        x = np.asarray(np.log10(q))
        inside = np.clip(x, self._x[0], self._x[-1])
        end = (x > self._x[-1]).astype(int)
        beyond = (x - inside)[..., None] * self._ends[1][end] * [1, 1, 0, 0]
        square, slope, bias, tilt = np.moveaxis(self._spline(inside) + beyond, -1, 0)
        with np.errstate(over="ignore", under="ignore"):
            curvature = tilt * np.exp(slope / 2) / np.sqrt(q)
            return Moments(np.exp(square), np.exp(slope), bias * np.exp(square / 2), curvature)


def centred_variance(activation: Activation) -> float:
    """Var phi(g), which is what weights of mean 0 for each output carry on."""
    found = moments(activation, 1.0)
    return float(found.square - found.mean**2)


def preserving_variance(activation: Activation) -> float:
    """The weight variance that keeps a pre-activation variance of 1 from layer to layer, without biases."""
    return float(1 / moments(activation, 1.0)[0])


def critical_variance(activation: Activation | Curves, bias_std: float) -> float:
    """The weight variance on the edge of chaos: chi = 1 at a stable fixed point of the length map.

    Where chi = 1 at several, the one of smallest q; without biases that is often q = 0, which is approached slowly.
    Source: Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017.

    Raises:
        InputError: the activation has no such point with these biases.
    """
    curves = activation if isinstance(activation, Curves) else Curves(activation)

    def drift(log10_q: float | np.ndarray) -> np.ndarray:
        """How much q grows in a layer, in proportion, at the weight variance for which chi(q) = 1."""
        q = np.asarray(10.0**log10_q)
        square, slope = curves(q)[:2]
        return np.asarray((square / slope + bias_std**2) / q - 1)

    drifts = drift(_LOG10_Q)
    if abs(drifts[0]) < _TOLERANCE:
        smallest = float(10 ** _LOG10_Q[0])
        variance = float(1 / curves(smallest).slope)
        growth = variance * float(curves(0.01).square) / 0.01
        if growth < 1 + _TOLERANCE:
            return variance
    sure = np.abs(drifts) > _TOLERANCE  # those nearer to 0 are rounding, as q goes to 0
    for i in np.flatnonzero(sure[:-1] & sure[1:] & (drifts[:-1] * drifts[1:] < 0)):
        root: Any = scipy.optimize.brentq(lambda x: float(drift(x)), _LOG10_Q[i], _LOG10_Q[i + 1])
        q = 10.0 ** float(root)
        variance = float(1 / curves(q).slope)
        above, below = (variance * float(curves(q * step).square) for step in (1.01, 0.99))
        if (above - below) / (0.02 * q) < 1:
            return variance
    raise InputError(f"gain 'critical': no stable edge of chaos with biases of standard deviation {bias_std:g}")
