"""What the terminal shows of a report, kept beside it, so that a run with nothing left to do shows it at once."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from rich.text import Text

from vgbench.boundary.files import write_bytes
from vgbench.records.own_files import SHOWN
from vgbench.records.store import LARGEST_FILE, read_plain
from vgbench.spec.registry import plugin_packages

_PACKAGE = Path(__file__).parents[1]
_SOURCE = {".py", ".jinja", ".css", ".js", ".toml", ".ttf"}
_PACKAGES = (
    "altair",
    "jax",
    "jinja2",
    "markupsafe",
    "numpy",
    "pandas",
    "rich",
    "scipy",
    "tabulate",
    "vl-convert-python",
)


class _Line(BaseModel):
    """A line as parts of text with their styles, and whether it is part of a table, which is not wrapped."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parts: tuple[tuple[str, str], ...]
    whole: bool

    @classmethod
    def of(cls, line: Text) -> "_Line":
        ends = sorted({0, len(line.plain), *(place for span in line.spans for place in (span.start, span.end))})
        parts = []
        for start, end in pairwise(ends):
            over = [span.style for span in line.spans if span.start <= start and end <= span.end]
            styles = [str(style) for style in (line.style, *over)]
            parts.append((line.plain[start:end], " ".join(style for style in styles if style != "none").strip()))
        return cls(parts=tuple(parts), whole=bool(line.no_wrap))

    def text(self) -> Text:
        return Text.assemble(*self.parts, no_wrap=self.whole or None)


class Kept(BaseModel):
    """What was shown of a report.

    Attributes:
        made_from: a digest of the records and of what makes reports of them.
        files: of the report, each with the digest of its content.
        all_ok: whether every measurement is there and ok.
        lines: what was shown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    made_from: str
    files: dict[str, str]
    all_ok: bool
    lines: tuple[_Line, ...]

    @property
    def texts(self) -> list[Text]:
        """The lines as rich prints them."""
        return [line.text() for line in self.lines]


def kept(root: Path) -> Kept | None:
    """What was shown of the report of a run, where the same records would be shown in the same way now.

    None where a record, a file of the report, vgbench or a package that makes reports has changed since.
    """
    try:
        found = Kept.model_validate_json(read_plain(root / SHOWN, root, LARGEST_FILE))
        same = found.made_from == _made_from(root) and all(
            _digest(root / name) == was for name, was in found.files.items()
        )
    except (OSError, ValueError):  # the last also where it is not what `keep` writes
        return None
    return found if same else None


def keep(root: Path, files: Iterable[Path], lines: Sequence[Text], *, all_ok: bool) -> None:
    """Keep what is shown of the report that was just written.

    Raises:
        OSError: it cannot be written.
    """
    digests = {file.name: _digest(file) for file in files}
    found = Kept(made_from=_made_from(root), files=digests, all_ok=all_ok, lines=tuple(map(_Line.of, lines)))
    write_bytes(root / SHOWN, f"{found.model_dump_json()}\n".encode())


def _made_from(root: Path) -> str:
    packages = [f"{name} {version(name)}" for name in _PACKAGES] + [str(each) for each in plugin_packages()]
    source = sorted(path for path in _PACKAGE.rglob("*") if path.suffix in _SOURCE)
    patterns = ("*/manifest.json", "*/c*s/*.json", "*/c*s/*.json.gz", "*/c*s/*.npz")
    records = [path for pattern in patterns for path in sorted(root.glob(pattern))]
    digest = hashlib.sha256(json.dumps(packages).encode())
    for top, paths in ((_PACKAGE, source), (root, records)):
        for path in paths:
            digest.update(f"{path.relative_to(top).as_posix()}\0{_digest(path)}\0".encode())
    return digest.hexdigest()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
