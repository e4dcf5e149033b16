"""`--log-file`: appends a line with the time to a file for every event of a run."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from vgbench.errors import InputError
from vgbench.harness.plan import Plan, Record, Task
from vgbench.harness.progress import Progress
from vgbench.plain import one_line
from vgbench.records.runs import Run
from vgbench.records.schema import Row


class Log:
    """An observer that writes to a file.

    Raises:
        InputError: the file cannot be written, now or later.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file: TextIO = path.open("a", encoding="utf-8")
        except OSError as error:
            raise InputError(f"--log-file {path}: cannot be written: {error.strerror}") from None

    def planned(self, plan: Plan, progress: Progress) -> None:
        """Log how much there is to measure."""
        for note in plan.notes:
            self._say(note)
        self._say(f"started: {progress}")

    def started(self, task: Task, progress: Progress) -> None:
        """Log the measurement that starts."""
        self._say(task.action)

    def ended(self, task: Task, record: Record, progress: Progress) -> None:
        """Log how a measurement ended."""
        reason = f": {record.reason}" if record.reason else ""
        self._say(f"{record.status}{reason} after {record.seconds:.1f} s ({progress})")

    def completed(self, run: Run, rows: Sequence[Row]) -> None:
        """The measurements of the rows are logged already."""

    def noted(self, note: str) -> None:
        """Log a note."""
        self._say(note)

    def stopping(self) -> None:
        """Log that the run received a request to stop."""
        self._say("received a request to stop")

    def _say(self, text: str) -> None:
        try:
            self._file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {one_line(text)}\n")
            self._file.flush()
        except OSError as error:
            raise InputError(
                f"--log-file {self._path}: cannot be written: {error.strerror}; every finished measurement is kept"
            ) from None
