"""Residual streams that are read, mixed and written with numbers that do not depend on the signal.

A single stream with a scaled branch is one; hyper-connections hold several, and so do attention residuals, whose
softmax weighs all filled streams alike at initialisation.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vgbench.mitigations.streams import SINKHORN_ITERATIONS
from vgbench.spec.case import Case
from vgbench.theory.skip import skip_of

Shares = Float[np.ndarray, "streams"]
BRANCHES = 2
"""Of a transformer's block."""


class Joint(NamedTuple):
    """What a branch reads of each stream, how streams are mixed beside it, and what each takes of it."""

    reading: Shares
    mixing: Float[np.ndarray, "streams streams"]
    writing: Shares


class Streams(NamedTuple):
    """The streams of a case.

    Attributes:
        enter: the share of the input layer's signal in each.
        joints: of all branches, the one nearest the input first.
        leave: what the output layer reads of each.
        gain: what multiplies the initial weights of branches.
    """

    enter: Shares
    joints: tuple[Joint, ...]
    leave: Shares
    gain: float


def streams_of(case: Case) -> Streams | None:
    """Those of a transformer; None where its skip depends on the signal, or on more than its name and scales."""
    skips, options = BRANCHES * (case.depth - 1), case.skip.options()
    if case.skip.name in ("hyper_connections", "constrained_hyper_connections"):
        return None if options["spread"] else _copies(options["streams"], skips, case.skip.name)
    if case.skip.name == "attention_residual":
        return _groups(options["streams"], skips)
    skip = skip_of(case, BRANCHES)
    if skip is None or skip.gate_bias is not None:
        return None
    deep = case.skip.name == "deep_norm"
    joint = Joint(np.ones(1), np.full((1, 1), skip.stream), np.full(1, 1.0 if deep else skip.branch))
    return Streams(np.ones(1), (joint,) * skips, np.ones(1), skip.branch if deep else 1.0)


def _copies(streams: int, skips: int, name: str) -> Streams:
    """Hyper-connections (Zhu et al. 2024), and those constrained to doubly stochastic mixing (Xie et al. 2025)."""
    if name == "hyper_connections":
        turns = np.eye(streams)[np.arange(skips) % streams]
        joints = tuple(Joint(turn, np.eye(streams), np.ones(streams)) for turn in turns)
    else:
        mixing = np.exp(np.eye(streams))
        for _ in range(SINKHORN_ITERATIONS):
            mixing = mixing / mixing.sum(axis=0)
            mixing = mixing / mixing.sum(axis=1, keepdims=True)
        joints = (Joint(np.full(streams, 1 / streams), mixing, np.ones(streams)),) * skips
    return Streams(np.ones(streams), joints, np.full(streams, 1 / streams), 1.0)


def _groups(streams: int, skips: int) -> Streams:
    """Attention residuals (Kimi Team 2026), whose queries are 0 at first: the mean of what holds something is read."""
    size = -(-skips // (streams - 1))

    def reading(before: int) -> Shares:
        filled = 1 + -(-before // size)
        return (np.arange(streams) < filled) / filled

    places = np.eye(streams)
    joints = tuple(Joint(reading(i), places, places[1 + i // size]) for i in range(skips))
    return Streams(places[0], joints, reading(skips), 1.0)
