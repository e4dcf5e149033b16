"""The data sources, one file each; importing this package registers them."""

from vgbench.data import digits as _digits
from vgbench.data import gaussian as _gaussian
from vgbench.data.dataset import Dataset, batch_indices, load_dataset

del _digits, _gaussian
__all__ = ["Dataset", "batch_indices", "load_dataset"]
