"""The initial variables and the first batch of a seed, and the parts of a case that shared programs depend on."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeAlias, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from vgbench.data import Dataset, batch_indices
from vgbench.measure.effort import A_DRAW, compiler_options
from vgbench.measure.mesh import split, whole
from vgbench.measure.numerics import numerics
from vgbench.measure.shared import shared
from vgbench.models import Network, build_network
from vgbench.models.lsuv import unit_variance
from vgbench.models.network import Variables
from vgbench.models.problem import Problem
from vgbench.models.stack import Stack
from vgbench.spec.case import Case
from vgbench.spec.registry import INITIALIZERS, REGISTRIES

TracedOptions: TypeAlias = dict[str, Any]

HELD_WEIGHTS = 10**8
"""Up to so many weights are held at once in a profile; those of larger networks are drawn where they are used."""
SHALLOW = 64
"""Networks up to so many layers whose weights are held are profiled without a look at how much memory that takes."""
KEPT_WEIGHTS = 10**6
"""Networks up to so many weights are drawn once a seed and cell; it took most of the time of a small cell."""


def function_of(case: Case, network: Network) -> Case:
    """The case reduced to what its network at initialisation computes, however it is trained.

    Cells that agree in it share their compiled profiles. The initialisation is a part of it only where it decides what
    the program does: whether and how large networks draw their weights inside.
    """
    inside = ("network", "weights") if large(network) else ("network",)
    return Case(**{field: getattr(case, field) for field in Case.fields_that_affect(*inside)})


def initial_network(case: Case, problem: Problem) -> Network:
    """The network as it is profiled at initialisation; a large one needs little memory, whatever its depth."""
    network = network_of(case, problem)
    if not (isinstance(network, Stack) and network.stacked):
        return network
    redrawn = large(network) and not _reads_data(case)
    if redrawn:
        network = cast(Stack, _built(_drawn_from(case), problem))  # pyright: ignore[reportArgumentType]
    return replace(network, redrawn=redrawn, segmented=redrawn or network.depth > SHALLOW)


def large(network: Network) -> bool:
    """Whether the weights of a network are too many to be held at once."""
    return isinstance(network, Stack) and network.stacked and network.weights > HELD_WEIGHTS


def training_of(case: Case) -> Case:
    """The case reduced to what a training step computes, wherever it starts and at whatever learning rate.

    Cells that agree in it share their compiled training, which takes `traced_options_of` as an argument.
    """
    reduced = _without_traced_options(case, "gradient_transform")
    return Case(**{field: getattr(reduced, field) for field in Case.fields_that_affect("network", "step")})


def traced_options_of(case: Case) -> TracedOptions:
    """The numbers that the case's gradient transform takes as arguments of the compiled program, as of clipping."""
    return _traced_options(case, "gradient_transform", case.dtype)


def with_traced_options(case: Case, traced_options: TracedOptions, slot: str = "gradient_transform") -> Case:
    """The case with these numbers, which may be traced, in its gradient transform or another slot."""
    return case.model_copy(update={slot: getattr(case, slot).model_copy(update=traced_options)})


def _traced_options(case: Case, slot: str, dtype: str) -> TracedOptions:
    """The numbers among the options of a slot that its programs take as arguments; "auto" and the like are none."""
    choice = getattr(case, slot)
    options = {name: getattr(choice, name) for name in REGISTRIES[slot][choice.name].traced_options}
    return {name: np.asarray(value, dtype) for name, value in options.items() if not isinstance(value, str)}


def _without_traced_options(case: Case, slot: str) -> Case:
    """The case with the defaults in place of these numbers, so that cells which share programs are equal."""
    fields = type(getattr(case, slot)).model_fields
    defaults = {name: fields[name].default for name in _traced_options(case, slot, case.dtype)}
    return with_traced_options(case, defaults, slot)


def network_of(case: Case, problem: Problem) -> Network:
    """The network that is probed and trained, the same for cells that differ in numbers of the initialiser alone.

    It holds the defaults of these numbers, so that `draw` has to draw its weights. A network for each cell took longest
    of what a small cell takes beyond its steps.
    """
    return _built(_without_traced_options(_drawn_from(case), "init"), problem)  # pyright: ignore[reportArgumentType]


