"""A suite that is run in no time, and an observer that keeps all that it hears."""

from collections.abc import Sequence

from vgbench.harness.plan import Plan, Task
from vgbench.harness.progress import Progress
from vgbench.records.runs import Run
from vgbench.records.schema import CellRecord, CostRecord, Row
from vgbench.spec.suite import Suite

TINY = Suite(
    name="tiny",
    title="Tiny",
    question="Does it run?",
    baseline={
        "width": 4,
        "activation": "tanh",
        "optimizer": "sgd",
        "learning_rates": [0.1],
        "data": {"name": "gaussian", "features": 4, "examples": 16},
        "batch_size": 8,
        "steps": 4,
        "seeds": [0, 1],
        "tuning_seeds": [],
    },
    mitigations={"relu": {"activation": "relu", "steps": 0}},
    sweep={"depth": [2]},
)


class Log:
    """An observer that keeps all that it is informed of."""

    def __init__(self) -> None:
        self.missing: list[Task] = []
        self.finished = -1
        self.notes: list[str] = []
        self.begun: list[Task] = []
        self.done: list[tuple[Task, CellRecord | CostRecord]] = []
        self.progresses: list[Progress] = []
        self.stops = 0
        self.rows: list[tuple[Run, list[Row]]] = []

    def planned(self, plan: Plan, progress: Progress) -> None:
        self.missing, self.finished, self.notes = list(plan.missing), len(plan.present), list(plan.notes)
        self.progresses.append(progress)

    def started(self, task: Task, progress: Progress) -> None:
        self.begun.append(task)

    def ended(self, task: Task, record: CellRecord | CostRecord, progress: Progress) -> None:
        self.done.append((task, record))
        self.progresses.append(progress)

    def completed(self, run: Run, rows: Sequence[Row]) -> None:
        self.rows.append((run, list(rows)))

    def noted(self, note: str) -> None:
        self.notes.append(note)

    def stopping(self) -> None:
        self.stops += 1

    @property
    def records(self) -> list[CellRecord | CostRecord]:
        return [record for _, record in self.done]

    @property
    def labels(self) -> list[str]:
        return [f"{task.kind} {task.label}" for task in self.begun]
