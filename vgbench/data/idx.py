"""A user's own images in the IDX format, that of MNIST."""

import gzip
import zlib
from pathlib import Path

import numpy as np

from vgbench.data.arrays import from_arrays
from vgbench.data.dataset import Dataset
from vgbench.errors import InputError
from vgbench.spec.registry import DATA

FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


@DATA.register(source="LeCun, Cortes & Burges 1998, the MNIST database; the files are not part of vgbench")
def idx(*, path: str, digest: str = "", split_seed: int = 0) -> Dataset:
    """A folder with MNIST's four files, gzipped or not; a fifth of the training examples validates."""
    arrays = {name: read_idx(find_idx(Path(path), stem)) for name, stem in FILES.items()}
    return from_arrays(path, arrays, split_seed)


def find_idx(folder: Path, stem: str) -> Path:
    """The file of that name, gzipped or not, also where a dot stands for the second hyphen (as in some copies).

    Raises:
        InputError: there is none.
    """
    names = [name + suffix for name in (stem, stem.replace("-idx", ".idx")) for suffix in ("", ".gz")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"{folder}: no file {' or '.join(names)}")


def read_idx(path: Path) -> np.ndarray:
    """Read one IDX file: two zeros, a type, the number of axes, their lengths, all big-endian, then the numbers.

    Raises:
        InputError: the file cannot be read, or its content does not fit its header; names it.
    """
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _TYPES:
        raise InputError(f"{path}: not an IDX file (it begins with {content[:4].hex(' ') or 'nothing'})")
    kind, axes = np.dtype(_TYPES[content[2]]), content[3]
    start = 4 + 4 * axes
    shape = tuple(np.frombuffer(content[4:start], ">u4").tolist()) if len(content) >= start else ()
    held, stated = len(content) - start, int(np.prod(shape, dtype=object)) * kind.itemsize
    if len(shape) != axes or held != stated:
        raise InputError(
            f"{path}: damaged: its header states {stated} bytes of shape {shape}, and {max(held, 0)} follow"
        )
    return np.frombuffer(content, kind, offset=start).reshape(shape).astype(kind.newbyteorder("="))
