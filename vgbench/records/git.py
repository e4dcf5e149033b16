"""Reads the git history of a checkout without running any program that the checkout names.

A repository's configuration can name programs: for signatures, filters, hooks, watched files, missing objects. Here git
reads it only once, to find the folder of the objects. All other commands run in an empty temporary repository that uses
these objects, and therefore has no such configuration. The user's own configuration, which no checkout can write, still
applies: it says which folders of other users are safe, and how lines end.
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
_REPOSITORY_VARIABLES = (
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CONFIG", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT", "GIT_DIR"),
    *("GIT_OBJECT_DIRECTORY", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_GRAFT_FILE", "GIT_INDEX_FILE"),
    *("GIT_REPLACE_REF_BASE", "GIT_PREFIX", "GIT_SHALLOW_FILE", "GIT_COMMON_DIR", "GIT_NAMESPACE"),
)
"""Variables that bind git to one repository (`git rev-parse --local-env-vars`). If a git hook runs vgbench, they name
the hook's repository."""


@dataclass(frozen=True)
class Checkout:
    """A folder in an open checkout.

    Attributes:
        root: the topmost folder of the checkout.
        prefix: the folder's path below it, empty or ending with a slash.
        environment: variables with which git reads the objects of the checkout but not its configuration.
    """

    root: Path
    prefix: str
    environment: Mapping[str, str]

    def commit(self) -> str | None:
        """The current commit with at least 12 digits, followed by `-dirty` unless git reports that no file differs."""
        commit = self._git("rev-list", "--max-count=1", "--abbrev-commit", _DIGITS, "HEAD")
        changes = self._git("status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all", "--no-renames")
        return commit and f"{commit.strip()}{'' if changes == '' else '-dirty'}"

    def history(self, name: str) -> Iterator[tuple[str, str]]:
        """The commits that changed a file of the folder, the newest first, each with its date (ISO 8601, UTC).

        The list ends before a commit whose date is out of range.
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
        """The content of a file of the folder in a commit; empty if the file did not exist."""
        return self._git("cat-file", "blob", f"{commit}:{self.prefix}{name}") or ""

    def _git(self, *arguments: str) -> str | None:
        return _git(self.root, "-c", "core.fsmonitor=false", *arguments, environment=self.environment)


@contextmanager
def opened(folder: Path) -> Iterator[Checkout | None]:
    """Open the checkout that contains a folder; None if there is no checkout or no git."""
    asked = ("--show-object-format", "--show-toplevel", "--show-prefix", *_paths("objects", "index", "shallow"), "HEAD")
    said = (_git(folder, "rev-parse", *asked) or "").split("\n")
    if len(said) != 8:  # including the empty text after the last line; a path may contain a line break
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
    """The output of git; None if it fails or is not installed."""
    command = ["git", "--no-pager", "--no-optional-locks", "--literal-pathspecs", "-C", str(folder), *arguments]
    users = {name: value for name, value in os.environ.items() if name not in _REPOSITORY_VARIABLES}
    try:
        done = subprocess.run(command, capture_output=True, check=True, env={**users, **(environment or {})})
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None
    return os.fsdecode(done.stdout)
