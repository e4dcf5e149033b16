"""Activations recognised in a jaxpr: the function of one array, element by element, that a tapped point feeds or is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Jaxpr, JaxprEqn, Literal, Var
from jaxtyping import Array, Float

from vgbench.instruments.graph import bind, is_open, is_tap

SATURATED_BELOW = 0.05
"""A unit is saturated where its activation's slope is below this share of the steepest."""

_BENDS = frozenset(
    "tanh logistic erf erfc max min clamp select_n abs sign sin cos atan asinh expm1 log1p".split()  # noqa: SIM905
)
"""Operations that make a function an activation, where scaling, shifting and powers alone do not."""
_ELEMENTWISE = _BENDS | frozenset(
    "add sub mul div neg exp exp2 log sqrt rsqrt cbrt integer_pow pow square floor ceil round eq ne lt le gt ge and or "  # noqa: SIM905
    "not convert_element_type copy is_finite sinh cosh tan rem reduce_precision vgbench_tap".split()
)
_CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr"}
_NAMES = {"logistic": "sigmoid", "max": "relu", "soft_sign": "softsign", "swish": "silu", "hard_swish": "hard_silu"}
_STEEPEST = {"sigmoid": 0.25, "erf": 1.128, "silu": 1.1, "gelu": 1.13, "mish": 1.09, "selu": 1.758, "celu": 1.0}


@dataclass(frozen=True)
class Activation:
    """A function that is applied number by number.

    Attributes:
        name: as jax.nn calls it; None of one that is not known.
        function: from what it is given to what it gives.
        given: the variable that it is given, where that comes before the tapped point; None where it is that point.
    """

    name: str | None
    function: Callable[[Array], Array]
    given: Var | None

    def slope(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """|phi'(z)| over its largest value anywhere (1 where the function is not known)."""
        slope = jax.jvp(self.function, (z,), (jnp.ones_like(z),))[1]
        return jnp.abs(slope) / _STEEPEST.get(self.name or "", 1.0)


def activation_at(jaxpr: Jaxpr, place: int) -> Activation | None:
    """The activation that gave what is tapped by the operation at this place, or that it is given to next."""
    return _behind(jaxpr, place) or _ahead(jaxpr, place)


def _behind(jaxpr: Jaxpr, place: int) -> Activation | None:
    tapped: Any = jaxpr.eqns[place].invars[0]
    needed, found = {tapped}, list[JaxprEqn]()
    for eqn in reversed(jaxpr.eqns[:place]):
        if not needed.intersection(eqn.outvars):
            continue
        if not _is_elementwise(eqn):
            return None
        found.insert(0, eqn)
        needed = needed.difference(eqn.outvars).union(_variables(eqn))
        if len(needed) == 1 and _bends(found):
            given: Any = needed.pop()
            same = given.aval.shape == tapped.aval.shape
            return Activation(_name(found), _function(found, given, tapped), given) if same else None
    return None


def _ahead(jaxpr: Jaxpr, place: int) -> Activation | None:
    start = jaxpr.eqns[place].outvars[0]
    inside, found, ends = {start}, list[JaxprEqn](), set[Var]()
    for eqn in jaxpr.eqns[place + 1 :]:
        used = inside.intersection(_variables(eqn))
        if not used:
            continue
        if _is_elementwise(eqn) and used.issuperset(_variables(eqn)) and eqn.outvars[0].aval.shape == start.aval.shape:  # pyright: ignore[reportAttributeAccessIssue]
            found.append(eqn)
            inside.update(eqn.outvars)
        else:
            ends |= used
    ends |= inside.intersection(var for var in jaxpr.outvars if not isinstance(var, Literal))
    ends.discard(start)
    if len(ends) != 1:
        return None
    (end,) = ends
    needed, used_eqns = {end}, list[JaxprEqn]()
    for eqn in reversed(found):
        if needed.intersection(eqn.outvars):
            used_eqns.insert(0, eqn)
            needed.update(_variables(eqn))
    return Activation(_name(used_eqns), _function(used_eqns, start, end), None) if _bends(used_eqns) else None


def _variables(eqn: JaxprEqn) -> list[Var]:
    return [atom for atom in eqn.invars if not isinstance(atom, Literal)]


def _inner(eqn: JaxprEqn) -> Jaxpr | None:
    body = eqn.params.get(_CALLS.get(eqn.primitive.name, ""))
    return getattr(body, "jaxpr", body)


def _is_elementwise(eqn: JaxprEqn) -> bool:
    inner = _inner(eqn)
    if inner is not None:
        return not is_open(eqn) and len(eqn.outvars) == 1 and all(map(_is_elementwise, inner.eqns))
    scalar = eqn.primitive.name == "broadcast_in_dim" and eqn.invars[0].aval.shape == ()  # pyright: ignore[reportAttributeAccessIssue]
    return scalar or (eqn.primitive.name in _ELEMENTWISE and len(eqn.outvars) == 1)


def _bends(eqns: Iterable[JaxprEqn]) -> bool:
    inner = ((eqn, _inner(eqn)) for eqn in eqns)
    return any(eqn.primitive.name in _BENDS if body is None else _bends(body.eqns) for eqn, body in inner)


def _name(eqns: list[JaxprEqn]) -> str | None:
    real = [eqn for eqn in eqns if not is_tap(eqn) and eqn.primitive.name != "convert_element_type"]
    if len(real) == 1:
        inner = _inner(real[0])
        if inner is not None and "name" not in real[0].params:
            return _name(list(inner.eqns))
        own = str(real[0].params.get("name", real[0].primitive.name))
        return _NAMES.get(own, own)
    primitives = {eqn.primitive.name for eqn in real}
    if primitives & {"erf", "erfc"} or ("tanh" in primitives and primitives & {"integer_pow", "pow"}):
        return "gelu"
    return "silu" if primitives == {"logistic", "mul"} else None


def _function(eqns: list[JaxprEqn], given: Var, result: Any) -> Callable[[Array], Array]:
    def function(z: Array) -> Array:
        values: dict[Any, Any] = {given: z}
        for eqn in eqns:
            operands = [atom.val if isinstance(atom, Literal) else values[atom] for atom in eqn.invars]
            values.update(zip(eqn.outvars, operands if is_tap(eqn) else bind(eqn, operands), strict=False))
        return values[result]

    return function
