"""A data set in three fixed splits, and the order in which its batches are drawn."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, TypeAlias

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Shaped, UInt32

from vgbench.errors import InputError
from vgbench.models.problem import CLASSIFICATION, Objective, Problem
from vgbench.spec.case import Case, digest_of_files
from vgbench.spec.registry import DATA, Choice

Examples: TypeAlias = tuple[Float[Any, "batch features"], Shaped[Any, "batch *answers"]]
"""Inputs and their targets."""

ENDLESS = 2**31
"""Examples of a stream: as many as there are int32 numbers for them."""


HELD_OUT = 1000
"""Examples that validate, and as many that test."""


class Split(NamedTuple):
    """Examples and their labels (or targets)."""

    x: Float[np.ndarray, "examples features"]
    y: Shaped[np.ndarray, "examples *answers"]

    @property
    def examples(self) -> int:
        """How many there are."""
        return len(self.y)

    def take(self, numbers: Int[Any, "batch"]) -> Examples:
        """The examples of these numbers."""
        return self.x[numbers], self.y[numbers]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Stream:
    """Examples without end, each generated on the device from its number.

    Attributes:
        key: of the whole stream, as plain numbers.
        generate: from an example's own key to one input and its target; equal streams have equal ones.
    """

    key: UInt32[Any, "2"]
    generate: Callable[[Array], tuple[Array, Array]] = field(metadata={"static": True})

    @property
    def examples(self) -> int:
        """The largest number of an example, since there is no end."""
        return ENDLESS

    @jax.jit
    def take(self, numbers: Int[Any, "batch"]) -> Examples:
        """The examples of these numbers."""
        key = jax.random.wrap_key_data(self.key)
        return jax.vmap(lambda number: self.generate(jax.random.fold_in(key, number)))(numbers)


class Windowed(Protocol):
    """Examples that are cut out of one array as they are needed."""

    @property
    def examples(self) -> int:
        """How many there are."""
        ...

    def take(self, numbers: Int[Any, "batch"]) -> Examples:
        """The examples of these numbers."""
        ...


class Dataset(NamedTuple):
    """A data set; inputs float32, standardised on the training split where they are measurements.

    Attributes:
        train: to learn from.
        validation: to choose the learning rate on.
        test: to report.
        outputs: numbers of one answer: the classes, labels being int32 in [0, outputs); 1 for a prediction.
        objective: the loss of answers, and what they are judged by.
        answers: at how many of the last time steps there is a target.
        vocabulary: how many tokens there are, where an example is made of their numbers; 0 for other data.
        resplit: from a seed to the same examples split anew, as many in each split and the same ones in validation;
            None where all seeds have the same splits.
    """

    train: Split | Stream | Windowed
    validation: Split
    test: Split
    outputs: int
    objective: Objective = CLASSIFICATION
    answers: int = 1
    vocabulary: int = 0
    resplit: "Callable[[int], Dataset] | None" = None

    def of_seed(self, seed: int) -> "Dataset":
        """The splits of one seed's runs."""
        return self if self.resplit is None else self.resplit(seed)

    @property
    def problem(self) -> Problem:
        """The learning problem that it poses."""
        return Problem(self.validation.x.shape[1], self.outputs, self.objective, self.answers, self.vocabulary)


def generated(
    generate: Callable[[Array], tuple[Array, Array]], objective: Objective, outputs: int, seed: int, answers: int = 1
) -> Dataset:
    """A data set of generated examples: an endless stream to train on, and 1,000 each to validate and to test.

    Args:
        generate: from a key to one input, Float[features], and its target; equal ones must compare equal.
        objective: the loss of answers, and what they are judged by.
        outputs: numbers of one answer.
        seed: of all three splits.
        answers: at how many of the last time steps there is a target.
    """
    keys = np.asarray(jax.random.key_data(jax.random.split(jax.random.key(seed), 3)))
    train, *held_out = (Stream(key, generate) for key in keys)
    validation, test = (Split(*map(np.asarray, each.take(np.arange(HELD_OUT)))) for each in held_out)
    return Dataset(train, validation, test, outputs, objective, answers)


OfLength: TypeAlias = Callable[[int], Dataset]
"""What a source of sequences returns: a function from the number of time steps to the data set."""


def load_dataset(case: Case) -> Dataset:
    """Load the data of `case`; sequences have as many time steps as the case has depth.

    Raises:
        InputError: the data cannot be read or have changed, or a batch would be larger than the training split.
    """
    dataset = _load(case.data)  # pyright: ignore[reportArgumentType]
    if not isinstance(dataset, Dataset):
        dataset = _of_length(case.data, case.depth)  # pyright: ignore[reportArgumentType]
    if case.batch_size > dataset.train.examples:
        raise InputError(
            f"batch_size: {case.batch_size} is more than the {dataset.train.examples} training examples of {case.data}"
        )
    return dataset


@lru_cache(maxsize=2)
def _load(choice: Choice) -> Dataset | OfLength:
    noted = getattr(choice, "digest", "")
    path: str | None = choice.options().get("path")
    of_installed = path is None and DATA[choice.name].installed is not None
    if (noted or of_installed) and digest_of_files(choice) != noted:
        place = "the installed files" if path is None else path
        raise InputError(f"{place}: is gone, or does not hold what it held when the case was made")
    return DATA.build(choice)


@lru_cache(maxsize=2)
def _of_length(choice: Choice, steps: int) -> Dataset:
    source: Any = _load(choice)  # pyright: ignore[reportArgumentType]
    return source(steps)


def batch_indices(examples: int, batch_size: int, steps: int, seed: int) -> Int[np.ndarray, "steps batch_size"]:
    """Draw the examples of every step: epochs shuffled anew without replacement, an incomplete last batch dropped.

    Of an endless stream every step gets new ones. Depends on nothing but the arguments, so that runs with one seed see
    the same batches in every cell.
    """
    draw = np.random.default_rng([seed, 0xDA7A])
    if examples == ENDLESS:
        return draw.integers(ENDLESS, size=(steps, batch_size), dtype=np.int64).astype(np.int32)
    batches = examples // batch_size
    epochs = [draw.permutation(examples)[: batches * batch_size] for _ in range(-(-steps // batches))]
    return np.concatenate(epochs).reshape(-1, batch_size)[:steps].astype(np.int32)
