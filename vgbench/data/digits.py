"""Real handwritten digits that ship with scikit-learn: 1,797 images of 8 x 8 pixels in ten classes."""

import numpy as np

from vgbench.data.dataset import Dataset, Split
from vgbench.data.stratified import SplitSeed, split_by, stratified
from vgbench.spec.registry import DATA


@DATA.register(source="Alpaydin & Kaynak 1998; scikit-learn's load_digits")
def digits(*, split_seed: SplitSeed = None) -> Dataset:
    """Handwritten digits, 8 x 8: a fixed fifth validates; every seed, or `split_seed`, draws a fifth that tests."""
    from sklearn.datasets import load_digits  # here, since it takes as long to import as jax

    x, y = map(np.asarray, load_digits(return_X_y=True))

    def split(seed: int) -> Dataset:
        parts = train, *_ = stratified(y, seed)
        mean, std = x[train].mean(axis=0), x[train].std(axis=0)
        scale = np.where(std > 0, std, 1)  # border pixels that are always blank stay 0
        standardised = ((x - mean) / scale).astype(np.float32)
        return Dataset(*(Split(standardised[part], y[part].astype(np.int32)) for part in parts), outputs=10)

    return split_by(split_seed, split)
