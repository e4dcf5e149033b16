"""Training on real data: the rate chosen on validation, fresh seeds reported, everything looped on the device."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from vgbench.case import Case
from vgbench.data import Dataset, batch_indices, load_dataset
from vgbench.errors import InputError
from vgbench.measure.numerics import numerics, usable_cores
from vgbench.measure.step import Observation, TrainState, accuracy, make_step, start
from vgbench.models import Network, build_network
from vgbench.probe import ScaledNorm, log10_norms
from vgbench.statistics import Interval, t_interval

RECORD_EVERY = 25
"""Steps between two records of norms and validation accuracy; also the steps of one call to the device."""


@dataclass(frozen=True)
class TrainingCurves:
    """What training showed: the choice of the rate, and the fresh seeds at that rate.

    Attributes:
        rates: the learning rates tried.
        tuning_accuracy: validation accuracy after the last step, [rates, tuning_seeds].
        tuning_diverged: whether the loss became non-finite, [rates, tuning_seeds].
        rate: the chosen one, of highest mean `tuning_accuracy`; the first of equals.
        target: accuracy from which a seed counts as trained.
        loss: training loss of every step, [seeds, steps].
        step: the steps (counted from 1) at which the four below were recorded, [records].
        validation_accuracy: after that step's update, with running statistics, [seeds, records].
        log10_activation_norm: log10 ||dL/dh_l|| of that step's true gradient, [seeds, records, depth].
        log10_parameter_norm: log10 ||dL/dW_l||, the readout last, [seeds, records, depth + 1].
        update_to_weight: ||update of W_l|| / ||W_l||, [seeds, records, depth + 1].
        test_accuracy: after the last step, with running statistics, [seeds].
    """

    rates: tuple[float, ...]
    tuning_accuracy: Float[np.ndarray, "rates tuning"]
    tuning_diverged: Bool[np.ndarray, "rates tuning"]
    rate: float
    target: float
    loss: Float[np.ndarray, "seeds steps"]
    step: Int[np.ndarray, "records"]
    validation_accuracy: Float[np.ndarray, "seeds records"]
    log10_activation_norm: Float[np.ndarray, "seeds records depth"]
    log10_parameter_norm: Float[np.ndarray, "seeds records layers"]
    update_to_weight: Float[np.ndarray, "seeds records layers"]
    test_accuracy: Float[np.ndarray, "seeds"]

    @property
    def diverged(self) -> Bool[np.ndarray, "seeds"]:
        """Whether a seed's loss became non-finite."""
        return np.asarray(~np.isfinite(self.loss).all(axis=1))

    @property
    def status(self) -> Literal["ok", "diverged"]:
        """`diverged` where every seed did, at every rate."""
        return "diverged" if self.diverged.all() and self.tuning_diverged.all() else "ok"

    @property
    def rate_at_edge(self) -> bool:
        """Whether the chosen rate is the lowest or highest tried, so that a better one may lie outside."""
        return len(self.rates) > 1 and self.rate in (min(self.rates), max(self.rates))

    @property
    def trained(self) -> int:
        """Number of seeds whose test accuracy reached the target."""
        return int(np.sum(self.test_accuracy >= self.target))

    @property
    def accuracy(self) -> Interval:
        """Mean test accuracy with its t-interval over the seeds."""
        return t_interval(self.test_accuracy)


class _Run(NamedTuple):
    """One run: a learning rate and a seed."""

    rate: float
    seed: int


class _Chunk(NamedTuple):
    """What the device hands back after a chunk of steps; each array has a leading axis of runs."""

    loss: Float[Array, "runs steps"]
    validation_accuracy: Float[Array, "runs"]
    test_accuracy: Float[Array, "runs"]
    observation: Observation | None


def measure_training(case: Case) -> TrainingCurves:
    """Train the case under the protocol: choose the rate on the tuning seeds, report fresh seeds at that rate.

    Raises:
        InputError: the case has no training steps, or its data cannot serve it.
    """
    if not case.steps:
        raise InputError("steps: 0 means that this case is not trained")
    dataset = load_dataset(case)
    with numerics(case.dtype, case.matmul_precision):
        trainer = _Trainer(case, dataset)
        tuning_accuracy, tuning_diverged = _tune(case, trainer)
        best = int(np.argmax(tuning_accuracy.mean(axis=1))) if len(case.rates) > 1 else 0
        rate: float = tuple(case.rates)[best]
        chunks = trainer.train([_Run(rate, seed) for seed in case.seeds], observed=True)
    observations = [chunk.observation for chunk in chunks if chunk.observation is not None]
    return TrainingCurves(
        rates=case.rates,
        tuning_accuracy=tuning_accuracy,
        tuning_diverged=tuning_diverged,
        rate=rate,
        target=case.target,
        loss=np.concatenate([chunk.loss for chunk in chunks], axis=1),
        step=np.cumsum([chunk.loss.shape[1] for chunk in chunks]),
        validation_accuracy=np.stack([chunk.validation_accuracy for chunk in chunks], axis=1),
        log10_activation_norm=_log10([seen.activation for seen in observations]),
        log10_parameter_norm=_log10([seen.parameter for seen in observations]),
        update_to_weight=np.stack([seen.update_to_weight for seen in observations], axis=1),
        test_accuracy=np.asarray(chunks[-1].test_accuracy),
    )


