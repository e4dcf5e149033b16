"""What recording costs: training with the records of every 25 steps over training that judges its last state alone.

    python benchmarks/instrumentation.py results/speed/instrumentation.json

Both are `Trainer.train` as suites call it, for the seeds that are reported and for those that tune the learning rate,
for as many steps, and run the same compiled program of steps; a record is the exact profile of the gradient, its
histogram, weights, updates, pre-activations and the validation accuracy.
"""

import sys
from pathlib import Path

import numpy as np
from limit import RATE, case_of
from side_by_side import Comparison, compare, sampler, write_comparisons

from vgbench.data import load_dataset
from vgbench.measure.numerics import numerics
from vgbench.measure.trainer import Run, Trainer

POINTS = ((10, 64), (50, 64), (50, 128))
STEPS, SEEDS = 500, 2


def at(depth: int, width: int) -> Comparison:
    """One point."""
    case = case_of(depth, width, steps=STEPS, seeds=tuple(range(SEEDS)))
    runs = [Run(RATE, seed) for seed in case.seeds]
    with numerics(case.dtype, case.matmul_precision):
        trainer = Trainer(case, load_dataset(case))

        def train(recorded: bool) -> None:
            assert np.isfinite(trainer.train(runs, recorded=recorded).loss).all()

        over, under = (sampler(lambda recorded=recorded: train(recorded), STEPS * SEEDS) for recorded in (True, False))
    row: dict[str, str | int] = {"depth": depth, "width": width, "steps": STEPS, "seeds": SEEDS}
    return compare(row, ("recorded", over), ("unrecorded", under), "none", rounds_at_least=10)


def main(path: str, *chosen: str) -> None:
    """Measure all points, or those that are named as 50x64."""
    points = [tuple(map(int, each.split("x"))) for each in chosen] or POINTS
    write_comparisons(Path(path), [at(depth, width) for depth, width in points])


if __name__ == "__main__":
    main(*sys.argv[1:])
