"""The compiled programs that train: the first state, a chunk of steps in one scan, a look at a state, its answers."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple, TypeAlias, TypeVar

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

T = TypeVar("T")
Splits: TypeAlias = tuple[Any, Any, Any]
"""Training, validation and test split."""

SNAPSHOT_EVERY = 25
"""Steps between two snapshots; also the steps of one call to the device."""
SAMPLED = 2000
"""Validation examples, at most, on which states are judged in the course of training; the last is on all."""
USUAL_SEEDS = 3
"""Evaluation seeds of most cases. Their number itself must not decide how a program is compiled, which changes bits."""
START, ADVANCE, LOOK, JUDGE = "start", "advance", "look", "judge"


class Programs(NamedTuple):
    """Executables for so many runs side by side.

    Data have a leading axis of runs where several runs have splits of their own.

    Attributes:
        start: (variables, learning rates) to the state that the runs' training starts with.
        advance: by the number of steps of a chunk, (state, learning rates, traced_options, batches, training data) to
            (state, losses); consumes the state.
        look: (state, initial parameters, learning rates, traced_options, first batches, training data) to a `Snapshot`.
        judge: by the number of examples, (variables, held-out data) to the metric of each run.
    """

    start: Callable[[Variables, Any], TrainState]
    advance: dict[int, Callable[..., tuple[TrainState, Array]]]
    look: Callable[..., Snapshot]
    judge: dict[int, Callable[..., Array]]


def programs_of(case: Case, runs: int) -> Programs:
    """The programs of `runs` runs of a case, compiled anew only where no recent case trained alike."""
    tuning = len(case.learning_rates) * len(case.tuning_seeds)
    return _compiled(training_of(case), runs, 1 + tuning // USUAL_SEEDS)  # pyright: ignore[reportArgumentType]


@shared
def _compiled(case: Case, runs: int, often: int) -> Programs:
    programs = jobs(case, runs, often)

    def compiled(name: tuple[str, int]) -> Any:
        function, given = programs[name]
        with numerics(case.dtype, case.matmul_precision):  # belongs to the thread
            return function.lower(*given).compile()

    with ThreadPoolExecutor(len(programs)) as pool:
        executables = dict(zip(programs, pool.map(compiled, programs), strict=True))

    def by_size(kind: str) -> dict[int, Any]:
        return {size: each for (name, size), each in executables.items() if name == kind}

    return Programs(executables[START, 1], by_size(ADVANCE), executables[LOOK, 1], by_size(JUDGE))


def jobs(case: Case, runs: int, often: int) -> dict[tuple[str, int], tuple[Any, tuple[Any, ...]]]:
    """The programs to compile for `runs` runs of a case: jitted functions and the shapes of their arguments.

    Args:
        case: what is trained.
        runs: side by side.
        often: how many runs are trained, those that choose the learning rate included, for each evaluation seed.

    Returns:
        By kind and size: `ADVANCE` by the steps of a chunk, `JUDGE` by the number of examples, `START` and `LOOK` by 1.
    """
    dataset = load_dataset(case)
    network = network_of(case, dataset.problem)
    everywhere, own = whole(case), runs > 1 and dataset.resplit is not None
    of_data, looks = 0 if own else None, case.steps // SNAPSHOT_EVERY + 2
    forward, backward = network.forward_flops, network.backward_flops

    def placed(tree: Any, *axes: int) -> Any:
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct((*axes, *leaf.shape), leaf.dtype, sharding=everywhere), tree
        )

    def jitted(function: Any, operations: int, **options: Any) -> Any:
        return jax.jit(
            function, out_shardings=everywhere, compiler_options=compiler_options(often * operations), **options
        )

    advance = jitted(
        _side_by_side(partial(_advance, network, case), runs, (0, 0, None, 0, of_data)),
        case.steps * case.batch_size * (forward + backward),
        donate_argnums=0,
    )
    look = jitted(
        _side_by_side(partial(_look, network, case), runs, (0, 0, 0, None, 0, of_data)),
        looks * case.batch_size * (3 * forward + 2 * backward),
    )
    judge = _side_by_side(partial(_judge, network), runs, (0, of_data))
    begin = jitted(_side_by_side(partial(start, network, case), runs, (0, 0)), operations=0)
    variables, rate = jax.eval_shape(network.init, jax.random.key(0)), jax.ShapeDtypeStruct((), np.float32)
    state = jax.eval_shape(partial(start, network, case), variables, rate)
    initial = state.variables.params

    def data(tree: Any) -> Any:
        return placed(tree, runs) if own else tree

    train, *_ = splits_of(case, dataset)

    def arguments(*one: Any) -> Any:
        *stacked, last = placed(one, runs)
        dealt = jax.ShapeDtypeStruct(last.shape, last.dtype, sharding=split(case, axis=len(last.shape) - 1))
        return *stacked, traced_options_of(case), dealt, data(train)

    def batches(*steps: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((*steps, case.batch_size), np.int32)

    found: dict[tuple[str, int], Any] = {
        (START, 1): (begin, placed((variables, rate), runs)),
        (LOOK, 1): (look, arguments(state, initial, rate, batches())),
    }
    for steps in {min(SNAPSHOT_EVERY, case.steps), case.steps % SNAPSHOT_EVERY} - {0}:
        found[ADVANCE, steps] = advance, arguments(state, rate, batches(steps))
    for each in (sampled(dataset), dataset.validation, dataset.test):
        judged = jitted(judge, looks * each.examples * forward)
        found[JUDGE, each.examples] = judged, (placed(variables, runs), data(on_device(case, each)))
    return found


def _side_by_side(function: Callable[..., T], runs: int, axes: tuple[int | None, ...]) -> Callable[..., T]:
    """A function of one run as one of several, whose arguments have a leading axis of runs where `axes` is 0.

    One run is not mapped: XLA compiles products with an axis of one as batched ones, which copies 50 x 512 weights so
    often that a step takes a quarter longer.
    """
    if runs > 1:
        return jax.vmap(function, in_axes=axes)

    inside = partial(jax.tree.map, partial(jnp.squeeze, axis=0))

    def alone(*given: Any) -> Any:
        one = (each if axis is None else inside(each) for each, axis in zip(given, axes, strict=True))
        return jax.tree.map(partial(jnp.expand_dims, axis=0), function(*one))

    return alone


def sampled(dataset: Dataset) -> Split:
    """A sample of the validation examples, the same in all runs; all of them if they are few.

    Answers to the 22,000 held-out examples of Fashion-MNIST at every snapshot took longer than training did.
    """
    validation = dataset.validation
    if validation.examples <= SAMPLED:
        return validation
    chosen = np.sort(np.random.default_rng(0x5A3).permutation(validation.examples)[:SAMPLED])
    return Split(*validation.take(chosen))


def splits_of(case: Case, dataset: Dataset) -> Splits:
    """The data as arguments of the programs: as constants inside, they would be compiled with them."""
    return on_device(case, dataset[:3])


def on_device(case: Case, data: T) -> T:
    """Data as the programs take them."""
    return jax.device_put(jax.tree.map(jnp.asarray, data), whole(case))


def _advance(
    network: Network,
    case: Case,
    state: TrainState,
    rate: Array,
    traced_options: TracedOptions,
    batches: Int[Array, "steps batch"],
    train: Any,
) -> tuple[TrainState, Float[Array, "steps"]]:
    step = make_step(network, with_traced_options(case, traced_options))

    def body(state: TrainState, batch: Int[Array, "batch"]) -> tuple[TrainState, Array]:
        return step(state, train.take(batch), rate)

    return jax.lax.scan(body, state, batches)


def _look(
    network: Network,
    case: Case,
    state: TrainState,
    initial: Params,
    rate: Array,
    traced_options: TracedOptions,
    batch: Int[Array, "batch"],
    train: Any,
) -> Snapshot:
    return snapshot(network, with_traced_options(case, traced_options), state, initial, train.take(batch), rate)


def _judge(network: Network, variables: Variables, held_out: Any) -> Array:
    """The metric of the answers to held-out examples, with running statistics, Float[]."""
    answers = network.apply(variables, held_out.x, train=False).answers
    return network.problem.objective.metric(answers, held_out.y)
