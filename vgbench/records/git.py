"""What git knows of a checkout, read so that nothing in the checkout can start a program.

A repository's configuration can name programs: for signatures, filters, hooks, watched files, missing objects. Here git
reads it once, to say where the objects lie. Everything else is asked of an empty repository of our own that looks at
those objects, so that there is no configuration to obey. The user's own configuration, which no checkout can write,
counts: it says which folders of other users are safe, and how lines end.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_DIGITS = "--abbrev=12"
_OF_ANOTHER = (
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CONFIG", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT", "GIT_DIR"),
    *("GIT_OBJECT_DIRECTORY", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_GRAFT_FILE", "GIT_INDEX_FILE"),
    *("GIT_REPLACE_REF_BASE", "GIT_PREFIX", "GIT_SHALLOW_FILE", "GIT_COMMON_DIR", "GIT_NAMESPACE"),
)
"""Variables that tie git to one repository (`git rev-parse --local-env-vars`): those of a hook that runs vgbench would
have another one answer."""


@dataclass(frozen=True)
class Checkout:
    """A folder of a checkout, while it is open.

    Attributes:
        root: the topmost folder of the checkout.
        prefix: the folder's path below it, empty or with a slash at its end.
        environment: variables with which git reads the objects of the checkout and none of its configuration.
    """

    root: Path
    prefix: str
    environment: Mapping[str, str]

    def commit(self) -> str | None:
        """The commit that is checked out, at least 12 digits, and `-dirty` unless git says that it holds every file."""
        commit = self._git("rev-list", "--max-count=1", "--abbrev-commit", _DIGITS, "HEAD")
        changes = self._git("status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all", "--no-renames")
        return commit and f"{commit.strip()}{'' if changes == '' else '-dirty'}"

    def history(self, name: str) -> Iterator[tuple[str, str]]:
        """The commits that changed a file of the folder, the newest first, each with its date (ISO 8601, UTC).

        It ends before a commit with a date that no calendar has.
        """
        listed = self._git("rev-list", "--timestamp", "--abbrev-commit", _DIGITS, "HEAD", "--", self.prefix + name)
        for line in (listed or "").splitlines():
            seconds, commit = line.split()
            try:
                date = datetime.fromtimestamp(int(seconds), UTC)
            except (ValueError, OverflowError, OSError):  # a commit of the year 10000
                return
            yield commit, date.isoformat()

    def content(self, commit: str, name: str) -> str:
        """What a file of the folder held in a commit; nothing where it was not there."""
        return self._git("cat-file", "blob", f"{commit}:{self.prefix}{name}") or ""

    def _git(self, *arguments: str) -> str | None:
        return _git(self.root, "-c", "core.fsmonitor=false", *arguments, environment=self.environment)


@contextmanager
def opened(folder: Path) -> Iterator[Checkout | None]:
    """Open the checkout that a folder lies in; None where there is none, or no git."""
    asked = ("--show-object-format", "--show-toplevel", "--show-prefix", *_paths("objects", "index", "shallow"), "HEAD")
    said = (_git(folder, "rev-parse", *asked) or "").split("\n")
    if len(said) != 8:  # with the empty text behind the last line; a path may hold a line's end
        yield None
        return
    form, root, prefix, *places, head, _ = said
    objects, index, shallow = (str(folder / place) for place in places)
    with tempfile.TemporaryDirectory(prefix="vgbench-") as empty:
        _git(folder, "init", "--quiet", "--bare", "--template=", f"--object-format={form}", empty)
        (Path(empty) / "HEAD").write_text(f"{head}\n")
        lies = {"GIT_OBJECT_DIRECTORY": objects, "GIT_INDEX_FILE": index, "GIT_SHALLOW_FILE": shallow}
        yield Checkout(Path(root), prefix, {"GIT_DIR": empty, "GIT_WORK_TREE": root, **lies})


def _paths(*names: str) -> Iterator[str]:
    for name in names:
        yield from ("--git-path", name)


def _git(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str | None:
    """What git says; None where it fails, or there is none."""
    command = ["git", "--no-pager", "--no-optional-locks", "--literal-pathspecs", "-C", str(folder), *arguments]
    users = {name: value for name, value in os.environ.items() if name not in _OF_ANOTHER}
    try:
        done = subprocess.run(command, capture_output=True, check=True, env={**users, **(environment or {})})
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None
    return os.fsdecode(done.stdout)
