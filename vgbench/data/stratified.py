"""Three stratified splits of labelled examples, for sources whose files do not fix them."""

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, TypeAlias

import numpy as np
from jaxtyping import Int
from pydantic import Field

from vgbench.data.dataset import Dataset

SplitSeed: TypeAlias = Annotated[int, Field(ge=0, lt=2**32)] | None
"""The type of an option that fixes the split of all seeds; None has every seed split the examples anew."""


def split_by(split_seed: int | None, split: Callable[[int], Dataset]) -> Dataset:
    """The data as `split` splits them: by `split_seed`, or where that is None for every seed anew."""
    if split_seed is not None:
        return split(split_seed)
    split = lru_cache(maxsize=16)(split)
    return split(0)._replace(resplit=split)


def stratified(y: Int[np.ndarray, "examples"], split_seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The numbers of the examples that train (60 %), validate (20 %) and test (20 %), every class in each.

    The same ones validate whatever the seed, which splits the others: no learning rate that was chosen on them, by runs
    of any seed, has been chosen on examples that test.
    """
    seen, validation = _split(np.arange(len(y)), y, len(y) // 5, 0)
    train, test = _split(seen, y[seen], -(-len(y) // 5), split_seed)
    return train, validation, test


def _split(indices: np.ndarray, labels: np.ndarray, second: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The indices in two parts, the second of which is so large."""
    from sklearn.model_selection import train_test_split  # here, since it takes as long to import as jax

    parts = train_test_split(indices, test_size=second, stratify=labels, random_state=seed)
    return np.asarray(parts[0]), np.asarray(parts[1])
