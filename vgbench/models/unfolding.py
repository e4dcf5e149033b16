"""Recurrent cells one above the other, unfolded in time: one step of all, or all steps of one after the other."""

from collections.abc import Callable
from typing import TypeAlias, TypeVar

import jax
from flax import nnx
from jaxtyping import Array, Float, PyTree

from vgbench.mitigations.parallel_cells import ParallelCell
from vgbench.models.network import Part, Tree

T = TypeVar("T")
Carry: TypeAlias = PyTree[Float[Array, "batch ..."]]
"""The state of one cell."""
Carries: TypeAlias = tuple[Carry, ...]
"""The states of all cells, the lowest first."""
Cell: TypeAlias = tuple[Part, Tree, Tree]
"""A `Step` with its parameters, in the dtype that the network computes in, and its other state."""


class Step(nnx.Module):
    """One cell at one time step."""

    def __init__(self, cell: nnx.RNNCellBase) -> None:
        self.cell = cell

    def __call__(self, at: tuple[Carry, Float[Array, "batch inputs"]]) -> Carry:
        """Map the carry and the inputs to the next carry."""
        return self.cell(*at)[0]

    def output(self, carry: Carry, inputs: Float[Array, "batch inputs"]) -> Float[Array, "batch width"]:
        """The output of the cell after a step: h, the last array of the carry of Flax's cells."""
        own = getattr(self.cell, "output", None)
        return own(carry, inputs) if own else jax.tree.leaves(carry)[-1]

    def start(self, batch: int) -> Carry:
        """The carry before the first step: zeros in Flax's cells."""
        return self.cell.initialize_carry((batch, 1), rngs=nnx.Rngs(0))


def walk(
    cells: list[Cell], visit: Callable[..., tuple[Carry, T]], carry: Carries, inputs: Array
) -> tuple[Carries, list[T]]:
    """One time step of all cells, the lowest first.

    Args:
        cells: with their variables.
        visit: one cell's work, (part, params, stats, (carry, inputs)) -> (carry, record).
        carry: the cells' states before the step.
        inputs: of the lowest cell.

    Returns:
        The states after the step, and the records.
    """
    after, records = [], []
    for cell, state in zip(cells, carry, strict=True):
        state, record = visit(*cell, (state, inputs))
        inputs = _shown(cell, state, inputs)
        after.append(state)
        records.append(record)
    return tuple(after), records


def output_of(cells: list[Cell], carry: Carries, inputs: Array) -> Array:
    """The topmost cell's output, read from these carries alone."""
    for cell, state in zip(cells, carry, strict=True):
        inputs = _shown(cell, state, inputs)
    return inputs


def _shown(cell: Cell, carry: Carry, inputs: Array) -> Array:
    part, params, stats = cell
    return part.module(params, stats, train=True).output(carry, inputs)


def is_parallel(part: Part) -> bool:
    """Whether a `Step` has a cell whose steps can all be computed at once."""
    return isinstance(part.blank.cell, ParallelCell)


def at_once(
    cells: list[Cell], inputs: Float[Array, "steps batch inputs"], last: int, *, remat: bool
) -> Float[Array, "last batch width"]:
    """The topmost cell's outputs of the last steps, all time steps of each cell computed in parallel.

    Args:
        cells: with their variables; all are parallel.
        inputs: of the lowest cell.
        last: how many steps are answered from.
        remat: whether the backward pass computes the inner values of each cell anew.
    """
    *below, top = cells

    def outputs(cell: Cell, inputs: Array, last: int) -> Array:
        part, params, stats = cell

        def unfolded(params: Tree, inputs: Array) -> Array:
            cell: ParallelCell = part.module(params, stats, train=True).cell
            return cell.output(cell.states(inputs)[-last:], inputs[-last:])

        return (jax.checkpoint(unfolded) if remat else unfolded)(params, inputs)

    for cell in below:
        inputs = outputs(cell, inputs, len(inputs))
    return outputs(top, inputs, last)
