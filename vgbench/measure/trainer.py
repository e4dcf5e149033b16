"""Runs of one case, side by side: many steps in one program, and a look at the state in between."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from vgbench.data import Dataset, batch_indices
from vgbench.measure.draw import TracedOptions, drawn, network_of, traced_options_of
from vgbench.measure.mesh import whole
from vgbench.measure.numerics import numerics, platform, usable_cores
from vgbench.measure.programs import SNAPSHOT_EVERY, Programs, on_device, programs_of, sampled, splits_of
from vgbench.measure.snapshot import Snapshot
from vgbench.measure.step import Params, TrainState
from vgbench.models import Network
from vgbench.models.network import Variables
from vgbench.spec.case import Case


class Run(NamedTuple):
    """One run: a learning rate and a seed."""

    rate: float
    seed: int


class Trained(NamedTuple):
    """The results of runs, as numpy arrays.

    Attributes:
        loss: of every step, Float[runs, steps].
        validation_metric: Float[runs, snapshots]; of the last state alone unless all are recorded.
        test_metric: of the last state, Float[runs].
        snapshots: a `Snapshot` of arrays [runs, snapshots, ...]; None unless they are recorded.
    """

    loss: Float[np.ndarray, "runs steps"]
    validation_metric: Float[np.ndarray, "runs snapshots"]
    test_metric: Float[np.ndarray, "runs"]
    snapshots: Any


class Trainer:
    """Trains runs of one case, side by side."""

    def __init__(self, case: Case, dataset: Dataset) -> None:
        self._case = case
        self._dataset = dataset
        self._network: Network = network_of(case, dataset.problem)

    def train(self, runs: Sequence[Run], *, recorded: bool) -> Trained:
        """Train all runs with the plain step and judge the last state; if `recorded`, look at it and at those between.

        Keys and batches depend on the seed alone, so that they are the same in every cell. A run is trained no further
        where its losses would all be NaN: they are recorded as such, and its last state stands for those to come.
        """
        case, dealt = self._case, _deal(runs)
        programs = programs_of(case, runs=len(dealt[0]))
        variables = {seed: self._drawn(seed) for seed in {run.seed for run in runs}}

        def alone(group: Sequence[Run], data: _Data) -> Trained:
            # Numeric settings belong to a thread, and an executable checks its arguments under those of its caller.
            with numerics(case.dtype, case.matmul_precision):
                initial = [variables[run.seed] for run in group]
                return _train(self._start(group, initial, programs), programs, data, recorded=recorded)

        # Programs of several devices deadlock side by side.
        with ThreadPoolExecutor(usable_cores() if case.devices == 1 else 1) as pool:
            results = list(pool.map(alone, dealt, self._data(dealt)))
        return jax.tree.map(lambda *parts: np.concatenate(parts), *results)

    def _data(self, dealt: Sequence[Sequence[Run]]) -> "list[_Data]":
        """The data of each group: one and the same, or of every run that of its seed."""
        case, dataset = self._case, self._dataset
        if dataset.resplit is None:
            return [_Data.of(case, dataset)] * len(dealt)
        seeds = {run.seed for group in dealt for run in group}
        own = {seed: _Data.of(case, dataset.of_seed(seed)) for seed in seeds}
        return [_stacked(case, [own[run.seed] for run in group]) for group in dealt]

    def _drawn(self, seed: int) -> Variables:
        return jax.tree.map(np.asarray, drawn(self._case, self._network, self._dataset, seed))

    def _start(self, runs: Sequence[Run], variables: Sequence[Variables], programs: Programs) -> "_RunGroup":
        case, examples = self._case, self._dataset.train.examples
        given = jax.device_put(jax.tree.map(_together, *variables), whole(case))
        batches = np.stack([batch_indices(examples, case.batch_size, case.steps, run.seed) for run in runs])
        rates = np.asarray([run.rate for run in runs], np.float32)
        return _RunGroup(
            state=programs.start(given, rates),
            initial=given.params,
            learning_rates=rates,
            traced_options=traced_options_of(case),
            batches=[batches[:, first : first + SNAPSHOT_EVERY] for first in range(0, case.steps, SNAPSHOT_EVERY)],
        )


class _RunGroup(NamedTuple):
    """Runs that advance together: their state, where it started, how they are trained, the batches of every chunk."""

    state: TrainState
    initial: Params
    learning_rates: Float[np.ndarray, "runs"]
    traced_options: TracedOptions
    batches: list[Int[np.ndarray, "runs steps batch"]]


class _Data(NamedTuple):
    """Data on the device; `sample` is what states are judged on in the course of training."""

    train: Any
    validation: Any
    test: Any
    sample: Any

    @classmethod
    def of(cls, case: Case, dataset: Dataset) -> "_Data":
        (train, validation, test), sample = splits_of(case, dataset), sampled(dataset)
        few = sample is dataset.validation
        return cls(train, validation, test, validation if few else on_device(case, sample))


def _stacked(case: Case, data: Sequence[_Data]) -> _Data:
    """The data of a group's runs, with a leading axis where there are several."""
    if len(data) == 1:
        return data[0]
    return jax.device_put(jax.tree.map(lambda *runs: jnp.stack(runs), *data), whole(case))


