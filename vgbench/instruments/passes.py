"""The passes that read a traced loss: one forward and one backward, renormalised where the taps cut the graph."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr
from jaxtyping import Array

from vgbench.instruments.activation import Activation, activation_at
from vgbench.instruments.cuts import MIXED, Plan, plan
from vgbench.instruments.graph import is_loop, is_tap, run
from vgbench.instruments.probe import renormalise
from vgbench.instruments.tap import Mark


@dataclass(frozen=True)
class Site:
    """A tap of a flattened jaxpr.

    Attributes:
        mark: what the tap says of itself.
        shapes: of its arrays.
        dtypes: of its arrays.
        lengths: iterations of the scans around it, the outer one first.
        activation: that it feeds or is.
    """

    mark: Mark
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[Any, ...]
    lengths: tuple[int, ...]
    activation: Activation | None


@dataclass(frozen=True)
class Traced:
    """A loss as a graph, with all that is known of it before it is run.

    Attributes:
        closed: its flattened jaxpr, of parameters and data.
        parameters: how many of its inputs are parameters.
        sites: its taps, in the order of the forward pass.
        exact: the plan of the renormalised pass.
        plain: the plan of one that divides nothing.
        uses: place of the first operation on every input.
    """

    closed: ClosedJaxpr
    parameters: int
    sites: tuple[Site, ...]
    exact: Plan
    plain: Plan
    uses: Mapping[Any, tuple[int, ...]]

    def depth(self, parameter: int, layer: int = 0) -> tuple[int, ...]:
        """What sorts parameters, and layers of a stack, by their first use in the forward pass; unused ones last."""
        jaxpr = self.closed.jaxpr
        place, *inner = self.uses.get(jaxpr.invars[parameter], (len(jaxpr.eqns),))
        return place, layer, *inner

    def plans(self, *, parameters: bool) -> tuple[Plan, ...]:
        """The plans that it takes to know all gradients at taps, and by parameters, if those are asked for."""
        asked = [*self.exact.taps, *(self.exact.inputs[: self.parameters] if parameters else ())]
        return (self.exact, self.plain) if MIXED in asked else (self.exact,)


class Signals(NamedTuple):
    """What a pass reads.

    Attributes:
        loss: of the batch.
        parameters: gradient by every parameter, divided as the plan says.
        taps: gradient at every tap, a tree of arrays with a leading axis for the iterations of a scan.
        exponents: what was divided at each cut, by its number.
        values: for each tap its arrays, the number of its layer (None without) and what its activation is given.
    """

    loss: Array
    parameters: list[Array]
    taps: list[list[Array]]
    exponents: dict[int, Array]
    values: list[tuple[list[Array], Array | None, Array | None]]


def traced(closed: ClosedJaxpr, parameters: int) -> Traced:
    """Look a flattened loss over."""
    jaxpr = closed.jaxpr
    sites = tuple(_sites(jaxpr, ()))
    plans = plan(jaxpr, parameters), plan(jaxpr, parameters, renormalised=False)
    return Traced(closed, parameters, sites, *plans, _first_uses(jaxpr))


def _sites(jaxpr: Jaxpr, lengths: tuple[int, ...]) -> Any:
    for place, eqn in enumerate(jaxpr.eqns):
        if is_tap(eqn):
            mark: Mark = eqn.params["mark"]
            avals: Any = [var.aval for var in eqn.outvars]
            activation = None if mark.scores or len(avals) > 1 else activation_at(jaxpr, place)
            shapes, dtypes = tuple(each.shape for each in avals), tuple(each.dtype for each in avals)
            yield Site(mark, shapes, dtypes, lengths, activation)
        elif is_loop(eqn):
            yield from _sites(eqn.params["jaxpr"].jaxpr, (*lengths, eqn.params["length"]))


def _first_uses(jaxpr: Jaxpr) -> dict[Any, tuple[int, ...]]:
    """The place of the first operation on every variable; within a loop, its place there, too."""
    places: dict[Any, tuple[int, ...]] = {}
    for place, eqn in enumerate(jaxpr.eqns):
        body = eqn.params["jaxpr"].jaxpr if eqn.primitive.name == "scan" else None
        inner = {} if body is None else _first_uses(body)
        for i, atom in enumerate(eqn.invars):
            if not hasattr(atom, "val"):
                places.setdefault(atom, (place, *(inner.get(body.invars[i], ()) if body is not None else ())))
    return places


def signals(found: Traced, how: Plan, parameters: Sequence[Array], data: Sequence[Any]) -> Signals:
    """Run one forward and one backward pass."""
    blanks = [
        [jnp.zeros((*site.lengths, *shape), dtype) for shape, dtype in zip(site.shapes, site.dtypes, strict=True)]
        for site in found.sites
    ]
    dummies = {tap: _dummy(found.sites[tap]) for tap in how.cuts}

    def loss(parameters: Sequence[Array], blanks: Any, dummies: Any) -> Any:
        given = [(blank, dummies.get(i)) for i, blank in enumerate(blanks)]
        outs, kept = run(found.closed, [*parameters, *data], partial(_on_tap, found.sites), given)
        return outs[0], kept

    (value, kept), (by_parameter, by_tap, by_dummy) = jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True)(
        list(parameters), blanks, dummies
    )
    return Signals(value, by_parameter, by_tap, {tap: each[..., 1] for tap, each in by_dummy.items()}, kept)


def _dummy(site: Site) -> Array:
    return jnp.zeros((*site.lengths, 2), jnp.promote_types(jnp.result_type(*site.dtypes), jnp.float32))


def _on_tap(sites: Sequence[Site], tap: int, eqn: Any, operands: Any, given: Any, read: Callable[[Any], Any]) -> Any:
    site = sites[tap]
    blanks, dummy = given
    arrays = operands[:-1] if site.mark.layered else operands
    passed = list(arrays) if dummy is None else renormalise(list(arrays), dummy)
    z = None
    if site.activation is not None:
        z = arrays[0] if site.activation.given is None else read(site.activation.given)
    kept = jax.lax.stop_gradient((list(arrays), operands[-1] if site.mark.layered else None, z))
    return [h + blank for h, blank in zip(passed, blanks, strict=True)], kept
