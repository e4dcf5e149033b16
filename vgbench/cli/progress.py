"""How a run stands, for the terminal: a bar that names what runs now, or plain lines where nobody watches."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as RichProgress

from vgbench.harness.standing import Standing
from vgbench.harness.tasks import Plan, Record, Task


class Progress:
    """An observer of a run. Where the output is no terminal, it prints a line for each measurement."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[standing]}", markup=False),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._id = self._bar.add_task("starting the worker", total=None, standing="")

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def planned(self, plan: Plan, standing: Standing) -> None:
        """Show how much is to be done."""
        for note in plan.notes:
            self._say(note)
        if plan.present:
            self._say(f"{len(plan.present)} of {standing.total} measurements are there already")
        if standing.failed:
            self._say(f"{standing.failed} of them failed (--retry-failed repeats those)")
        self._show(standing)

    def started(self, task: Task, standing: Standing) -> None:
        """Name the task that runs now."""
        if self._bar.disable:
            self._say(f"{task.action} ({standing})")
        self._bar.update(self._id, description=task.action)
        self._show(standing)

    def ended(self, task: Task, record: Record, standing: Standing) -> None:
        """Count the task, say so if something went wrong, and at the end how many programs the cells shared."""
        if record.status != "ok":
            self._say(f"{task.label}: {record.status}: {record.reason}")
        if not standing.left and standing.cells:
            self._say(f"{standing.programs} programs compiled for {standing.cells} cells")
        self._show(standing)

    def stopping(self) -> None:
        """Say that Ctrl-C was heard."""
        self._say("stopping after what runs now; press Ctrl-C again to stop at once")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _show(self, standing: Standing) -> None:
        done = standing.total - standing.left
        self._bar.update(self._id, total=standing.total, completed=done, standing=str(standing))
