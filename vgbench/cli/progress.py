"""A progress bar that names what runs now and says how much time is left."""

from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as RichProgress

from vgbench.harness.estimate import Estimate
from vgbench.harness.worker import Task
from vgbench.records import CellRecord, CostRecord


class Progress:
    """An observer of a run, for the terminal; one plain line a task where the output is no terminal."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._id = self._bar.add_task("planning", total=None, left="")
        self._estimate = Estimate(())

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def planned(self, missing: Sequence[Task], finished: int, notes: Sequence[str]) -> None:
        """Show how much is to be done."""
        for note in notes:
            self._console.print(note, markup=False, highlight=False, soft_wrap=True)
        if finished:
            self._console.print(f"{finished} of {finished + len(missing)} measurements are there already")
        self._estimate = Estimate(missing)
        self._bar.update(self._id, total=finished + len(missing), completed=finished)

    def started(self, task: Task) -> None:
        """Name the task that runs now."""
        verb = "measuring" if task.kind == "cell" else "timing"
        if self._bar.disable:
            self._console.print(f"{verb} {task.label} {self._left()}", markup=False, highlight=False, soft_wrap=True)
        self._bar.update(self._id, description=f"{verb} {task.label}", left=self._left())

    def ended(self, task: Task, record: CellRecord | CostRecord) -> None:
        """Count the task, and say so if something went wrong."""
        self._estimate.ended(task, record.seconds)
        if record.status != "ok":
            self._console.print(
                f"{task.label}: {record.status}: {record.reason}", markup=False, highlight=False, soft_wrap=True
            )
        self._bar.update(self._id, advance=1, left=self._left())

    def _left(self) -> str:
        seconds = self._estimate.seconds_left()
        return "" if seconds is None else f"about {seconds // 60:.0f}:{seconds % 60:02.0f} left"
