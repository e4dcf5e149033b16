"""Arrays of an untrusted .npz archive: nothing is unpickled or evaluated, and sizes are checked before unpacking."""

import io
import lzma
import math
import re
import zipfile
import zlib
from typing import Any

import numpy as np

LARGEST = 2**30
"""Largest total size of a record's arrays, in bytes."""
UNZIP_ERRORS = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError),
    *(EOFError, NotImplementedError, RuntimeError, MemoryError),
)
"""The errors that `zipfile` raises for damaged archives, besides `OSError` and `ValueError`."""

_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00(?P<length>..)"
    rb"\{'descr': '(?P<dtype>\|b1|\|[iu]1|<[iuf][248])', 'fortran_order': (?P<fortran>True|False), "
    rb"'shape': \((?P<shape>|\d{1,12},|\d{1,12}(?:, \d{1,12}){1,7})\), \} *\n",
    re.DOTALL,
)
"""The header of an array of numbers or booleans, as `numpy.save` writes it."""


def read_arrays(packed: bytes) -> dict[str, np.ndarray]:
    """The arrays of an archive that `numpy.savez_compressed` wrote, or one like it, by name; they are read-only.

    Raises:
        ValueError: the archive is damaged, holds anything but arrays of numbers, or more than `LARGEST` bytes of them.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            members = archive.infolist()
            if len({member.filename for member in members}) < len(members):
                raise ValueError("two arrays have the same name")
            if sum(member.file_size for member in members) > LARGEST:
                raise ValueError(f"its arrays take more than {LARGEST >> 20} MiB")
            return {member.filename.removesuffix(".npy"): _read(archive, member) for member in members}
    except UNZIP_ERRORS as error:
        raise ValueError(f"its arrays cannot be unpacked: {error}") from None


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as file:
        content = file.read(member.file_size)  # a member that holds more than it declares fails its checksum
    head = _HEADER.match(content)
    if head is None or len(content) != member.file_size or not member.filename.endswith(".npy"):
        raise ValueError(f"{member.filename[:80]!r} is not an array of numbers")
    dtype, order = np.dtype(head["dtype"].decode()), "F" if head["fortran"] == b"True" else "C"
    shape = tuple(int(length) for length in head["shape"].replace(b",", b" ").split())
    count, start = math.prod(shape), head.end()
    fits = start == 10 + int.from_bytes(head["length"], "little") and len(content) - start == count * dtype.itemsize
    if not fits or (dtype == np.bool_ and max(content[start:], default=0) > 1):
        raise ValueError(f"{member.filename[:80]!r} does not match its header")
    flat: np.ndarray[Any, Any] = np.frombuffer(content, dtype, count, start)
    return flat.reshape(shape, order=order)
