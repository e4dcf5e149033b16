"""The progress of a run: on a terminal the rows that are complete above a bar, elsewhere lines."""

from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType

from rich.live import Live
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as RichProgress

from vgbench.cli.filling import FillingTable
from vgbench.cli.terminal import Terminal
from vgbench.harness.plan import Plan, Record, Task
from vgbench.harness.progress import Progress
from vgbench.plain import one_line
from vgbench.records.runs import Run
from vgbench.records.schema import Row


class ProgressBar:
    """An observer of a run.

    On a terminal it shows the table of the complete rows, what the place has shown that was completed last, and a bar
    that names the current task. Nothing is drawn between events, so that no timing is disturbed. If the output is no
    terminal, it prints a line for each measurement that begins, each row that is complete and each finding.
    """

    def __init__(self) -> None:
        self._console = Terminal(stderr=True)
        self._drawn = self._console.is_terminal and not self._console.is_dumb_terminal
        self._bar = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[progress]}", markup=False),
            console=self._console,
        )
        self._id = self._bar.add_task("starting the worker", total=None, progress="")
        self._table = FillingTable(self._bar)
        self._live = Live(self._table, console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> "ProgressBar":
        if self._drawn:
            self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawn:
            self._live.stop()

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
        if not self._drawn:
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

    def completed(self, run: Run, rows: Sequence[Row]) -> None:
        """Show the rows, and what their place has shown where it is complete."""
        from vgbench.cli.host import stay_on_host
        from vgbench.report.so_far import SoFar

        stay_on_host()
        found = SoFar.of(run)
        findings = found.findings(rows)
        if self._drawn:
            self._table.fill(found.table, findings)
            self._refresh()
            return
        for line in (*map(found.line, rows), *findings):
            self._say(line)

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
        self._refresh()

    def _refresh(self) -> None:
        if self._drawn:
            with suppress(OSError):
                self._live.refresh()
