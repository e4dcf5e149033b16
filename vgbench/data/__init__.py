"""The data sources, one file each; importing this package registers them."""

from vgbench.data import adding as _adding
from vgbench.data import copy_memory as _copy_memory
from vgbench.data import digits as _digits
from vgbench.data import fashion_mnist as _fashion_mnist
from vgbench.data import gaussian as _gaussian
from vgbench.data import huggingface as _huggingface
from vgbench.data import idx as _idx
from vgbench.data import npz as _npz
from vgbench.data import temporal_order as _temporal_order
from vgbench.data import text as _text
from vgbench.data import ucr as _ucr
from vgbench.data.dataset import Dataset, batch_indices, load_dataset

del _adding, _copy_memory, _digits, _fashion_mnist, _gaussian, _huggingface, _idx, _npz, _temporal_order, _text, _ucr
__all__ = ["Dataset", "batch_indices", "load_dataset"]
