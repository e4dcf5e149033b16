"""Sequences that are generated on the device, for networks that read them step by step."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from vgbench.data.dataset import Dataset, Split, Stream
from vgbench.problem import Objective

HELD_OUT = 1000
"""Examples that validate, and as many that test."""


def generated(
    generate: Callable[[Array], tuple[Array, Array]], objective: Objective, outputs: int, seed: int, answers: int = 1
) -> Dataset:
    """A data set of generated examples: an endless stream to train on, and 1,000 each to validate and to test.

    Args:
        generate: from a key to one input, Float[features], and what is wanted; equal ones must compare equal.
        objective: how answers are judged.
        outputs: numbers of one answer.
        seed: of all three splits.
        answers: how many of the last time steps an answer is wanted at.
    """
    keys = np.asarray(jax.random.key_data(jax.random.split(jax.random.key(seed), 3)))
    train, *held_out = (Stream(key, generate) for key in keys)
    validation, test = (Split(*map(np.asarray, each.take(np.arange(HELD_OUT)))) for each in held_out)
    return Dataset(train, validation, test, outputs, objective, answers)


def unfit(case: Any, shortest: int) -> str | None:
    """Why sequences of at least `shortest` steps cannot serve a case."""
    if case.model.name != "recurrent":
        return f"is read step by step: wants model 'recurrent', not {case.model.name!r}"
    if case.depth < shortest:
        return f"wants a depth of at least {shortest} time steps, not {case.depth}"
    return None
