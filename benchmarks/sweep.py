"""A whole sweep: every third trained cell of `mitigations`, in `vgbench run`'s way and each in its own program.

    python benchmarks/sweep.py results/speed/sweep.json

One by one, a cell is a fresh Python process that measures the same: the gradient and forward profile at
initialisation, then training at every learning rate with every tuning seed, and the evaluation seeds at the best one,
one run after the other in a Python loop, an unjitted loop over jitted steps that records as often. Its cost is another
fresh process, which compiles the cell's step and the baseline's, and times them in rounds until the ratio is known as
well. vgbench measures the same cells one after the other in one process, and times those of a place in one round-robin.
Neither side reads compiled programs from disk, though `vgbench run` keeps those of cells: all that is compiled is
compiled in its time, by a fresh process each program anew, by vgbench once for all cells that share it.

The two ways take turns cell by cell, and group by group, in which each pair has an equal share of the time. Intervals
are over cells and pairs, and say how ratios vary between them. The cells are stratified: sorted by depth and then as
the suite has them, every third is taken. The whole suite is estimated from them: so many times the mean of a cell as it
has cells that train, and so many times that of a pair as it has those. Fewer cells share fewer programs, so that
vgbench's time is rather too long.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from side_by_side import Comparison, table, write

import vgbench as vg
from vgbench.data import batch_indices, load_dataset
from vgbench.harness.places import pairs_of_place, round_robin
from vgbench.harness.plan import Task, tasks_of
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
from vgbench.statistics import CONFIDENCE, Interval

EVERY = 3
ONE = "one"
"""Argument that makes this program the one of a single cell or pair, read from its input."""
NO_CACHE = {"JAX_ENABLE_COMPILATION_CACHE": "false"}
"""Environment of the fresh processes; a cache that the user has set up would serve them across cells."""


class Part(NamedTuple):
    """Cells, or pairs, that were measured in both ways.

    Attributes:
        name: which of the two.
        whole: how many of them the suite has.
        labels: of those that were measured.
        over: seconds of each in a program of its own.
        under: seconds of each in vgbench.
    """

    name: str
    whole: int
    labels: list[str]
    over: list[float]
    under: list[float]


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
            state = start(network, case, draw(case, network, dataset, seed), rate)
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


def in_a_fresh_process(task: Task) -> float:
    """Seconds of a Python process that measures one cell, or one pair."""
    begin = time.perf_counter()
    cases = [task.case] if task.kind == "cell" else [task.case, task.reference]
    content = json.dumps([case.model_dump(mode="json") for case in cases])
    fresh, environment = [sys.executable, __file__, ONE], {**os.environ, **NO_CACHE}
    subprocess.run(fresh, input=content, text=True, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - begin


def in_the_sweep(task: Task) -> float:
    """Seconds of a cell, or of the pairs of a round-robin, in vgbench's worker, here."""
    begin = time.perf_counter()
    for record in execute(task, None, PRECISION, None, provenance(jax.devices()[0])).records:
        assert record.status in ("ok", "diverged"), record.reason
    return time.perf_counter() - begin


def groups(tasks: Sequence[Task]) -> list[Task]:
    """The pairs among the tasks, as `vgbench run` times them together."""
    found, waiting = [], [task for task in tasks if task.kind == "cost"]
    while waiting:
        found.append(round_robin(waiting[0], pairs_of_place(waiting[0], waiting, ())))
        waiting = [task for task in waiting if task not in found[-1].together]
    return found


def measured(name: str, whole: int, tasks: Sequence[Task]) -> Part:
    """Measure tasks in both ways in turns; those that are measured together share the time equally."""
    part = Part(name, whole, [], [], [])
    for i, task in enumerate(tasks):
        for fresh in (True, False) if i % 2 else (False, True):
            if fresh:
                part.over.extend(map(in_a_fresh_process, task.together))
            else:
                part.under.extend([in_the_sweep(task) / len(task.together)] * len(task.together))
        part.labels.extend(each.label for each in task.together)
        for each in list(zip(*part[2:], strict=True))[-len(task.together) :]:
            print(name, "{}: {:.1f} s, {:.1f} s".format(*each), flush=True)
    return part


def estimate(parts: Sequence[Part], resamples: int = 2000) -> tuple[float, float, Interval]:
    """Seconds of the whole suite in programs of their own and in vgbench, and their ratio with a bootstrap interval.

    The bootstrap resamples cells and pairs, each with both of its times.
    """
    draws = np.random.default_rng(0)

    def total(resampled: bool) -> np.ndarray:
        """Both ways."""
        sums = np.zeros(2)
        for part in parts:
            n = len(part.labels)
            chosen = draws.integers(n, size=n) if resampled else np.arange(n)
            sums += part.whole * np.asarray([part.over, part.under])[:, chosen].mean(axis=1)
        return sums

    over, under = total(resampled=False).tolist()
    ratios = [np.divide(*total(resampled=True)) for _ in range(resamples)]
    low, high = np.quantile(ratios, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return over, under, Interval(over / under, float(low), float(high))


def report(parts: Sequence[Part], programs: int) -> str:
    """The ratios of cells and of pairs, and the whole suite, as Markdown."""
    aims = [">= 5 x", ""]
    rows = [
        Comparison(
            {"what": part.name, "measured": f"{len(part.labels)} of {part.whole}"},
            ("one by one", part.over),
            ("vgbench", part.under),
            aim,
            {},
        )
        for part, aim in zip(parts, aims, strict=True)
    ]
    over, under, ratio = estimate(parts)
    return (
        f"{table(rows)}\n\nThe whole suite: {over / 60:.1f} min one by one and {under / 60:.1f} min with vgbench, an"
        f" estimate; {ratio.value:.1f} x [{ratio.low:.1f}, {ratio.high:.1f}]. {programs} programs were compiled for the"
        f" cells."
    )


def main(path: str, every: str = str(EVERY)) -> None:
    """Measure every so manieth cell and its cost."""
    jax.config.update("jax_enable_compilation_cache", False)
    suite = vg.read_suite("mitigations")
    trained = sorted((cell for cell in suite.cells() if cell.case.steps), key=lambda cell: cell.case.depth)
    tasks, before = tasks_of(trained[:: int(every)]), programs_made()
    cells = measured("cells", len(trained), [task for task in tasks if task.kind == "cell"])
    programs = programs_made() - before
    pairs = measured("pairs", sum(cell.timed for cell in trained), groups(tasks))
    print(shown := report([cells, pairs], programs))
    content = {"suite": suite.name, "parts": [each._asdict() for each in (cells, pairs)], "programs": programs}
    write(Path(path), {**content, "estimate": estimate([cells, pairs]), "table": shown})


def one(content: str) -> list[float]:
    """What a fresh process does: a cell, or where there are two cases the cost of a pair."""
    cases = [vg.Case.model_validate(each) for each in json.loads(content)]
    return alone(*cases) if len(cases) == 1 else list(vg.measure_cost(*cases).ratio)


if __name__ == "__main__":
    if sys.argv[1:] == [ONE]:
        print(one(sys.stdin.read()))
    else:
        main(*sys.argv[1:])
