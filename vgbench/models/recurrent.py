"""The recurrent network: cells that read a sequence step by step, and an output layer of the last steps.

Its depth is the number of time steps; an example of f numbers is read in pieces of f / depth. The state that a step
passes on (of all cells) is tapped at every step, and all answers are read from tapped states, so that every
gradient passes through every later tap. Weights are shared over time: a renormalised pass, whose cotangents are divided
otherwise at every step, has the exact norms of the signal and no meaningful gradient of the weights.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Shaped
from pydantic import Field

from vgbench.errors import InputError
from vgbench.instruments.probe import Probe, largest_magnitude, observe, observe_weights, wide
from vgbench.mitigations.cells import CellSite
from vgbench.mitigations.initializers import Signal
from vgbench.models.network import Describe, Network, Output, Part, Taps, Tree, Variables
from vgbench.models.problem import Problem
from vgbench.models.unfolding import Carries, Cell, Step, at_once, is_parallel, output_of, walk
from vgbench.spec.case import Case
from vgbench.spec.registry import ACTIVATIONS, CELLS, INITIALIZERS, MODELS


@dataclass(frozen=True, kw_only=True)
class Recurrent(Network):
    """Cells one above the other, and an output layer of the topmost.

    Attributes:
        cells: a `Step` each, the lowest first.
        output_layer: module from the last cell's output to the answers.
        steps: time steps.
        inputs: numbers read at a step.
        scanned: whether time is scanned or unrolled where cells are applied step by step; the parameters are the same.
    """

    cells: tuple[Part, ...]
    output_layer: Part
    steps: int
    inputs: int
    scanned: bool

    @property
    def depth(self) -> int:
        """Time steps."""
        return self.steps

    @property
    def layers(self) -> int:
        """The cells and the output layer."""
        return len(self.cells) + 1

    @property
    def stacked(self) -> bool:
        """No: each cell has a tree of its own."""
        return False

    @property
    def matrix(self) -> tuple[int, int]:
        """Of the topmost cell."""
        return self.cells[-1].matrix

    @property
    def shared(self) -> bool:
        """Yes, over time."""
        return True

    @property
    def parallel(self) -> bool:
        """Whether all cells are linear in their state, so that passes without a probe compute all steps at once."""
        return all(map(is_parallel, self.cells))

    @cached_property
    def states(self) -> tuple[str, ...]:
        """Names of the arrays of the carry, c and h of an LSTM; numbered by cell where there are several."""
        names = []
        for i, part in enumerate(self.cells, start=1):
            arrays = ("c", "h")[-len(jax.tree.leaves(part.blank.start(1))) :]
            names += [f"{name}{i}" if len(self.cells) > 1 else name for name in arrays]
        return tuple(names) if len(names) > 1 else ()

    def init(self, key: Array) -> Variables:
        """Draw all variables; each cell from a key of its own."""
        parts = (*self.cells, self.output_layer)
        with jax.default_matmul_precision("highest"):  # whatever the measurement traces under
            drawn = [part.init(each, i) for i, (part, each) in enumerate(zip(parts, self._keys(key), strict=True), 1)]
        params, stats = (
            {"input_layer": input_layer, "blocks": tuple(blocks), "output_layer": output_layer}
            for input_layer, *blocks, output_layer in zip(*drawn, strict=True)
        )
        return self.cast(Variables(params, stats))

    def _keys(self, key: Array) -> Array:
        return jax.vmap(partial(jax.random.fold_in, key))(jnp.arange(self.layers, dtype=jnp.uint32))

    def apply(
        self,
        variables: Variables,
        x: Float[Array, "batch features"],
        *,
        train: bool,
        probe: Probe | None = None,
        taps: Taps | None = None,
        describe: Describe | None = None,
    ) -> Output:
        """Read the sequences and answer; with a probe, tap the carry of every step, and its arrays one by one.

        Where nothing is to be seen of single steps, cells that are linear in their state are computed in parallel over
        time.
        """
        taps = taps or Taps()
        params, stats = _observed(variables.params, taps.parameter), variables.stats
        pieces = self._pieces(x)
        largest = described = None
        if probe is None and describe is None and self.parallel:
            outputs = at_once(self._cells(params, stats), pieces, self.problem.answers, remat=self.remat)
            outputs = jnp.moveaxis(outputs, 0, 1) if self.problem.answers > 1 else outputs[0]
        else:
            cells = partial(self._cells, params, stats)
            outputs, (largest, described) = self._step_by_step(cells, pieces, train, probe, taps, describe)
        answers, _ = self.output_layer.apply(
            self.computing(params["output_layer"]), stats["output_layer"], outputs, train
        )
        return Output(wide(answers), stats, largest, described)

    def _step_by_step(
        self,
        cells: Callable[[], list[Cell]],
        pieces: Array,
        train: bool,
        probe: Probe | None,
        taps: Taps,
        describe: Describe | None,
    ) -> tuple[Array, tuple[Array | None, Any]]:
        """The outputs that are answered from, and of each step the largest magnitude and the description.

        The cells are asked for in every step, so that gradients are widened step by step, too.
        """
        visit = Part.watch if describe else partial(Part.apply, train=train)
        now, later = self.turns(describe)

        def step(carry: Carries, at: tuple[Array, Taps]) -> tuple[Carries, tuple[Array | None, tuple[Any, Any]]]:
            inputs, tap = at
            (carry, seen), largest = walk(cells(), visit, carry, inputs), None
            if probe is not None and tap.activation is not None:
                carry = _tapped(probe, carry, tap)
                largest = largest_magnitude(carry)
            given = [each[None] for _, given in seen for each in given] if describe else []
            seen = jax.tree.map(lambda leaf: leaf[0], now(given, 1))
            shown = output_of(cells(), carry, inputs) if self.problem.answers > 1 else None
            return carry, (shown, (largest, seen))

        if self.remat:
            step = jax.checkpoint(step, prevent_cse=not self.scanned)
        over_time = (pieces, taps._replace(parameter=None))
        start = self._start(pieces.shape[1])
        carry, (outputs, (largest, seen)) = jax.lax.scan(step, start, over_time, unroll=not self.scanned)
        described = later(seen, self.steps) if describe else None
        if outputs is None:
            return output_of(cells(), carry, pieces[-1]), (largest, described)
        return jnp.moveaxis(outputs[-self.problem.answers :], 0, 1), (largest, described)

    def probed_loss(self, answers: Float[Array, "..."], y: Shaped[Array, "..."]) -> Float[Array, ""]:
        """The loss of the last answer alone, from which all gradient has the same way to go."""
        return self.problem.last_loss(answers, y)

    def _pieces(self, x: Float[Array, "batch features"]) -> Float[Array, "steps batch inputs"]:
        return jnp.moveaxis(x.astype(self.dtype).reshape(len(x), self.steps, self.inputs), 1, 0)

    def _cells(self, params: dict[str, Any], stats: dict[str, Any]) -> list[Cell]:
        return list(zip(self.cells, _by_cell(self.computing(params)), _by_cell(stats), strict=True))

    def _start(self, batch: int) -> Carries:
        return self.computing(tuple(part.blank.start(batch) for part in self.cells))


def _by_cell(tree: dict[str, Any]) -> list[Tree]:
    return [tree["input_layer"], *tree["blocks"]]


def _observed(params: dict[str, Any], taps: Array | None) -> dict[str, Any]:
    """The parameters, each layer's weights observed by its tap."""
    if taps is None:
        return params
    input_layer, *blocks, output_layer = map(observe_weights, [*_by_cell(params), params["output_layer"]], taps)
    return {"input_layer": input_layer, "blocks": tuple(blocks), "output_layer": output_layer}


