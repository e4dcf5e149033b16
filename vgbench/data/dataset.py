"""A labelled data set in three fixed splits, and the order in which its batches are drawn."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from vgbench.case import Case
from vgbench.errors import InputError
from vgbench.fingerprint import fingerprint
from vgbench.registry import DATA, Choice


class Split(NamedTuple):
    """Examples and their labels."""

    x: Float[np.ndarray, "examples features"]
    y: Int[np.ndarray, "examples"]


class Dataset(NamedTuple):
    """A data set; inputs float32, standardised on the training split; labels int32 in [0, classes)."""

    train: Split
    validation: Split
    test: Split
    classes: int

    @property
    def features(self) -> int:
        """Size of one input."""
        return self.train.x.shape[1]


def load_dataset(case: Case) -> Dataset:
    """Load the data of `case`.

    Raises:
        InputError: the data cannot be read or have changed, or a batch would be larger than the training split.
    """
    dataset = _load(case.data)  # pyright: ignore[reportArgumentType]
    if case.batch_size > len(dataset.train.y):
        raise InputError(
            f"batch_size: {case.batch_size} is more than the {len(dataset.train.y)} training examples of {case.data}"
        )
    return dataset


@lru_cache(maxsize=2)
def _load(choice: Choice) -> Dataset:
    noted = getattr(choice, "digest", "")
    if noted and fingerprint(path := choice.options()["path"]) != noted:
        raise InputError(f"{path}: is gone, or does not hold what it held when the case was made")
    return DATA.build(choice)


def batch_indices(examples: int, batch_size: int, steps: int, seed: int) -> Int[np.ndarray, "steps batch_size"]:
    """Draw the examples of every step: epochs shuffled anew without replacement, an incomplete last batch dropped.

    Depends on nothing but the arguments, so that runs with one seed see the same batches in every cell.
    """
    draw = np.random.default_rng([seed, 0xDA7A])
    batches = examples // batch_size
    epochs = [draw.permutation(examples)[: batches * batch_size] for _ in range(-(-steps // batches))]
    return np.concatenate(epochs).reshape(-1, batch_size)[:steps].astype(np.int32)