def first_batch(
    case: Case, dataset: Dataset, seed: int
) -> tuple[Float[Array, "batch features"], Shaped[Array, "batch *answers"]]:
    """The batch that a seed's training starts with."""
    train = dataset.of_seed(seed).train
    x, y = train.take(batch_indices(train.examples, case.batch_size, 1, seed)[0])
    return jax.device_put((jnp.asarray(x), jnp.asarray(y)), split(case))


def draw(case: Case, network: Network, dataset: Dataset, seed: int) -> Variables:
    """Draw a seed's variables, anew at every call; a data-dependent initialiser sees its first batch.

    Its activations are computed in float32 whatever the network computes in, as everything is drawn in float32.
    """
    x = first_batch(case, dataset, seed)[0] if _reads_data(case) else None
    return jax.device_put(_draw(_drawn_from(case), network, dataset.problem, seed, x), whole(case))


def drawn(case: Case, network: Network, dataset: Dataset, seed: int) -> Variables:
    """The same variables, of a small network as numpy arrays that are kept for the other measurements of the cell."""
    small = isinstance(network, Stack) and not network.redrawn and network.weights <= KEPT_WEIGHTS
    if not small:
        return draw(case, network, dataset, seed)
    if _reads_data(case):
        return jax.tree.map(np.asarray, draw(case, network, dataset, seed))
    return _kept(_drawn_from(case), dataset.problem, seed)  # pyright: ignore[reportArgumentType]


def _reads_data(case: Case) -> bool:
    """Whether its initial weights depend on the data; other networks than stacks refuse such initialisers."""
    return INITIALIZERS[case.init.name].data_dependent


def _drawn_from(case: Case) -> Case:
    return Case(**{field: getattr(case, field) for field in (*Case.fields_that_affect("network", "weights"), "remat")})


@lru_cache(maxsize=8)
def _built(case: Case, problem: Problem) -> Network:
    return build_network(case, problem)


@lru_cache(maxsize=64)
def _kept(case: Case, problem: Problem, seed: int) -> Variables:
    return jax.tree.map(np.asarray, _draw(case, network_of(case, problem), problem, seed, None))


def _draw(case: Case, network: Network, problem: Problem, seed: int, x: Array | None) -> Variables:
    redrawn = isinstance(network, Stack) and network.redrawn
    with numerics(case.dtype, "highest"):  # whatever the measurement traces under
        drawing = _drawing(_without_traced_options(case, "init"), problem, redrawn)
        variables = drawing(_traced_options(case, "init", "float32"), jnp.uint32(seed), x)
    return network.laid_out(variables) if isinstance(network, Stack) else variables


@shared
def _drawing(case: Case, problem: Problem, redrawn: bool) -> Callable[..., Variables]:
    """The program that draws a seed's variables, given the numbers of the initialiser, the seed and the inputs that a
    data-dependent initialiser sees.

    All are drawn in one program: operations that jax compiles one by one took longer than the rest of a small cell.
    """
    layout = _built(case, problem)  # pyright: ignore[reportArgumentType]

    def drawn_by(network: Network, seed: Array, x: Float[Array, "batch features"] | None) -> Variables:
        if isinstance(network, Stack):
            network = replace(network, scanned=True, redrawn=redrawn)  # stacked blocks are drawn side by side
        variables = network.init(jax.random.key(seed))
        if x is None:
            return variables
        single = cast(Stack, replace(network, dtype="float32"))
        return network.cast(unit_variance(single, single.cast(variables), x))

    def drawing(options: TracedOptions, *given: Any) -> Variables:
        return drawn_by(build_network(with_traced_options(case, options, "init"), problem), *given)

    def one_by_one(options: TracedOptions, *given: Any) -> Variables:
        chosen = with_traced_options(case, {name: float(value) for name, value in options.items()}, "init")
        return drawn_by(_built(chosen, problem), *given)  # pyright: ignore[reportArgumentType]

    if isinstance(layout, Stack) and len(set(layout.blocks)) > 1:
        return one_by_one  # many blocks have operations of the same shapes, which jax compiles once
    weights = layout.weights if isinstance(layout, Stack) else 0  # few: they are shared by all time steps
    return jax.jit(drawing, compiler_options=compiler_options(A_DRAW * weights))
