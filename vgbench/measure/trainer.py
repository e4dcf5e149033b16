"""Runs of one case side by side: many steps in one program, and in between a look at the state."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from vgbench.case import Case
from vgbench.data import Dataset, batch_indices
from vgbench.measure.draw import Dials, dials_of, drawn, network_of
from vgbench.measure.mesh import whole
from vgbench.measure.numerics import numerics, usable_cores
from vgbench.measure.programs import RECORD_EVERY, Programs, Record, Splits, programs_of, splits_of
from vgbench.measure.step import Params, TrainState, start
from vgbench.models import Network


class Run(NamedTuple):
    """One run: a learning rate and a seed."""

    rate: float
    seed: int


class Trained(NamedTuple):
    """What runs handed back, as numpy arrays.

    Attributes:
        loss: of every step, Float[runs, steps].
        records: every array [runs, records, ...]; of the last state alone where none were asked for.
    """

    loss: Float[np.ndarray, "runs steps"]
    records: Record


class Trainer:
    """Trains runs of one case, vmapped side by side."""

    def __init__(self, case: Case, dataset: Dataset) -> None:
        self._case = case
        self._dataset = dataset
        self._network: Network = network_of(case, dataset.problem)

    def train(self, runs: Sequence[Run], *, recorded: bool) -> Trained:
        """Train all runs with the plain step; look at the last state only, or at the first and after every chunk too.

        Keys and batches depend on the seed alone, so that they are the same in every cell.
        """
        case = self._case
        lanes = self._start(_deal(runs, case))
        programs, data = programs_of(case, runs=len(lanes[0].rates)), splits_of(case, self._dataset)

        def alone(lane: _Lane) -> Trained:
            # Numeric settings belong to a thread, and an executable checks its arguments under those of its caller.
            with numerics(case.dtype, case.matmul_precision):
                return _train(lane, programs, data, recorded)

        with ThreadPoolExecutor(usable_cores()) as pool:
            results = list(pool.map(alone, lanes))
        return jax.tree.map(lambda *parts: np.concatenate(parts)[: len(runs)], *results)

    def _start(self, dealt: Sequence[Sequence[Run]]) -> list["_Lane"]:
        case, examples = self._case, self._dataset.train.examples
        length, runs = len(dealt[0]), [run for lane in dealt for run in lane]
        seeds = {run.seed: drawn(case, self._network, self._dataset, run.seed) for run in runs}
        variables = jax.tree.map(lambda *leaves: np.stack(leaves), *(seeds[run.seed] for run in runs))
        state = jax.tree.map(np.asarray, jax.vmap(partial(start, self._network, case))(variables))
        batches = np.stack([batch_indices(examples, case.batch_size, case.steps, run.seed) for run in runs])

        def lane(rows: slice) -> _Lane:
            def own(tree: Any) -> Any:  # copied, since training consumes it
                return jax.device_put(jax.tree.map(lambda leaf: leaf[rows].copy(), tree), whole(case))

            return _Lane(
                state=own(state),
                initial=own(variables.params),
                rates=np.asarray([run.rate for run in runs[rows]], np.float32),
                dials=dials_of(case),
                batches=[batches[rows, first : first + RECORD_EVERY] for first in range(0, case.steps, RECORD_EVERY)],
            )

        return [lane(slice(first, first + length)) for first in range(0, len(runs), length)]


class _Lane(NamedTuple):
    """Runs that advance together: their state, where it started, how they are trained, the batches of every chunk."""

    state: TrainState
    initial: Params
    rates: Float[np.ndarray, "runs"]
    dials: Dials
    batches: list[Int[np.ndarray, "runs steps batch"]]


def _train(lane: _Lane, programs: Programs, data: Splits, recorded: bool) -> Trained:
    def look(state: TrainState) -> Record:
        return jax.tree.map(
            np.asarray, programs.look(state, lane.initial, lane.rates, lane.dials, lane.batches[0][:, 0], data)
        )

    state, losses, records = lane.state, [], []
    for batches in lane.batches:
        if recorded:
            records.append(look(state))
        state, loss = programs.advance[batches.shape[1]](state, lane.rates, lane.dials, batches, data)
        losses.append(np.asarray(loss))
    records.append(look(state))
    return Trained(np.concatenate(losses, axis=1), jax.tree.map(lambda *each: np.stack(each, axis=1), *records))


def _deal(runs: Sequence[Run], case: Case) -> list[Sequence[Run]]:
    """Deal runs to lanes of equal length, the last filled up with copies of the last run.

    An accelerator gets one lane. On a CPU, small matrix products leave cores idle, so each core runs a lane of its own
    in a thread (1.9 times as fast on two cores at 16 layers of 64 units). There a lane is as long as dealing the case's
    seeds to all cores makes it, whatever the runs: so those that tune and those that are reported share their programs.
    """
    (device,) = jnp.zeros(()).devices()
    cores = device.platform == "cpu" and case.devices == 1  # programs of several devices deadlock side by side
    length = -(-len(case.seeds) // usable_cores()) if cores else len(runs)
    filled = [*runs, *[runs[-1]] * (-len(runs) % length)]
    return [filled[first : first + length] for first in range(0, len(filled), length)]
