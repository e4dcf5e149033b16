"""Records in few bytes, for publishing: digits that say nothing are left out, and the rest is compressed.

A norm that float32 arithmetic yields after tens of layers is exact to about 1e-6, and seeds differ by per cents.
"""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vgbench.boundary.archive import read_arrays
from vgbench.records.store import repack


@dataclass(frozen=True)
class Digits:
    """What is kept of numbers.

    Attributes:
        grain: decades of which each logarithm of a norm, a distance or a scale is kept as a multiple.
        bits: of the mantissa of other numbers.
    """

    grain: float
    bits: int


_AT_START = Digits(2.0**-16, 14)  # 0.0035 % of a norm and 0.003 % of other numbers
DIGITS = {
    "forward.": _AT_START,
    "gradients.": _AT_START,
    "training.snapshots.": Digits(2.0**-12, 10),  # 0.06 % and 0.05 %: there are tens of them for each seed
}
"""By where records hold what was read off the network layer by layer; metrics, times and all else are kept as is."""


def compact(path: Path) -> bytes:
    """The content of a record's file with the arrays of its profiles rounded, and all compressed more; idempotent.

    Raises:
        InputError: the record is missing, truncated or altered; the message names the file.
    """
    return repack(path, _compacted)


def _compacted(packed: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_LZMA) as file:
        for place, array in read_arrays(packed).items():
            with file.open(f"{place}.npy", "w") as member:
                np.lib.format.write_array(member, rounded(place, array), allow_pickle=False)
    return archive.getvalue()


def rounded(place: str, array: np.ndarray) -> np.ndarray:
    """The array that is kept of the one at a place of a record."""
    digits = next((digits for start, digits in DIGITS.items() if place.startswith(start)), None)
    if digits is None or array.dtype not in (np.float32, np.float64):
        return array
    if place.rpartition(".")[2].startswith("log10_"):
        kept = np.round(array / digits.grain) * digits.grain
    else:
        mantissa, exponent = np.frexp(array)
        kept = np.ldexp(np.round(mantissa * 2.0**digits.bits) / 2.0**digits.bits, exponent)
    return np.where(np.isfinite(array), kept, array).astype(array.dtype)
