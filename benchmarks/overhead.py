"""What vgbench adds to a cell: everything beyond compiling and computing.

    python benchmarks/overhead.py results/speed/overhead.json

Runs a suite of small cells which differ in the gain of their initialisation and so share all programs, once with 25
steps and once with 50. After the first cell, the time from one record on disk to the next is what training computes,
which grows with the steps, and the rest: drawing and moving weights, the first look at a state, the worker's pipe, the
record. Twice the time of 25 steps less that of 50 is this rest. Default protocol: five learning rates, two tuning seeds
and three reported ones.
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

CELLS, STEPS, AIM_MS = 40, 25, 30


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

    def noted(self, note: str) -> None:
        """Nothing to note."""

    def stopping(self) -> None:
        """Nobody stops this."""


def suite(cells: int, steps: int) -> vg.Suite:
    """So many cells of one program, trained for so many steps."""
    gains = np.linspace(1.1, 2.0, cells - 1)
    return vg.Suite(
        name="overhead",
        title="Overhead",
        question="What does a cell cost beyond compiling and computing?",
        baseline={"depth": 4, "width": 16, "batch_size": 32, "steps": steps, "optimizer": "sgd"},
        mitigations={f"gain {gain:.3f}": {"init": {"name": "he_normal", "gain": float(gain)}} for gain in gains},
        protocol={"learning_rate_centers": {"sgd": 0.01}, "time_to_depth": 0},
    )


def timed(cells: int, steps: int) -> Clock:
    """Run the suite."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        vg.run(suite(cells, steps), folder, observers=[clock])
    return clock


def main(path: str, cells: str = str(CELLS)) -> None:
    """Measure, and print a table."""
    short, long = timed(int(cells), STEPS), timed(int(cells), 2 * STEPS)
    whole = {STEPS: np.diff(short.ended_at), 2 * STEPS: np.diff(long.ended_at)}
    inside = {STEPS: np.asarray(short.in_worker[1:]), 2 * STEPS: np.asarray(long.in_worker[1:])}
    overhead = f"a cell without its {STEPS} steps"
    medians = {
        f"a cell of {2 * STEPS} steps": bootstrap_median(whole[2 * STEPS]),
        f"a cell of {STEPS} steps": bootstrap_median(whole[STEPS]),
        overhead: bootstrap_median(2 * whole[STEPS] - whole[2 * STEPS]),
        "of it in the worker": bootstrap_median(2 * inside[STEPS] - inside[2 * STEPS]),
    }
    lines = ["| what | milliseconds [95 %] | aim |", "| --- | --- | --- |"]
    for name, each in medians.items():
        aim = f"< {AIM_MS}" if name == overhead else ""
        lines.append(f"| {name} | {each.value * 1e3:.0f} [{each.low * 1e3:.0f}, {each.high * 1e3:.0f}] | {aim} |")
    print(shown := "\n".join(lines))
    measured = {
        "seconds": {steps: each.tolist() for steps, each in whole.items()},
        "worker_seconds": {steps: each.tolist() for steps, each in inside.items()},
        "programs": {STEPS: short.programs, 2 * STEPS: long.programs},
    }
    write(Path(path), {**measured, "cells": int(cells), "medians": medians, "table": shown})


if __name__ == "__main__":
    main(*sys.argv[1:])
