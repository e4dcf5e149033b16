"""Three stratified splits of labelled examples, for sources whose files do not fix them."""

import numpy as np
from jaxtyping import Int


def stratified(y: Int[np.ndarray, "examples"], split_seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The numbers of the examples that train (60 %), validate (20 %) and test (20 %), every class in each."""
    train, rest = _split(np.arange(len(y)), y, 0.4, split_seed)
    validation, test = _split(rest, y[rest], 0.5, split_seed)
    return train, validation, test


def _split(indices: np.ndarray, labels: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.model_selection import train_test_split  # here, since it takes as long to import as jax

    first, second = train_test_split(indices, test_size=share, stratify=labels, random_state=seed)
    return np.asarray(first), np.asarray(second)
