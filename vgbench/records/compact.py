"""Records in few bytes, for publishing: digits that say nothing are left out, and the rest is compressed.

A norm that float32 arithmetic yields after tens of layers is exact to about 1e-6, and seeds differ by per cents.
"""

import io
import zipfile
from pathlib import Path

import numpy as np

from vgbench.boundary.archive import read_arrays
from vgbench.records.store import repack

GRAIN = 2.0**-16
"""Decades of which each logarithm of a norm, a distance or a scale is kept as a multiple: 0.0035 % of the norm."""
BITS = 14
"""Bits of the mantissa that are kept of the other numbers of profiles, 0.003 % of the number."""
_PROFILES = ("forward.", "gradients.", "training.snapshots.")
"""Where records hold what was read off the network layer by layer; metrics, times and all else are kept as they are."""


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
    if not (place.startswith(_PROFILES) and array.dtype in (np.float32, np.float64)):
        return array
    if place.rpartition(".")[2].startswith("log10_"):
        kept = np.round(array / GRAIN) * GRAIN
    else:
        mantissa, exponent = np.frexp(array)
        kept = np.ldexp(np.round(mantissa * 2.0**BITS) / 2.0**BITS, exponent)
    return np.where(np.isfinite(array), kept, array).astype(array.dtype)
