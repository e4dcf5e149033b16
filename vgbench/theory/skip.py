"""Skips at initialisation: how they join the moments of stream and branch, and the gradients of both."""

from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vgbench.mitigations.parametrizations import skip_in
from vgbench.spec.case import Case
from vgbench.theory.layers import Sizes, Through, clip

ZERO_SOURCES = {
    "rezero": ("Bachlechner et al. 2021",),
    "skip_init": ("De & Smith 2020",),
    "zero_gamma": ("Goyal et al. 2017",),
    "fixup": ("Zhang, Dauphin & Ma 2019",),
}


class Skip(NamedTuple):
    """stream * h + branch * b(h), or with a gate gate * b(h) + (1 - gate) * h (Highway)."""

    stream: float
    branch: float
    gate_bias: float | None = None


def join(case: Case, stream: Through, branch: Through) -> Through:
    """The stream after a block; the branch's weights are independent of the stream before it."""
    skip = skip_of(case)
    assert skip
    shared = 0.0 if case.norm.name == "batch" else stream.mean * branch.mean
    if skip.gate_bias is not None:
        return _gated(stream, branch, skip.gate_bias, shared)
    a, b = skip.stream**2, skip.branch**2
    cross = skip.stream * skip.branch * shared
    return Through(
        power=clip(a * stream.power + b * branch.power + 2 * cross),
        mean=skip.stream * stream.mean + skip.branch * branch.mean,
        factor=a + b * branch.factor,
    )


def _gated(stream: Through, branch: Through, gate_bias: float, shared: Sizes) -> Through:
    """Gate * b + (1 - gate) * h, the gate a sigmoid of LeCun-normal weights on h, whose own path back counts, too."""
    gate = _gate_moments(stream.power, gate_bias)
    apart = np.maximum(branch.power + stream.power - 2 * shared, 0.0)
    return Through(
        power=clip(gate.square * branch.power + gate.rest_square * stream.power + 2 * gate.product * shared),
        mean=gate.mean * branch.mean + (1 - gate.mean) * stream.mean,
        factor=gate.rest_square + gate.square * branch.factor + gate.slope * apart,
    )


class _Gate(NamedTuple):
    mean: Sizes
    square: Sizes
    rest_square: Sizes
    product: Sizes
    slope: Sizes


def _gate_moments(power: Sizes, bias: float) -> _Gate:
    g, weights = _hermite()
    gate = 1 / (1 + np.exp(-(np.sqrt(power)[..., None] * g + bias)))
    slope = gate * (1 - gate)
    moments = gate, gate**2, (1 - gate) ** 2, slope, slope**2
    return _Gate(*(each @ weights for each in moments))


@cache
def _hermite() -> tuple[Float[np.ndarray, "nodes"], Float[np.ndarray, "nodes"]]:
    """Nodes and weights of E[f(g)] for a standard normal g."""
    g, weights = np.polynomial.hermite_e.hermegauss(80)
    return g, weights / weights.sum()


def skip_of(case: Case, branches: int = 1) -> Skip | None:
    """The skip's scales at initialisation, of blocks with so many branches; None where it is of another kind."""
    skip, skips = skip_in(case), branches * max(case.depth - 1, 1)
    if skip.name == "none":
        return Skip(0.0, 1.0)
    if skip.name == "residual":
        return Skip(skip.options()["stream_scale"], skip.options()["scale"])
    if skip.name == "highway":
        return Skip(1.0, 1.0, skip.options()["gate_bias"])
    if skip.name == "constrained_hyper_connections" and not skip.options()["spread"]:
        return Skip(1.0, 1.0)  # of equal streams, which share every gradient alike
    known = {
        "scaled": Skip(1.0, skips**-0.5),
        "rezero": Skip(1.0, 0.0),
        "skip_init": Skip(1.0, 0.0),
        "zero_gamma": Skip(1.0, 0.0),
        "layer_scale": Skip(1.0, 0.1 if case.depth <= 18 else 1e-5 if case.depth <= 24 else 1e-6),
        "deep_norm": Skip(skips**0.25, (4 * skips) ** -0.25),
    }
    return known.get(skip.name)
