"""The coordinate check of a case: the size of every module's output and of its changes, over the first steps."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, TypeAlias, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float64

from vgbench.data import Dataset, batch_indices, load_dataset
from vgbench.errors import InputError
from vgbench.instruments.coordinate_steps import Run, measured_steps, root_mean_squares
from vgbench.instruments.model import opened
from vgbench.instruments.modules import outputs_tapped
from vgbench.instruments.passes import Traced
from vgbench.instruments.probe import ScaledNorm
from vgbench.instruments.tap import tap_output
from vgbench.instruments.tracing import trace
from vgbench.measure.bounds import RATIO
from vgbench.measure.draw import drawn, network_of
from vgbench.measure.numerics import numerics
from vgbench.measure.step import Params, TrainState, make_step, start
from vgbench.models import Network
from vgbench.models.network import Part, Tree, called
from vgbench.models.stack import Stack
from vgbench.spec.case import Case

_Batches: TypeAlias = tuple[Array, Array]


@dataclass(frozen=True)
class Coordinates:
    """Root mean squares at every module of a network, before the first step of training and after each of the first.

    Attributes:
        modules: their paths, in the order of the forward pass; scanned blocks are one module, "blocks",
            whose own weights are those of all blocks.
        rms: of what `QUANTITIES` of `vgbench.instruments.coordinate_steps` names, in its order.
    """

    modules: tuple[str, ...]
    rms: Annotated[Float64[np.ndarray, "seeds updates modules quantities"], RATIO]

    def run(self, seed: int) -> Run:
        """The root mean squares of the seed in this place, by module."""
        return {module: self.rms[seed, :, place] for place, module in enumerate(self.modules)}


def measure_coordinates(case: Case) -> Coordinates:
    """Train each seed for the case's `coordinate_steps` steps, and measure every module's output on its first batch.

    Raises:
        InputError: the case asks for no such steps, its data cannot serve it, or its model is no stack of layers.
    """
    if not case.coordinate_steps:
        raise InputError("coordinate_steps: 0 means that this case has no coordinate check")
    dataset = load_dataset(case)
    with numerics(case.dtype, case.matmul_precision):
        network = network_of(case, dataset.problem)
        if not isinstance(network, Stack):
            raise InputError(f"coordinate_steps: model {case.model.name!r} is no stack of layers")
        states = [(_start(network, case, dataset, seed), _batches(case, dataset, seed)) for seed in case.seeds]
        found, names = _traced(network, *states[0])
        program = jax.jit(partial(_program, network, case, found, names))
        runs = [root_mean_squares(found, jax.device_get(program(*each))) for each in states]
    rms = [np.stack([*run.values()], axis=1) for run in runs]
    return Coordinates(tuple(runs[0]), np.stack(rms))


def _start(network: Network, case: Case, dataset: Dataset, seed: int) -> TrainState:
    (rate,) = case.learning_rates
    return start(network, case, jax.tree.map(jnp.asarray, drawn(case, network, dataset, seed)), rate)


def _batches(case: Case, dataset: Dataset, seed: int) -> _Batches:
    """The batches of the steps, one more than there are steps."""
    steps = case.coordinate_steps + 1
    train = dataset.of_seed(seed).train
    taken = batch_indices(train.examples, case.batch_size, steps, seed)
    x, y = train.take(taken.ravel())
    return tuple(jnp.asarray(each).reshape(*taken.shape, *each.shape[1:]) for each in (x, y))  # pyright: ignore[reportReturnType]


def _traced(network: Stack, state: TrainState, batches: _Batches) -> tuple[Traced, list[str]]:
    """The loss with the outputs of all modules tapped, and the names of its parameters."""
    tapped = _tapped(network)

    def loss(params: Params, data: Any) -> Array:
        stats, x, y = data
        output = tapped.apply(state.variables._replace(params=params, stats=stats), x, train=True)
        return tapped.problem.objective.loss(output.answers, y)

    model = opened(state.variables.params)
    return trace(model, loss, _first(state, batches)), [*model.parameters]


def _first(state: TrainState, batches: _Batches) -> Any:
    """What the loss reads on the first batch besides the parameters."""
    return state.variables.stats, batches[0][0], batches[1][0]


def _program(
    network: Network, case: Case, found: Traced, names: list[str], state: TrainState, batches: _Batches
) -> dict[str, ScaledNorm]:
    step, (rate,) = make_step(network, case), case.learning_rates

    def advance(state: TrainState, i: Array) -> TrainState:
        return step(state, cast(Any, jax.tree.map(lambda each: each[i], batches)), rate)[0]

    def parameters_of(state: TrainState) -> list[Array]:
        return jax.tree.leaves(state.variables.params)

    data = jax.tree.leaves(_first(state, batches))
    return measured_steps(found, names, data, state, advance, parameters_of, case.coordinate_steps)


def _tapped(network: Stack) -> Stack:
    """The network with taps at what its layers, and the modules within them, return."""
    one = network.stacked
    blocks = tuple(_Tapped(part.build, "blocks" if one else f"blocks.{i}") for i, part in enumerate(network.blocks))
    ends = {name: _Tapped(getattr(network, name).build, name) for name in ("input_layer", "output_layer")}
    return replace(network, blocks=blocks, **ends)


@dataclass(frozen=True)
class _Tapped(Part):
    """A layer with taps.

    Attributes:
        name: of the layer, with which the paths of its modules begin.
    """

    name: str

    def apply(self, params: Tree, stats: Tree, x: Any, train: bool) -> tuple[Any, Tree]:
        module = self.module(params, stats, train)
        with outputs_tapped(module, self.name):
            found, stats = called(module, x)
        return tap_output(found, self.name), stats
