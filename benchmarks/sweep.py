"""A whole sweep: every third trained cell of `mitigations`, in `vgbench run`'s way and each in its own program.

    python benchmarks/sweep.py results/speed/sweep.json

One by one, a cell is a fresh Python process that measures the same: the gradient and forward profile at
initialisation, then training at every learning rate with every tuning seed, and the evaluation seeds at the best one,
one run after the other in a Python loop, an unjitted loop over jitted steps that records as often. vgbench measures the
same cells one after the other in one process. The two take turns cell by cell, so a round is a cell: the interval is
over cells, and says how the ratio varies between them; the total is the ratio of the sums. The cells are stratified:
sorted by depth and then as the suite has them, every third is taken. Costs are not timed, in neither way.
"""

import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from side_by_side import Comparison, table, write

import vgbench as vg
from vgbench.data import batch_indices, load_dataset
from vgbench.harness.plan import Task
from vgbench.harness.workers.worker import execute
from vgbench.measure import PRECISION
from vgbench.measure.draw import draw
from vgbench.measure.numerics import numerics
from vgbench.measure.programs import SNAPSHOT_EVERY, splits_of
from vgbench.measure.shared import programs_made
from vgbench.measure.snapshot import snapshot
from vgbench.measure.step import make_step, start
from vgbench.models import build_network
from vgbench.records.provenance import provenance
from vgbench.records.schema import CellRecord

EVERY = 3
ONE = "one"
"""Argument that makes this program the one of a single cell, read from its input."""


def alone(case: vg.Case) -> list[float]:
    """What a script of one cell does: a Python loop over seeds and learning rates, jitted steps; test accuracies."""
    vg.measure_gradients(case)
    vg.measure_forward(case)
    dataset = load_dataset(case)
    with numerics(case.dtype, case.matmul_precision):
        network = build_network(case, dataset.problem)
        step = jax.jit(make_step(network, case), donate_argnums=0)
        look = jax.jit(partial(snapshot, network, case))
        answer = jax.jit(lambda variables, x: network.apply(variables, x, train=False).answers)
        own = {seed: splits_of(case, dataset.of_seed(seed)) for seed in (*case.tuning_seeds, *case.seeds)}

        def trained(rate: float, seed: int, recorded: bool) -> float:
            train, validation, test = own[seed]
            state = start(network, case, draw(case, network, dataset, seed))
            initial = jax.tree.map(jnp.copy, state.variables.params)
            batches = batch_indices(dataset.train.examples, case.batch_size, case.steps, seed)
            for i, batch in enumerate(batches):
                if recorded and i % SNAPSHOT_EVERY == 0:
                    jax.tree.map(np.asarray, look(state, initial, train.take(batches[0]), rate))
                    [np.asarray(answer(state.variables, split.x)) for split in (validation, test)]
                state, loss = step(state, train.take(batch), rate)
                float(loss)
            held_out = test if recorded else validation
            answers = np.asarray(answer(state.variables, held_out.x))
            return float((answers.argmax(axis=-1) == held_out.y).mean())

        means = [np.mean([trained(rate, seed, False) for seed in case.tuning_seeds]) for rate in case.learning_rates]
        return [trained(case.learning_rates[int(np.argmax(means))], seed, True) for seed in case.seeds]


def in_a_fresh_process(case: vg.Case) -> float:
    """Seconds of a Python process that measures one cell."""
    begin = time.perf_counter()
    command = [sys.executable, __file__, ONE]
    subprocess.run(command, input=case.model_dump_json(), text=True, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def in_the_sweep(case: vg.Case) -> float:
    """Seconds of a cell in vgbench's worker, here."""
    begin = time.perf_counter()
    task, origin = Task("cell", "", case, case), provenance(jax.devices()[0])
    record = execute(task, None, PRECISION, origin).record
    assert isinstance(record, CellRecord)
    assert record.training is not None, record.reason
    return time.perf_counter() - begin


def main(path: str, every: str = str(EVERY)) -> None:
    """Measure every so manieth cell."""
    suite = vg.read_suite("mitigations")
    trained = [cell for cell in suite.cells() if cell.case.steps]
    cells = sorted(trained, key=lambda cell: cell.case.depth)[:: int(every)]
    before, done = programs_made(), []
    for i, cell in enumerate(cells):
        ways = (in_a_fresh_process, in_the_sweep)
        seconds = {way: way(cell.case) for way in (ways if i % 2 else ways[::-1])}
        over, under = (seconds[way] for way in ways)
        done.append((cell.label, over, under))
        print(cell.label, f"{over:.1f} s, {under:.1f} s: {over / under:.1f}", flush=True)
    labels, over, under = zip(*done, strict=True)
    row: dict[str, str | int] = {"suite": suite.name, "cells": f"{len(cells)} of {len(trained)}"}
    programs = programs_made() - before
    total = sum(over) / sum(under)
    row |= {"programs compiled": programs, "total": f"{total:.1f} x"}
    one = Comparison(row, ("one by one", list(over)), ("vgbench", list(under)), ">= 5 x", {"cells": labels})
    print(shown := table([one]))
    write(Path(path), {"comparison": {**vars(one), "ratio": one.ratio}, "programs": programs, "table": shown})


if __name__ == "__main__":
    if sys.argv[1:] == [ONE]:
        print(json.dumps(alone(vg.Case.model_validate_json(sys.stdin.read()))))
    else:
        main(*sys.argv[1:])
