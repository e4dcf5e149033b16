"""The progress of a run on the terminal: a bar that names the current task, or lines if the output is no terminal."""

from contextlib import suppress
from types import TracebackType

from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as RichProgress

from vgbench.cli.terminal import Terminal
from vgbench.harness.plan import Plan, Record, Task
from vgbench.harness.progress import Progress
from vgbench.plain import one_line


class ProgressBar:
    """An observer of a run. If the output is not a terminal, it prints a line for each measurement."""

    def __init__(self) -> None:
        self._console = Terminal(stderr=True)
        self._bar = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[progress]}", markup=False),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._id = self._bar.add_task("starting the worker", total=None, progress="")

    def __enter__(self) -> "ProgressBar":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def planned(self, plan: Plan, progress: Progress) -> None:
        """Show how much there is to measure."""
        for note in plan.notes:
            self._say(note)
        if plan.present:
            self._say(f"{len(plan.present)} of {progress.total} measurements are there already")
        if progress.failed:
            self._say(f"{progress.failed} of them failed (--retry-failed repeats those)")
        self._show(progress)

    def started(self, task: Task, progress: Progress) -> None:
        """Show the task that starts."""
        if self._bar.disable:
            self._say(f"{task.action} ({progress})")
        self._bar.update(self._id, description=one_line(task.action))
        self._show(progress)

    def ended(self, task: Task, record: Record, progress: Progress) -> None:
        """Count the task; report a failure, and at the end the number of compiled programs."""
        if record.status != "ok":
            self._say(f"{task.label}: {record.status}: {record.reason}")
        if not progress.left and progress.cells:
            self._say(f"{progress.programs} programs compiled for {progress.cells} cells")
        self._show(progress)

    def noted(self, note: str) -> None:
        """Print a note."""
        self._say(note)

    def stopping(self) -> None:
        """Report that the run will stop."""
        self._say("stopping after the current measurement; press Ctrl-C again to stop at once")

    def _say(self, text: str) -> None:
        with suppress(OSError):  # a closed output is no reason to stop measuring
            self._console.print(one_line(text), markup=False, highlight=False, soft_wrap=True)

    def _show(self, progress: Progress) -> None:
        done = progress.total - progress.left
        self._bar.update(self._id, total=progress.total, completed=done, progress=str(progress))