def _tune(
    case: Case, trainer: "_Trainer"
) -> tuple[Float[np.ndarray, "rates tuning"], Bool[np.ndarray, "rates tuning"]]:
    shape = (len(case.rates), len(case.tuning_seeds))
    if len(case.rates) == 1:  # nothing to choose
        return np.zeros((1, 0), np.float32), np.zeros((1, 0), bool)
    runs = [_Run(rate, seed) for rate in case.rates for seed in case.tuning_seeds]
    chunks = trainer.train(runs, observed=False)
    finite = np.isfinite(np.concatenate([chunk.loss for chunk in chunks], axis=1)).all(axis=1)
    return np.asarray(chunks[-1].validation_accuracy).reshape(shape), np.logical_not(finite).reshape(shape)


def _log10(norms: Sequence[ScaledNorm]) -> Float[np.ndarray, "runs records layers"]:
    mantissa, exponent = (np.stack([np.asarray(norm[i]) for norm in norms], axis=1) for i in range(2))
    return log10_norms(mantissa, exponent)


class _Trainer:
    """Runs of one case, vmapped side by side."""

    def __init__(self, case: Case, dataset: Dataset) -> None:
        self._case = case
        self._dataset = dataset
        self._network: Network = build_network(case, dataset.features, dataset.classes)

    def train(self, runs: Sequence[_Run], *, observed: bool) -> list[_Chunk]:
        """Train all runs and return what each chunk of steps handed back, as numpy arrays.

        Keys and batches depend on the seed alone, so that they are the same in every cell.
        """
        lanes = [self._start(lane) for lane in _deal(runs)]
        lengths = {batches.shape[1] for batches in lanes[0].batches}
        program = jax.jit(jax.vmap(self._chunk(observed)), donate_argnums=0)
        # Compiled here, since numeric settings belong to this thread; the lanes' shapes are equal.
        compiled = {
            length: program.lower(lanes[0].state, lanes[0].rates, lanes[0].batches[0][:, :length]).compile()
            for length in lengths
        }

        def advance(lane: _Lane) -> list[_Chunk]:
            state, chunks = lane.state, []
            for batches in lane.batches:
                state, chunk = compiled[batches.shape[1]](state, lane.rates, batches)
                chunks.append(jax.tree.map(np.asarray, chunk))
            return chunks

        with ThreadPoolExecutor(len(lanes)) as pool:
            results = list(pool.map(advance, lanes))
        together = zip(*results, strict=True)
        return [jax.tree.map(lambda *parts: np.concatenate(parts)[: len(runs)], *chunks) for chunks in together]

    def _start(self, runs: Sequence[_Run]) -> "_Lane":
        case = self._case
        drawn = {seed: self._network.init(jax.random.key(seed)) for seed in {run.seed for run in runs}}
        variables = jax.tree.map(lambda *leaves: np.stack(leaves), *(drawn[run.seed] for run in runs))
        examples = len(self._dataset.train.y)
        batches = np.stack([batch_indices(examples, case.batch_size, case.steps, run.seed) for run in runs])
        return _Lane(
            state=jax.vmap(partial(start, self._network, case))(variables),
            rates=np.asarray([run.rate for run in runs], np.float32),
            batches=[batches[:, first : first + RECORD_EVERY] for first in range(0, case.steps, RECORD_EVERY)],
        )

    def _chunk(self, observed: bool) -> Callable[[TrainState, Array, Array], tuple[TrainState, _Chunk]]:
        step = make_step(self._network, self._case, observed=observed)
        train, validation, test = jax.tree.map(jnp.asarray, self._dataset[:3])
        held_out = jnp.concatenate([validation.x, test.x])

        def chunk(state: TrainState, rate: Array, batches: Int[Array, "steps batch"]) -> tuple[TrainState, _Chunk]:
            def body(state: TrainState, batch: Int[Array, "batch"]) -> tuple[TrainState, tuple]:
                state, loss, observation = step(state, (train.x[batch], train.y[batch]), rate)
                return state, (loss, observation)

            state, (losses, observations) = jax.lax.scan(body, state, batches)
            last = jax.tree.map(lambda leaf: leaf[-1], observations)
            logits = self._network.apply(state.variables, held_out, train=False).logits
            border = len(validation.y)
            validated, tested = accuracy(logits[:border], validation.y), accuracy(logits[border:], test.y)
            return state, _Chunk(losses, validated, tested, last)

        return chunk


class _Lane(NamedTuple):
    """Runs that advance together: their state, rates and the batches of every chunk."""

    state: TrainState
    rates: Float[np.ndarray, "runs"]
    batches: list[Int[np.ndarray, "runs steps batch"]]


def _deal(runs: Sequence[_Run]) -> list[Sequence[_Run]]:
    """Deal runs to lanes of equal length, the last filled up with copies of the last run.

    An accelerator gets one lane. On a CPU, small matrix products leave cores idle, so there is a lane for each core,
    in a thread of its own (1.9 times as fast on two cores at 16 layers of 64 units).
    """
    (device,) = jnp.zeros(()).devices()
    lanes = min(len(runs), usable_cores()) if device.platform == "cpu" else 1
    length = -(-len(runs) // lanes)
    filled = [*runs, *[runs[-1]] * (lanes * length - len(runs))]
    return [filled[first : first + length] for first in range(0, len(filled), length)]
