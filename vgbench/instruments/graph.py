"""The forward pass as a graph: jaxprs that are run operation by operation, so that taps can be read and changed.

A traced loss is flattened: calls (jit, checkpoint) that hold taps are replaced by what they call, so that taps lie at
the top or in the body of a scan. What a `cond`, a `while_loop` or a function with a custom derivative holds stays
closed, and its taps are not read.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var

from vgbench.instruments.tap import tap_p

_CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "remat2": "jaxpr", "checkpoint": "jaxpr", "closed_call": "call_jaxpr"}


OnTap: TypeAlias = Callable[[int, JaxprEqn, list[Any], Any, Callable[[Any], Any]], Any]
"""What is done at a tap: from its number, operation, operands and what was given for it, to results and what is kept.

The last argument reads a variable that was computed before, in the same jaxpr.
"""


def flattened(function: Callable[..., Any], *arguments: Any) -> ClosedJaxpr:
    """The jaxpr of a function of these arguments, flattened."""
    closed = jax.make_jaxpr(function)(*arguments)

    def rebound(*inputs: Any) -> Any:
        return run(closed, inputs, _rebind)[0]

    return jax.make_jaxpr(rebound)(*jax.tree.leaves(arguments))


def run(closed: ClosedJaxpr, inputs: Sequence[Any], on_tap: OnTap, given: Sequence[Any] | None = None) -> Any:
    """Run a jaxpr with something done at its taps.

    Args:
        closed: the jaxpr.
        inputs: one for each of its inputs.
        on_tap: what is done.
        given: for each tap, in order, a tree of arrays, each with leading axes for the iterations of the scans around
            it; None for all if None.

    Returns:
        The outputs, and for each tap what was kept, with such leading axes.
    """
    every = [None] * count_taps(closed.jaxpr) if given is None else given
    return _run(closed.jaxpr, closed.consts, inputs, on_tap, every, 0)


def count_taps(jaxpr: Jaxpr) -> int:
    """How many taps there are."""
    return sum(1 if is_tap(eqn) else count_taps(body) for eqn in jaxpr.eqns for body in [_open(eqn)] if is_open(eqn))


def is_tap(eqn: JaxprEqn) -> bool:
    """Whether an operation is a tap."""
    return eqn.primitive is tap_p


def is_loop(eqn: JaxprEqn) -> bool:
    """Whether an operation is a scan that holds taps."""
    return eqn.primitive.name == "scan" and _holds_taps(eqn.params["jaxpr"].jaxpr)


def is_open(eqn: JaxprEqn) -> bool:
    """Whether an operation is a tap or is run as what it holds, taps among it."""
    return is_tap(eqn) or is_loop(eqn) or (eqn.primitive.name in _CALLS and _holds_taps(_open(eqn)))


def _open(eqn: JaxprEqn) -> Any:
    if eqn.primitive.name == "scan":
        return eqn.params["jaxpr"].jaxpr
    body = eqn.params.get(_CALLS.get(eqn.primitive.name, ""))
    return getattr(body, "jaxpr", body)


def _holds_taps(jaxpr: Jaxpr) -> bool:
    return any(is_open(eqn) for eqn in jaxpr.eqns)


def _rebind(tap: int, eqn: JaxprEqn, operands: list[Any], given: Any, read: Callable[[Any], Any]) -> Any:
    return tap_p.bind(*operands, **eqn.params), None


def _run(
    jaxpr: Jaxpr, consts: Sequence[Any], inputs: Sequence[Any], on_tap: OnTap, given: Sequence[Any], first: int
) -> Any:
    """Run a jaxpr whose taps are numbered from `first`; `given` is for them alone."""
    values: dict[Var, Any] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *inputs], strict=True))
    kept: list[Any] = []

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else values[atom]

    for eqn in jaxpr.eqns:
        operands = [read(atom) for atom in eqn.invars]
        own = given[len(kept) :]
        if is_tap(eqn):
            results, one = on_tap(first + len(kept), eqn, operands, own[0], read)
            kept.append(one)
        elif is_open(eqn):
            results, some = _opened(eqn, operands, on_tap, own[: count_taps(_open(eqn))], first + len(kept))
            kept += some
        else:
            results = bind(eqn, operands)
        values.update(zip(eqn.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars], kept


def _opened(eqn: JaxprEqn, operands: list[Any], on_tap: OnTap, given: Sequence[Any], first: int) -> Any:
    if is_loop(eqn):
        return _loop(eqn, operands, on_tap, given, first)
    body = eqn.params[_CALLS[eqn.primitive.name]]
    consts = body.consts if isinstance(body, ClosedJaxpr) else ()
    return _run(_open(eqn), consts, operands, on_tap, given, first)


def bind(eqn: JaxprEqn, operands: Sequence[Any]) -> list[Any]:
    """The results of one operation."""
    bound: Any = eqn.primitive.get_bind_params(eqn.params)
    functions, params = bound if isinstance(bound, tuple) else ((), bound)  # by the version of jax
    with eqn.ctx.manager:
        found = eqn.primitive.bind(*functions, *operands, **params)
    return list(found) if eqn.primitive.multiple_results else [found]


def loop_counts(eqn: JaxprEqn) -> tuple[int, int]:
    """How many of a scan's operands are constants, and how many are carried."""
    params = eqn.params
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    consts, carry, _ = params["ft_in"].unpack()  # since jax 0.11
    return len(consts), len(carry)


def _loop(eqn: JaxprEqn, operands: list[Any], on_tap: OnTap, given: Sequence[Any], first: int) -> Any:
    """A scan, run as one that hands each iteration's taps what is given for it, and hands out what is kept."""
    params, body = eqn.params, eqn.params["jaxpr"]
    consts, carry = loop_counts(eqn)

    def step(state: Any, sliced: Any) -> Any:
        xs, own = sliced
        outs, kept = _run(body.jaxpr, body.consts, [*operands[:consts], *state, *xs], on_tap, own, first)
        return outs[:carry], (outs[carry:], kept)

    state, (ys, kept) = jax.lax.scan(
        step,
        operands[consts : consts + carry],
        (operands[consts + carry :], list(given)),
        length=params["length"],
        reverse=params["reverse"],
        unroll=params["unroll"],
    )
    return [*state, *ys], kept
