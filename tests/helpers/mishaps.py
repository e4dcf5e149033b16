"""A disk that fills up, and a process that is killed, at a chosen moment."""

import errno
import io
import os
from collections.abc import Callable
from typing import Any

import pytest

from vgbench.errors import InputError

_STEPS = ("mkdir", "replace", "rename", "unlink", "rmdir", "fsync")


class Killed(BaseException):
    """The process is no more: whatever it would still do to files does not happen."""


class Disk:
    """What this process does to files in here ends where the disk is full, or where the process is killed.

    Args:
        room: bytes that fit on the disk; no limit if None.
        steps: changes to files and folders that the process makes before it is killed; it is not if None.
    """

    def __init__(self, *, room: int | None = None, steps: int | None = None) -> None:
        self._room, self._steps = room, steps
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> "Disk":
        for name in _STEPS:
            self._patch.setattr(os, name, self._counted(getattr(os, name)))
        opened = io.open

        def open_(file: Any, mode: str = "r", *more: Any, **options: Any) -> Any:
            if mode != "wb":
                return opened(file, mode, *more, **options)
            self._step()
            found = opened(file, mode, *more, **options)
            return _Writer(found, self)

        self._patch.setattr(io, "open", open_)
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.undo()

    def stops(self, action: Callable[[], object]) -> bool:
        """Whether the mishap befell an action."""
        try:
            action()
        except Killed:
            return True
        except (OSError, InputError) as error:
            if os.strerror(errno.ENOSPC) not in str(error):
                raise
            return True
        return False

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self._step()
            return function(*arguments, **options)

        return counted

    def _step(self) -> None:
        if self._steps is not None:
            if self._steps == 0:
                raise Killed
            self._steps -= 1

    def take(self, content: bytes) -> bytes:
        """As much of the content as fits."""
        self._step()
        fits = content if self._room is None else content[: self._room]
        if self._room is not None:
            self._room -= len(fits)
        return fits


class _Writer:
    """A file that is open for writing."""

    def __init__(self, file: Any, disk: Disk) -> None:
        self._file, self._disk = file, disk

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, content: bytes) -> None:
        fits = self._disk.take(content)
        self._file.write(fits)
        self._file.flush()
        if len(fits) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._file.name)
