"""Text as bytes, each predicted from those before it: people's own, or Python code that is installed anyway."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
from jaxtyping import Int, UInt8
from pydantic import Field

from vgbench.data.dataset import Dataset, Examples, Split
from vgbench.errors import InputError
from vgbench.models.problem import Frequencies, Objective, bits, cross_entropy
from vgbench.spec.fingerprint import fingerprint
from vgbench.spec.metric import BITS_PER_BYTE
from vgbench.spec.registry import DATA

VOCABULARY = 256
_CODE = "*.py"
HELD_OUT_FILES = 20
"""Of so many files in a row one validates and one tests; of a single file, so many pieces are dealt out likewise."""
HELD_OUT_WINDOWS = 128
"""Windows that validate, and as many that test, spread evenly over what is held out."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Windows:
    """Successive windows of a text, and for every byte the one that follows.

    Attributes:
        text: all bytes.
        length: of a window.
    """

    text: UInt8[Any, "bytes"]
    length: int = field(metadata={"static": True})

    @property
    def examples(self) -> int:
        """How many whole windows there are."""
        return (len(self.text) - 1) // self.length

    def take(self, numbers: Int[Any, "batch"]) -> Examples:
        """The windows of these numbers, float32[batch, length], and the bytes that follow, int32[batch, length]."""
        places = numbers[:, None] * self.length + np.arange(self.length + 1, dtype=np.int32)
        found = self.text[places]
        return found[:, :-1].astype(np.float32), found[:, 1:].astype(np.int32)


def _no_language_model(case: Any) -> str | None:
    name = case.model.name
    return None if name in ("causal_lm", "imported") else f"is a text of bytes: needs model 'causal_lm', not {name!r}"


@cache
def _installed() -> Path:
    """The folder of scikit-learn, on which vgbench depends."""
    package = find_spec("sklearn")
    assert package is not None
    assert package.submodule_search_locations is not None
    return Path(package.submodule_search_locations[0])


@cache
def _installed_digest() -> str:
    return fingerprint(str(_installed()), _CODE)


def _files(path: str | None) -> list[Path]:
    """The files to read, sorted by their paths: people's own, or the Python files of scikit-learn."""
    root = _installed() if path is None else Path(path)
    found = sorted(each for each in root.rglob("*" if path else _CODE) if each.is_file())
    return found if root.is_dir() else [root]


@DATA.register(
    source="Xue et al. 2022 (bytes as tokens); scikit-learn's source code",
    refuses=_no_language_model,
    installed=lambda _: _installed_digest(),
    metric=BITS_PER_BYTE,
    defaults={"target": 3.0},
)
def text(*, path: str | None = None, digest: str = "", length: Annotated[int, Field(ge=2, le=2**16)] = 128) -> Dataset:
    """UTF-8 text of a file or folder as bytes, in windows of `length`; without a path scikit-learn's Python files.

    Files are sorted by their paths; of every 20 in a row one validates and one tests. A single file is cut into pieces
    that are dealt out likewise.
    """
    texts = list(_texts(_files(path)))
    pieces = texts if len(texts) > 1 else _pieces(texts[0], length)
    train, validation, test = (b"".join(each) for each in _dealt(pieces))
    where = path or "the installed scikit-learn"
    windows = _windows(where, train, length, "train")
    return Dataset(
        train=windows,
        validation=_held_out(_windows(where, validation, length, "validate")),
        test=_held_out(_windows(where, test, length, "test")),
        outputs=VOCABULARY,
        objective=Objective(cross_entropy, bits, Frequencies.of(windows.text)),
        answers=length,
        vocabulary=VOCABULARY,
    )


def _texts(files: list[Path]) -> Iterator[bytes]:
    if not files:
        raise InputError("data 'text': there are no files")
    for file in files:
        try:
            content = file.read_bytes()
            content.decode()
        except OSError as error:
            raise InputError(f"{file}: cannot be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise InputError(f"{file}: is no UTF-8 text (byte {error.start})") from None
        yield content


def _pieces(content: bytes, length: int) -> list[bytes]:
    """A single text cut into many, each of some windows."""
    size = max(length + 1, len(content) // (10 * HELD_OUT_FILES))
    return [content[start : start + size] for start in range(0, len(content), size)]


def _dealt(texts: list[bytes]) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """What trains, validates and tests; of fewer than 20 texts the last ones are held out."""
    step = min(HELD_OUT_FILES, len(texts))
    test, validation = texts[step - 1 :: step], texts[max(step - 2, 0) :: step] if step > 1 else []
    return [each for i, each in enumerate(texts) if i % step < step - 2], validation, test


def _windows(place: str, content: bytes, length: int, purpose: str) -> Windows:
    windows = Windows(np.frombuffer(content, np.uint8), length)
    if windows.examples < 1:
        few = f"{len(content)} bytes to {purpose} with are no window of {length}"
        raise InputError(f"{place}: {few}; give more text, or a smaller length")
    return windows


def _held_out(windows: Windows) -> Split:
    """Some windows, evenly spaced."""
    count = min(HELD_OUT_WINDOWS, windows.examples)
    x, y = windows.take(np.linspace(0, windows.examples - 1, count).astype(np.int32))
    return Split(np.asarray(x), np.asarray(y))
