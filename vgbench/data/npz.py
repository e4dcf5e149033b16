"""A user's own arrays in a NumPy archive."""

from pathlib import Path

import numpy as np

from vgbench.boundary.archive import UNZIP_ERRORS
from vgbench.data.arrays import NAMES, from_arrays
from vgbench.data.dataset import Dataset
from vgbench.errors import InputError
from vgbench.spec.registry import DATA


@DATA.register(source="numpy.savez; the file is not part of vgbench")
def npz(*, path: str, digest: str = "", split_seed: int = 0) -> Dataset:
    """Arrays x_train, y_train, x_test and y_test of a .npz file; a fifth of the training examples validates."""
    try:
        with np.load(Path(path), allow_pickle=False) as archive:
            arrays = {name: _read(path, archive, name) for name in NAMES}
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError, AttributeError, TypeError, *UNZIP_ERRORS) as error:
        raise InputError(f"{path}: not an .npz file that can be read ({error})") from None
    return from_arrays(path, arrays, split_seed)


def _read(path: str, archive: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    if name not in archive:
        raise InputError(f"{path}: no array {name} (there are: {', '.join(archive.files) or 'none'})")
    try:
        return archive[name]
    except (OSError, ValueError, *UNZIP_ERRORS) as error:
        raise InputError(f"{path}: {name} cannot be read ({error})") from None
