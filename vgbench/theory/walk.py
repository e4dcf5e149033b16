"""Forward through all blocks of a backbone by Gram matrices, and back by those of the gradient."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vgbench.theory.kernels import Gram, diagonal
from vgbench.theory.skip import Skip


class Signals(NamedTuple):
    """Mean products of every two pixels, or examples, over the units, and the mean of each."""

    gram: Gram
    mean: Float[np.ndarray, "examples pixels"]


class Steps(NamedTuple):
    """What a network is made of.

    Attributes:
        names: the steps of a branch, in order.
        forward: what a step makes of signals.
        backward: what a step makes of the gradient's Gram matrix, by the one that it read.
        answered: the gradient's Gram matrix behind the last block.
    """

    names: tuple[str, ...]
    forward: Callable[[str, Signals], Signals]
    backward: Callable[[str, Gram, Gram], Gram]
    answered: Callable[[Signals], Gram]


def factors(signals: Signals, blocks: int, skip: Skip, steps: Steps) -> Float[np.ndarray, "blocks"]:
    """What every block multiplies the squared gradient by, the one nearest the input first."""
    passed = []
    for _ in range(blocks):
        branch = signals
        for name in steps.names:
            passed.append(branch.gram)
            branch = steps.forward(name, branch)
        signals = _join(skip, signals, branch)
    gradient, found = steps.answered(signals), []
    for _ in range(blocks):
        gradient = gradient / diagonal(gradient).sum()
        branch = gradient
        for name in reversed(steps.names):
            branch = steps.backward(name, passed.pop(), branch)
        gradient = skip.stream**2 * gradient + skip.branch**2 * branch
        found.append(diagonal(gradient).sum())
    return np.asarray(found[::-1])


def _join(skip: Skip, stream: Signals, branch: Signals) -> Signals:
    a, b = skip.stream, skip.branch
    shared = stream.mean[:, :, None] * branch.mean[:, None, :]
    crossed = a * b * (shared + shared.swapaxes(1, 2))
    return Signals(a**2 * stream.gram + b**2 * branch.gram + crossed, a * stream.mean + b * branch.mean)
