"""The compiled programs that train: the first state, a chunk of steps in one scan, and the evaluation of a state."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from vgbench.data import Dataset, load_dataset
from vgbench.data.dataset import Split
from vgbench.measure.draw import TracedOptions, network_of, traced_options_of, training_of, with_traced_options
from vgbench.measure.effort import compiler_options
from vgbench.measure.mesh import split, whole
from vgbench.measure.numerics import numerics
from vgbench.measure.shared import shared
from vgbench.measure.snapshot import Snapshot, snapshot
from vgbench.measure.step import Params, TrainState, make_step, start
from vgbench.models import Network
from vgbench.models.network import Variables
from vgbench.spec.case import Case

Splits: TypeAlias = tuple[Any, Any, Any]
"""Training, validation and test split."""

SNAPSHOT_EVERY = 25
"""Steps between two snapshots; also the steps of one call to the device."""
SAMPLED = 2000
"""Validation examples, at most, on which states are evaluated in the course of training; the last is on all."""
USUAL_SEEDS = 3
"""Evaluation seeds of most cases. Their number itself must not decide how a program is compiled, which changes bits."""
START, EVALUATE, LOOK = "start", "evaluate", "look"


class Evaluation(NamedTuple):
    """How good states are, and their snapshots; each array has a leading axis of runs.

    Attributes:
        validation_metric: with running statistics, Float[runs].
        test_metric: the same.
        snapshot: on the run's first batch.
    """

    validation_metric: Array
    test_metric: Array
    snapshot: Snapshot


class Programs(NamedTuple):
    """Executables for so many runs side by side.

    Attributes:
        start: a seed's variables to the state that its training starts with.
        advance: by the number of steps of a chunk, (state, learning rates, traced_options, batches, data) to (state,
            losses); consumes the state. The data have a leading axis of runs where several runs have splits of their
            own.
        evaluate: (state, initial parameters, learning rates, traced_options, first batches, data) to an `Evaluation`.
        look: the same on the data of `sampled`.
    """

    start: Callable[[Variables], TrainState]
    advance: dict[int, Callable[..., tuple[TrainState, Array]]]
    evaluate: Callable[..., Evaluation]
    look: Callable[..., Evaluation]


def programs_of(case: Case, runs: int) -> Programs:
    """The programs of `runs` runs of a case, compiled anew only where no recent case trained alike."""
    tuning = len(case.learning_rates) * len(case.tuning_seeds)
    return _compiled(training_of(case), runs, 1 + tuning // USUAL_SEEDS)  # pyright: ignore[reportArgumentType]


@shared
def _compiled(case: Case, runs: int, often: int) -> Programs:
    programs = jobs(case, runs, often)

    def compiled(name: str | int) -> Any:
        function, given = programs[name]
        with numerics(case.dtype, case.matmul_precision):  # belongs to the thread
            return function.lower(*given).compile()

    with ThreadPoolExecutor(len(programs)) as pool:
        executables = dict(zip(programs, pool.map(compiled, programs), strict=True))
    begin, evaluate = executables.pop(START), executables.pop(EVALUATE)
    return Programs(begin, advance=executables, evaluate=evaluate, look=executables.pop(LOOK, evaluate))


def jobs(case: Case, runs: int, often: int) -> dict[Any, tuple[Any, tuple[Any, ...]]]:
    """The programs to compile for `runs` runs of a case: jitted functions and the shapes of their arguments.

    Args:
        case: what is trained.
        runs: side by side.
        often: how many runs are trained, those that choose the learning rate included, for each evaluation seed.

    Returns:
        By the number of steps of a chunk, and by `START`, `EVALUATE` and (if states are evaluated on a sample) `LOOK`.
    """
    dataset = load_dataset(case)
    sample = sampled(dataset)
    network = network_of(case, dataset.problem)
    everywhere, own = whole(case), runs > 1 and dataset.resplit is not None
    of_data = 0 if own else None

    def placed(tree: Any, *axes: int) -> Any:
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct((*axes, *leaf.shape), leaf.dtype, sharding=everywhere), tree
        )

    def jitted(function: Any, operations: int, **options: Any) -> Any:
        return jax.jit(
            function, out_shardings=everywhere, compiler_options=compiler_options(often * operations), **options
        )

    def evaluating(on: Dataset) -> Any:
        work = (case.steps // SNAPSHOT_EVERY + 2) * _operations(case, network, on)
        return jitted(jax.vmap(partial(_evaluate, network, case), in_axes=(0, 0, 0, None, 0, of_data)), work)

    forward, backward = network.forward_flops, network.backward_flops
    advance = jitted(
        jax.vmap(partial(_advance, network, case), in_axes=(0, 0, None, 0, of_data)),
        case.steps * case.batch_size * (forward + backward),
        donate_argnums=0,
    )
    begin = jitted(partial(start, network, case), operations=0)
    variables = placed(jax.eval_shape(network.init, jax.random.key(0)))
    state = jax.eval_shape(begin, variables)
    initial, rate = state.variables.params, jax.ShapeDtypeStruct((), np.float32)

    def batches(*steps: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((*steps, case.batch_size), np.int32)

    def arguments(*one: Any, dataset: Dataset = dataset) -> Any:
        *stacked, last = placed(one, runs)
        dealt = jax.ShapeDtypeStruct(last.shape, last.dtype, sharding=split(case, axis=len(last.shape) - 1))
        data = splits_of(case, dataset)
        return *stacked, traced_options_of(case), dealt, placed(data, runs) if own else data

    lengths = {min(SNAPSHOT_EVERY, case.steps), case.steps % SNAPSHOT_EVERY} - {0}
    found: dict[Any, Any] = {steps: (advance, arguments(state, rate, batches(steps))) for steps in lengths}
    on = {EVALUATE: dataset} if sample is dataset else {EVALUATE: dataset, LOOK: sample}
    for name, each in on.items():
        found[name] = evaluating(each), arguments(state, initial, rate, batches(), dataset=each)
    return found | {START: (begin, (variables,))}


def _operations(case: Case, network: Network, data: Dataset) -> int:
    """Floating-point operations of an evaluation: two backward passes and three forward ones, and the held-out data."""
    held_out = data.validation.examples + data.test.examples
    passes = case.batch_size * (3 * network.forward_flops + 2 * network.backward_flops)
    return passes + held_out * network.forward_flops


def sampled(dataset: Dataset) -> Dataset:
    """The data with a sample of the validation examples, the same in all runs, and one test example.

    The data themselves if they have few validation examples. Evaluating the 22,000 held-out examples of Fashion-MNIST
    at every snapshot took longer than training did.
    """
    validation, test = dataset.validation, dataset.test
    if validation.examples <= SAMPLED:
        return dataset
    chosen = np.sort(np.random.default_rng(0x5A3).permutation(validation.examples)[:SAMPLED])
    return dataset._replace(validation=Split(*validation.take(chosen)), test=Split(*test.take(np.arange(1))))


def splits_of(case: Case, dataset: Dataset) -> Splits:
    """The data as arguments of the programs: as constants inside, they would be compiled with them."""
    return jax.device_put(jax.tree.map(jnp.asarray, dataset[:3]), whole(case))


def _advance(
    network: Network,
    case: Case,
    state: TrainState,
    rate: Array,
    traced_options: TracedOptions,
    batches: Int[Array, "steps batch"],
    data: Splits,
) -> tuple[TrainState, Float[Array, "steps"]]:
    step, train = make_step(network, with_traced_options(case, traced_options)), data[0]

    def body(state: TrainState, batch: Int[Array, "batch"]) -> tuple[TrainState, Array]:
        return step(state, train.take(batch), rate)

    return jax.lax.scan(body, state, batches)


def _evaluate(
    network: Network,
    case: Case,
    state: TrainState,
    initial: Params,
    rate: Array,
    traced_options: TracedOptions,
    batch: Int[Array, "batch"],
    data: Splits,
) -> Evaluation:
    train, validation, test = data
    held_out = jnp.concatenate([validation.x, test.x])
    answers = network.apply(state.variables, held_out, train=False).answers
    metric, border = network.problem.objective.metric, len(validation.y)
    return Evaluation(
        validation_metric=metric(answers[:border], validation.y),
        test_metric=metric(answers[border:], test.y),
        snapshot=snapshot(network, with_traced_options(case, traced_options), state, initial, train.take(batch), rate),
    )
