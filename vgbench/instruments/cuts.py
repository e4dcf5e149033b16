"""Which taps cut the graph of a loss, so that the backward pass can be renormalised there and norms stay exact.

Dividing the cotangent at a tap scales all gradients upstream alike only where every path from there to the loss passes
the tap. A tap is taken for a cut where no other value that depends on the same parameters or taps, and on the data,
crosses its place. Whatever is chosen, `signatures` then follows every path: a gradient is known exactly where all its
paths to the loss pass the same cuts, and is MIXED otherwise.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any, TypeAlias

import jax.numpy as jnp
import numpy as np
from jax.extend.core import Jaxpr, JaxprEqn, Var
from jax.extend.core import Literal as Constant

from vgbench.instruments.graph import count_taps, is_loop, is_tap, loop_counts


@dataclass(frozen=True)
class Passed:
    """Cuts between a gradient's place and the loss.

    Attributes:
        taps: numbers of the taps outside of loops.
        loops: first taps of the loops all of whose iterations are passed.
        within: first tap of the loop that the place itself lies in, and the taps that are passed in the same iteration,
            before all later iterations; None outside of loops.
    """

    taps: frozenset[int] = frozenset()
    loops: frozenset[int] = frozenset()
    within: tuple[int, frozenset[int]] | None = None


@dataclass(frozen=True)
class Mixed:
    """Of a gradient whose paths to the loss pass different cuts."""


MIXED = Mixed()
Signature: TypeAlias = Passed | Mixed | None
"""What a gradient has passed; MIXED where its paths differ, None where no path leads to the loss."""


@dataclass(frozen=True)
class Loop:
    """A scan that holds taps.

    Attributes:
        taps: numbers of the taps in its body.
        reverse: whether its iterations run from the last to the first.
    """

    taps: range
    reverse: bool


@dataclass(frozen=True)
class Plan:
    """Where a backward pass is renormalised, and what that makes of every gradient.

    Attributes:
        cuts: numbers of the taps, in the order of `graph.run`, at which the cotangent is divided.
        loops: scans with taps, by the number of their first tap.
        taps: signature of dL/dh at every tap.
        inputs: signature of the gradient by every input.
    """

    cuts: frozenset[int]
    loops: Mapping[int, Loop]
    taps: tuple[Signature, ...]
    inputs: tuple[Signature, ...]

    def exponents(self, signature: Signature, found: Mapping[int, np.ndarray]) -> np.ndarray:
        """The power of two that a gradient has been divided by: a number, or one for each iteration of its loop.

        Args:
            signature: of the gradient.
            found: exponents by the number of the cut, [] or [iterations].
        """
        if not isinstance(signature, Passed):
            return np.zeros(())
        whole = [found[tap].sum() for loop in signature.loops for tap in self._cuts_of(loop)]
        total = np.asarray(sum([found[tap] for tap in signature.taps], 0.0) + sum(whole))
        if signature.within is None:
            return total
        loop, own = signature.within
        each = sum((found[tap] for tap in self._cuts_of(loop)), np.zeros(()))
        later = np.cumsum(each) - each if self.loops[loop].reverse else np.cumsum(each[::-1])[::-1] - each
        return total + later + sum((found[tap] for tap in own), np.zeros(()))

    def _cuts_of(self, loop: int) -> list[int]:
        return [tap for tap in self.loops[loop].taps if tap in self.cuts]


def plan(jaxpr: Jaxpr, parameters: int, *, renormalised: bool = True) -> Plan:
    """Choose the cuts of a flattened loss, of whose inputs the first are parameters and the others data."""
    loops = _loops(jaxpr)
    sources = {var: (1 << i if i < parameters else 0) for i, var in enumerate(jaxpr.invars)}
    data = set(jaxpr.invars[parameters:])
    cuts = frozenset(_cuts(jaxpr, sources, data, parameters, 0, top=True)) if renormalised else frozenset[int]()
    back = _Backward(cuts, loops, {}, frozenset(jaxpr.invars[:parameters]))
    found = back.through(jaxpr, [Passed()], 0)
    taps = tuple(back.taps.get(i) for i in range(count_taps(jaxpr)))
    return Plan(cuts, loops, taps, tuple(found.get(var) for var in jaxpr.invars))


def _loops(jaxpr: Jaxpr) -> dict[int, Loop]:
    found, first = {}, 0
    for eqn in jaxpr.eqns:
        if is_loop(eqn):
            number = count_taps(eqn.params["jaxpr"].jaxpr)
            found[first] = Loop(range(first, first + number), eqn.params["reverse"])
            first += number
        first += is_tap(eqn)
    return found


def _is_float(atom: Any) -> bool:
    return jnp.issubdtype(getattr(atom.aval, "dtype", np.int32), jnp.inexact)


def _variables(atoms: Iterable[Any]) -> list[Var]:
    return [atom for atom in atoms if not isinstance(atom, Constant)]


def _cuts(jaxpr: Jaxpr, sources: dict[Var, int], data: set[Var], bit: int, first: int, *, top: bool) -> Iterable[int]:
    """The numbers of the taps that cut; `sources` has a bit for everything that a value depends on."""
    sources, data = dict(sources), set(data)
    ends = _last_uses(jaxpr)
    live = [var for var in jaxpr.invars if var in data and sources.get(var)]
    for place, eqn in enumerate(jaxpr.eqns):
        operands = _variables(eqn.invars)
        mask = reduce(or_, (sources.get(var, 0) for var in operands), 0)
        live = [var for var in live if ends.get(var, -1) > place]
        if is_tap(eqn):
            if not any(sources[var] & mask for var in live):
                yield first
            mask, first = mask | 1 << (bit + first), first + 1
        elif is_loop(eqn):
            body = eqn.params["jaxpr"].jaxpr
            if top:
                yield from _cuts_in_loop(eqn, sources, data, ends, first)
            first += count_taps(body)
        if eqn.primitive.name == "stop_gradient":
            mask = 0
        seen = any(var in data for var in operands) or is_tap(eqn)
        for var in eqn.outvars:
            sources[var] = mask if _is_float(var) else 0
            if seen:
                data.add(var)
            if seen and sources[var]:
                live.append(var)


def _last_uses(jaxpr: Jaxpr) -> dict[Var, int]:
    """The place of the last operation on every variable that leads to an output; beyond all of an output itself."""
    ends = {var: len(jaxpr.eqns) for var in _variables(jaxpr.outvars)}
    for place, eqn in reversed([*enumerate(jaxpr.eqns)]):
        if eqn.primitive.name != "stop_gradient" and any(var in ends and _is_float(var) for var in eqn.outvars):
            for var in _variables(eqn.invars):
                ends.setdefault(var, place)
    return ends


def _cuts_in_loop(
    eqn: JaxprEqn, sources: Mapping[Var, int], data: set[Var], ends: Mapping[Var, int], first: int
) -> Iterable[int]:
    """The taps of a loop that cut each of its iterations, where nothing but the carry leads to the loss."""
    body, (consts, carry) = eqn.params["jaxpr"].jaxpr, loop_counts(eqn)
    if any(_is_float(var) and var in ends for var in eqn.outvars[carry:]):
        return
    inner: dict[Var, int] = {}
    varying: set[Var] = set()
    signals = 1
    for i, (outer, var) in enumerate(zip(eqn.invars, body.invars, strict=True)):
        constant = isinstance(outer, Constant)
        if consts <= i < consts + carry:
            continue
        inner[var] = 0 if constant or not sources.get(outer) else 1 << (i + 1)
        if not constant and outer in data:
            varying.add(var)
            signals |= inner[var]
    for var in body.invars[consts : consts + carry]:
        inner[var] = signals if _is_float(var) else 0
        varying.add(var)
    yield from _cuts(body, inner, varying, len(eqn.invars) + 1, first, top=False)


@dataclass
class _Backward:
    """Follows the paths from the loss, noting the signature of each tap on its way."""

    cuts: frozenset[int]
    loops: Mapping[int, Loop]
    taps: dict[int, Signature]
    parameters: frozenset[Var]
    known: dict[Var, Signature] = field(default_factory=dict)

    def through(self, jaxpr: Jaxpr, outs: list[Signature], first: int) -> dict[Var, Signature]:
        """The signatures of all variables of a jaxpr, of whose taps the first has this number."""
        found: dict[Var, Signature] = {}
        for var, signature in zip(jaxpr.outvars, outs, strict=True):
            if not isinstance(var, Constant):
                found[var] = _joined(found.get(var), signature)
        last = first + count_taps(jaxpr)
        for eqn in reversed(jaxpr.eqns):
            outside = [found.get(var) for var in eqn.outvars]
            if is_loop(eqn):
                last -= count_taps(eqn.params["jaxpr"].jaxpr)
                inside = self._loop(eqn, outside, last)
            elif is_tap(eqn):
                last -= 1
                signature = self.taps[last] = _all_joined(outside)
                if isinstance(signature, Passed) and last in self.cuts:
                    signature = _with_tap(signature, last)
                inside = [signature] * len(eqn.invars)
            else:
                blocked = eqn.primitive.name == "stop_gradient"
                inside = [None if blocked else _all_joined(outside)] * len(eqn.invars)
            for atom, signature in zip(eqn.invars, inside, strict=True):
                if not isinstance(atom, Constant) and _is_float(atom):
                    found[atom] = _joined(found.get(atom), signature)
        return found

    def _loop(self, eqn: JaxprEqn, outside: list[Signature], first: int) -> list[Signature]:
        body, (consts, carry) = eqn.params["jaxpr"].jaxpr, loop_counts(eqn)
        floats = [_is_float(var) for var in eqn.outvars]
        after = _all_joined([each for each, is_float in zip(outside, floats, strict=True) if is_float])
        cuts = self.cuts & set(range(first, first + count_taps(body)))
        if not cuts or not isinstance(after, Passed):
            found = self.through(body, [after if is_float else None for is_float in floats], first)
            return [found.get(var) for var in body.invars]
        start: list[Signature] = [Passed() if i < carry and floats[i] else None for i in range(len(floats))]
        found = self.through(body, start, first)
        carried = _all_joined([found.get(var) for var in body.invars[consts : consts + carry] if _is_float(var)])
        even = carried == Passed(taps=cuts)  # every iteration is passed in the same way

        def placed(own: Signature) -> Signature:
            if own is None:
                return None
            if isinstance(own, Mixed) or not even:
                return MIXED
            return Passed(after.taps, after.loops, (first, own.taps))

        for tap in range(first, first + count_taps(body)):
            self.taps[tap] = placed(self.taps.get(tap))
        whole = Passed(after.taps, after.loops | {first}) if even else MIXED
        inside: list[Signature] = []
        for i, (outer, var) in enumerate(zip(eqn.invars, body.invars, strict=True)):
            own = found.get(var)
            if own is None:
                inside.append(None)
            elif i < consts:
                inside.append(MIXED)
            elif i < consts + carry:
                inside.append(whole)
            else:
                inside.append(placed(own) if outer in self.parameters else MIXED)
        return inside


def _with_tap(signature: Passed, tap: int) -> Passed:
    return Passed(signature.taps | {tap}, signature.loops, signature.within)


def _joined(one: Signature, other: Signature) -> Signature:
    if one is None or one == other:
        return other
    return one if other is None else MIXED


def _all_joined(signatures: Iterable[Signature]) -> Signature:
    found: Signature = None
    for each in signatures:
        found = _joined(found, each)
    return found
