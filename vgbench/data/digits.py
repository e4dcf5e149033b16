"""Real handwritten digits that ship with scikit-learn: 1,797 images of 8 x 8 pixels in ten classes."""

import numpy as np

from vgbench.data.dataset import Dataset, Split
from vgbench.data.stratified import stratified
from vgbench.spec.registry import DATA


@DATA.register(source="Alpaydin & Kaynak 1998; scikit-learn's load_digits")
def digits(*, split_seed: int = 0) -> Dataset:
    """Handwritten digits, 8 x 8: 60 % training, 20 % validation and 20 % test, stratified, fixed by `split_seed`."""
    from sklearn.datasets import load_digits  # here, since it takes as long to import as jax

    x, y = map(np.asarray, load_digits(return_X_y=True))
    train, validation, test = stratified(y, split_seed)
    mean, std = x[train].mean(axis=0), x[train].std(axis=0)
    scale = np.where(std > 0, std, 1)  # border pixels that are always blank stay 0

    def standardised(chosen: np.ndarray) -> Split:
        return Split(((x[chosen] - mean) / scale).astype(np.float32), y[chosen].astype(np.int32))

    return Dataset(standardised(train), standardised(validation), standardised(test), outputs=10)