def _tapped(probe: Probe, carry: Carries, tap: Taps) -> Carries:
    carry = probe(carry, tap.activation)  # pyright: ignore[reportArgumentType]
    if tap.state is None or not len(tap.state):
        return carry
    leaves, structure = jax.tree.flatten(carry)
    return jax.tree.unflatten(structure, map(observe, leaves, tap.state))


def _unfit(case: Case) -> str | None:
    if case.cell.name == "none":
        return "needs a cell other than 'none'"
    for slot in ("norm", "skip"):
        if getattr(case, slot).name != "none":
            return f"its cells have no {slot}: {slot} {getattr(case, slot).name!r} has no place"
    if INITIALIZERS[case.init.name].data_dependent:
        return f"init {case.init.name!r} scales the layers of a feed-forward network"
    if isinstance(case.init.options().get("gain"), str):
        return (
            f'gain = "{case.init.options()["gain"]}" comes from mean-field theory, which needs weights drawn anew in'
            " every layer; these are shared over time"
        )
    return None


@MODELS.register(
    source="Elman 1990",
    refuses=_unfit,
    defaults={"activation": "tanh", "init": "orthogonal", "cell": "rnn", "block_execution": "scan"},
)
def recurrent(case: Case, problem: Problem, scanned: bool, *, layers: Annotated[int, Field(ge=1)] = 1) -> Recurrent:
    """Recurrent network, as many time steps as the depth: `layers` cells one above the other, a linear output layer.

    The init is that of the square matrices, in Flax orthogonal; input weights are LeCun normal. A Gaussian matrix that
    is shared over time is outside mean-field theory. Cells that are linear in their state train and are timed
    with all time steps in parallel.
    """
    inputs, rest = divmod(problem.features, case.depth)
    if rest:
        raise InputError(f"depth: the {problem.features} numbers of an example do not divide into {case.depth} steps")

    def cell(reads: int) -> Part:
        def build(rngs: nnx.Rngs, layer: int | Array) -> Step:
            activation = partial(ACTIVATIONS.build, case.activation)
            square = INITIALIZERS.build(case.init, Signal(case.activation, bias_std=0.0, raw=False))
            return Step(CELLS.build(case.cell, CellSite(reads, case.width, case.depth, activation, square, rngs)))

        return Part(build)

    cells = (cell(inputs), *[cell(case.width)] * (layers - 1))
    output_layer = Part(lambda rngs, layer: nnx.Linear(case.width, problem.outputs, rngs=rngs))
    products = sum(getattr(part.blank.cell, "products", 0) for part in cells)
    multiplied = case.depth * (products + sum(part.weights for part in cells)) + problem.answers * output_layer.weights
    # The lowest cell passes no gradient on to what it reads.
    first = case.depth * inputs * (cell(inputs + 1).weights - cells[0].weights)
    return Recurrent(
        cells=cells,
        output_layer=output_layer,
        steps=case.depth,
        inputs=inputs,
        problem=problem,
        scanned=scanned,
        dtype=case.dtype,
        remat=case.remat,
        forward_flops=2 * multiplied,
        backward_flops=2 * (2 * multiplied - first),
    )