def _together(*leaves: np.ndarray) -> np.ndarray:
    """Arrays of runs as one with a leading axis; of one run without a copy."""
    return leaves[0][None] if len(leaves) == 1 else np.stack(leaves)


def _train(group: _RunGroup, programs: Programs, data: _Data, *, recorded: bool) -> Trained:
    state, losses, seen = group.state, [], []
    for batches in group.batches:
        if recorded:
            seen.append(_seen(group, programs, state, data, data.sample))
        state, loss = programs.advance[batches.shape[1]](
            state, group.learning_rates, group.traced_options, batches, data.train
        )
        losses.append(np.asarray(loss))
        if _lost(state, losses[-1]):
            break
    left = group.batches[len(losses) :]
    losses += [np.full(batches.shape[:2], np.nan, losses[0].dtype) for batches in left]
    if recorded and left:
        seen += [_seen(group, programs, state, data, data.sample)] * len(left)
    if recorded:
        seen.append(_seen(group, programs, state, data, data.validation))
    else:
        seen.append((_judged(programs, state, data.validation), None))
    metrics, snapshots = jax.tree.map(lambda *each: np.stack(each, axis=1), *seen)
    return Trained(np.concatenate(losses, axis=1), metrics, _judged(programs, state, data.test), snapshots)


def _seen(
    group: _RunGroup, programs: Programs, state: TrainState, data: _Data, validation: Any
) -> tuple[np.ndarray, Snapshot]:
    """The metric on validation examples, and the snapshot."""
    return _judged(programs, state, validation), _looked_at(group, programs, state, data)


def _looked_at(group: _RunGroup, programs: Programs, state: TrainState, data: _Data) -> Snapshot:
    given = group.initial, group.learning_rates, group.traced_options, group.batches[0][:, 0], data.train
    return jax.tree.map(np.asarray, programs.look(state, *given))


def _judged(programs: Programs, state: TrainState, held_out: Any) -> Float[np.ndarray, "runs"]:
    return np.asarray(programs.judge[held_out.x.shape[-2]](state.variables, held_out))


def _lost(state: TrainState, loss: Float[np.ndarray, "runs steps"]) -> bool:
    """Whether every run's last loss is NaN and so are some of its parameters, which no update makes a number again."""
    if not np.isnan(loss[:, -1]).all():
        return False
    broken = [np.isnan(leaf).reshape(len(leaf), -1).any(axis=1) for leaf in jax.tree.leaves(state.variables.params)]
    return bool(np.any(broken, axis=0).all())


def _deal(runs: Sequence[Run]) -> list[Sequence[Run]]:
    """Deal runs to groups, each a call of one program.

    An accelerator gets one group. On a CPU, small matrix products leave cores idle, so each run is a group of its own
    and each core runs one in a thread. It also makes a run independent of how many there are, to the last bit: programs
    for other numbers of runs take their sums in another order.
    """
    length = 1 if platform() == "cpu" else len(runs)
    return [runs[first : first + length] for first in range(0, len(runs), length)]
