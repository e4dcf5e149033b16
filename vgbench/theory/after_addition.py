"""Residual networks with the activation after the addition: h' = phi(a h + b branch), as in the first ResNets.

Units keep their sign there: what a unit holds decides what its next slope is, so that gradient and signal are not
independent and a second moment alone does not tell the factor. A branch that ends in fresh weights adds Gaussian noise
to every unit, independent from unit to unit, so that one unit is a Markov chain of pre-activations

    z' = a phi(z) + s g,    s^2 = b^2 * variance of the branch's output,

whose density is followed forward on a grid (Yang & Schoenholz 2017, Mean Field Residual Networks, have the moments of
the other orders). Backward, v(z) = E[(dL/dh)^2 | z] follows

    v(z) = a^2 E[phi'(z')^2 v'(z') | z] + b^2 * factor of the branch * E[phi'(z')^2 v'(z')].
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr

from vgbench.mitigations.mean_field import with_slope
from vgbench.spec.registry import ACTIVATIONS
from vgbench.theory.layers import Layers
from vgbench.theory.prediction import NoTheory
from vgbench.theory.skip import Skip

_CELLS = 480
_REACH = 8.0
_LEAST_NOISE = 0.1
_COMMON_SHARE = 0.3
"""Of the squared gradient along one direction, from which on the width is too small; it begins as one of `width`."""
_LONGEST = 1_000

Grid = Float[np.ndarray, "cells"]


class _Unit(NamedTuple):
    """One unit's pre-activation after a block.

    Attributes:
        z: centres of the grid's cells.
        h: phi(z).
        slope: phi'(z).
        share: probability of each.
        step: probability of each, given each of the block before; `cells` by `cells`.
        noise: standard deviation of what the branch added.
        branch: what the branch multiplies the squared gradient by on its way back, with the skip's scale.
    """

    z: Grid
    h: Grid
    slope: Grid
    share: Grid
    step: Float[np.ndarray, "cells cells"]
    noise: float
    branch: float


def factors_after_addition(layers: Layers, skip: Skip) -> Float[np.ndarray, "gaps"]:
    """What every block multiplies the squared gradient by, the one nearest the input first.

    Raises:
        NoTheory: the network is deeper than is followed, or too narrow for its depth.
    """
    gaps = layers.case.depth - 1
    if gaps > _LONGEST:
        raise NoTheory(f"activations on the stream are followed through {_LONGEST:,} blocks at most")
    units = _forward(layers, skip, gaps)
    squared, common = np.ones(_CELLS), np.ones(_CELLS)
    factors, excess = np.empty(gaps), 1.0
    for t in reversed(range(gaps)):
        before, after = units[t], units[t + 1]
        passed = after.slope**2 * squared
        squared = skip.stream**2 * (after.step @ passed) + after.branch * (after.share @ passed)
        common_before = after.share @ common**2
        common = _common(skip, before, after, after.slope * common)
        factors[t] = before.share @ squared
        growth = (before.share @ common**2) / common_before
        squared, common = squared / factors[t], common / (before.share @ common**2) ** 0.5
        excess = excess * growth / factors[t]
        if excess > _COMMON_SHARE * layers.case.width:
            raise NoTheory(
                "activations on the stream itself tie the gradient to the signal: at a width of"
                f" {layers.case.width}, {gaps - t} blocks back, it outgrows what independent weights give"
            )
    return factors


def _forward(layers: Layers, skip: Skip, gaps: int) -> list[_Unit]:
    first = float(np.mean(layers.linear(layers.inputs.mean_square, raw=True).power))
    edges = _edges(first**0.5)
    share = _normalised(np.diff(ndtr(edges / first**0.5)))
    activation = partial(ACTIVATIONS.build, layers.case.activation)
    z = _centres(edges)
    units = [_Unit(z, *with_slope(activation, z), share, np.eye(1), first**0.5, 0.0)]
    for _ in range(gaps):
        at = units[-1]
        square = float(at.share @ at.h**2)
        power, factor = _branch(layers, square)
        noise = skip.branch * power**0.5
        deviation = (skip.stream**2 * square + noise**2) ** 0.5
        if noise < _LEAST_NOISE * deviation:
            raise NoTheory(
                f"branches of {noise / deviation:.2g} of the stream's size are too small for the density's grid"
            )
        edges = _edges(deviation)
        step = _normalised(np.diff(ndtr((edges - skip.stream * at.h[:, None]) / noise), axis=1))
        z, back = _centres(edges), skip.branch**2 * factor
        units.append(_Unit(z, *with_slope(activation, z), at.share @ step, step, noise, back))
    return units


def _branch(layers: Layers, power: float) -> tuple[float, float]:
    """Variance of the branch's output, and its factor back, all of it without the skip's scale."""
    model_layers = layers.case.model.options()["layers_per_block"]
    factor = 1.0
    for i in range(model_layers):
        linear = layers.linear(power)
        power, factor = float(linear.power), factor * float(linear.factor)
        if i < model_layers - 1:
            active = layers.activate(power)
            power, factor = float(active.power), factor * float(active.factor)
    return power, factor


def _common(skip: Skip, before: _Unit, after: _Unit, passed: Grid) -> Grid:
    """The gradient with its sign along the direction in which all units agree, one block back.

    Weights are correlated with the slopes that they decide, along the signal that they read: by Stein's lemma
    phi(z) * factor * E[(phi' m)'], with E[f'(z')] = E[f(z') g] / s.
    """
    g = (after.z - skip.stream * before.h[:, None]) / after.noise
    steeper = float(before.share @ ((after.step * g) @ passed)) / after.noise
    return skip.stream * (after.step @ passed) + before.h * after.branch * steeper


def _edges(deviation: float) -> Float[np.ndarray, "edges"]:
    return np.linspace(-_REACH * deviation, _REACH * deviation, _CELLS + 1)


def _centres(edges: Float[np.ndarray, "edges"]) -> Grid:
    return (edges[1:] + edges[:-1]) / 2


def _normalised(shares: Float[np.ndarray, "*rows cells"]) -> Float[np.ndarray, "*rows cells"]:
    return shares / shares.sum(axis=-1, keepdims=True)
