"""Skips at initialisation: how they join the moments of stream and branch, and the gradients of both."""

from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vgbench.spec.case import Case
from vgbench.theory.layers import Through, clip


class Skip(NamedTuple):
    """stream * h + branch * b(h), or with a gate gate * b(h) + (1 - gate) * h (Highway)."""

    stream: float
    branch: float
    gate_bias: float | None = None


def join(case: Case, stream: Through, branch: Through) -> Through:
    """What a block hands on; the branch's weights have never seen the stream."""
    skip = skip_of(case)
    assert skip
    shared = 0.0 if case.norm.name == "batch" else stream.mean * branch.mean
    if skip.gate_bias is not None:
        return _gated(case, stream, branch, skip.gate_bias, shared)
    a, b = skip.stream**2, skip.branch**2
    cross = skip.stream * skip.branch * shared
    factor = a + b * branch.factor
    scatter = b**2 * branch.factor**2 * branch.variance + 4 * a * b * branch.factor / case.width
    return Through(
        power=clip(a * stream.power + b * branch.power + 2 * cross),
        mean=skip.stream * stream.mean + skip.branch * branch.mean,
        factor=factor,
        variance=scatter / factor**2,
    )


def _gated(case: Case, stream: Through, branch: Through, gate_bias: float, shared: float) -> Through:
    """Gate * b + (1 - gate) * h, the gate a sigmoid of LeCun-normal weights on h, whose own path back counts, too."""
    gate = _gate_moments(stream.power, gate_bias)
    apart = max(branch.power + stream.power - 2 * shared, 0.0)
    return Through(
        power=clip(gate.square * branch.power + gate.rest_square * stream.power + 2 * gate.product * shared),
        mean=gate.mean * branch.mean + (1 - gate.mean) * stream.mean,
        factor=gate.rest_square + gate.square * branch.factor + gate.slope * apart,
        variance=float("nan"),
    )


class _Gate(NamedTuple):
    mean: float
    square: float
    rest_square: float
    product: float
    slope: float


@cache
def _normal() -> tuple[Float[np.ndarray, "nodes"], Float[np.ndarray, "nodes"]]:
    """Nodes and weights of a mean over the standard normal distribution; finding them takes longer than using them."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    return nodes, weights / weights.sum()


def _gate_moments(power: float, bias: float) -> _Gate:
    g, weights = _normal()
    gate = 1 / (1 + np.exp(-(np.sqrt(power) * g + bias)))
    slope = gate * (1 - gate)
    moments = gate, gate**2, (1 - gate) ** 2, slope, slope**2
    return _Gate(*(float(each @ weights) for each in moments))


def skip_of(case: Case) -> Skip | None:
    """The skip's scales at initialisation; None where it is of another kind."""
    skip, blocks = case.skip, max(case.depth - 1, 1)
    if skip.name == "none":
        return Skip(0.0, 1.0)
    if skip.name == "residual":
        return Skip(skip.options()["stream_scale"], skip.options()["scale"])
    if skip.name == "highway":
        return Skip(1.0, 1.0, skip.options()["gate_bias"])
    known = {
        "scaled": Skip(1.0, blocks**-0.5),
        "rezero": Skip(1.0, 0.0),
        "skip_init": Skip(1.0, 0.0),
        "zero_gamma": Skip(1.0, 0.0),
        "layer_scale": Skip(1.0, 0.1 if case.depth <= 18 else 1e-5 if case.depth <= 24 else 1e-6),
        "deep_norm": Skip(blocks**0.25, (4 * blocks) ** -0.25),
    }
    return known.get(skip.name)
