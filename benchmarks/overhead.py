"""What vgbench adds to a cell: everything beyond compiling and computing.

    python benchmarks/overhead.py results/speed/overhead.json

Runs a suite of cells so small that computing takes next to nothing, which differ in the gain of their initialisation
and so share all programs: after the first, a cell's time from one record on disk to the next is overhead (drawing and
moving weights, the worker's pipe, the record), and an upper bound of it. Default protocol: five learning rates, two
tuning seeds and three reported ones, with the records of 50 steps.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from side_by_side import write

import vgbench as vg
from vgbench.harness.plan import Plan, Record, Task
from vgbench.harness.progress import Progress
from vgbench.records.runs import Run
from vgbench.records.schema import Row
from vgbench.statistics import bootstrap_median

CELLS, AIM_MS = 40, 30


class Clock:
    """An observer that notes when each record is on disk, and how long its worker took."""

    def __init__(self) -> None:
        self.ended_at: list[float] = []
        self.in_worker: list[float] = []
        self.programs = 0

    def planned(self, plan: Plan, progress: Progress) -> None:
        """Nothing to note."""

    def started(self, task: Task, progress: Progress) -> None:
        """Nothing to note."""

    def ended(self, task: Task, record: Record, progress: Progress) -> None:
        """Note the moment."""
        assert record.status == "ok", record.reason
        self.ended_at.append(time.perf_counter())
        self.in_worker.append(record.seconds)
        self.programs = progress.programs

    def completed(self, run: Run, rows: Sequence[Row]) -> None:
        """Nothing to note."""

    def stopping(self) -> None:
        """Nobody stops this."""


def suite(cells: int) -> vg.Suite:
    """So many cells of one program."""
    gains = np.linspace(1.1, 2.0, cells - 1)
    return vg.Suite(
        name="overhead",
        title="Overhead",
        question="What does a cell cost beyond compiling and computing?",
        baseline={"depth": 4, "width": 16, "batch_size": 32, "steps": 50, "optimizer": "sgd"},
        mitigations={f"gain {gain:.3f}": {"init": {"name": "he_normal", "gain": float(gain)}} for gain in gains},
        protocol={"learning_rate_centers": {"sgd": 0.01}, "time_to_depth": 0},
    )


def main(path: str, cells: str = str(CELLS)) -> None:
    """Run and tell."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        vg.run(suite(int(cells)), folder, observers=[clock])
    whole, inside = np.diff(clock.ended_at), np.asarray(clock.in_worker[1:])
    medians = {
        "a cell": bootstrap_median(whole),
        "in the worker": bootstrap_median(inside),
        "around it": bootstrap_median(whole - inside),
    }
    lines = ["| what | milliseconds [95 %] | aim |", "| --- | --- | --- |"]
    for name, each in medians.items():
        aim = f"< {AIM_MS}" if name == "a cell" else ""
        lines.append(f"| {name} | {each.value * 1e3:.0f} [{each.low * 1e3:.0f}, {each.high * 1e3:.0f}] | {aim} |")
    print(shown := "\n".join(lines))
    measured = {"seconds": whole.tolist(), "worker_seconds": inside.tolist(), "programs": clock.programs}
    write(Path(path), {**measured, "cells": int(cells), "medians": medians, "table": shown})


if __name__ == "__main__":
    main(*sys.argv[1:])
