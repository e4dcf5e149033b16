"""Taps: identities in people's own forward passes, at which a profile reads the signal and its gradient."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import count
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.experimental.xla_metadata import set_xla_metadata
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float, PyTree

from vgbench.errors import InputError

Signal = PyTree[Float[Array, "..."]]


@dataclass(frozen=True)
class Mark:
    """What a tap says of its place.

    Attributes:
        name: of the place.
        module: whether it is the output of a module, found by itself.
        scores: whether it holds attention scores before their softmax, [..., heads, queries, keys].
        layered: whether a number goes with it that says which of several layers it is.
        axes: of each array, how many leading axes vmap has put before its own.
    """

    name: str
    module: bool
    scores: bool
    layered: bool
    axes: tuple[int, ...]


_SERIAL = count()
_ACTIVE: ContextVar[dict[str, int | None] | None] = ContextVar("tap", default=None)
"""Names of the taps met so far, with how many layers each counts; None where they are not counted."""

tap_p = Primitive("vgbench_tap")
"""The identity on some arrays; where `mark.layered`, a last operand is the layer's number."""
tap_p.multiple_results = True


def _arrays(operands: Sequence[Any], mark: Mark) -> list[Any]:
    return list(operands[:-1] if mark.layered else operands)


def _jvp(primals: Sequence[Any], tangents: Sequence[Any], *, mark: Mark) -> Any:
    return tap_p.bind(*primals, mark=mark), _arrays(tangents, mark)


def _batched(operands: Sequence[Any], dims: Sequence[Any], *, mark: Mark) -> Any:
    moved = [each if dim is None else jnp.moveaxis(each, dim, 0) for each, dim in zip(operands, dims, strict=True)]
    mapped = [dim is not None for dim in dims]
    if mark.layered and mapped[-1]:
        moved[-1] = moved[-1].ravel()[0]  # vmap over layers at once: they count as one
    axes = tuple(axes + one for axes, one in zip(mark.axes, mapped, strict=False))
    out = [0 if one else None for one in mapped[: len(mark.axes)]]
    marked = Mark(mark.name, mark.module, mark.scores, mark.layered, axes)
    return tap_p.bind(*moved, mark=marked), out


tap_p.def_impl(lambda *operands, mark: _arrays(operands, mark))
tap_p.def_abstract_eval(lambda *operands, mark: _arrays(operands, mark))
ad.primitive_jvps[tap_p] = _jvp
batching.primitive_batchers[tap_p] = _batched
mlir.register_lowering(tap_p, lambda ctx, *operands, mark: _arrays(operands, mark))


def tap(
    h: Signal, name: str, layer: int | Array | None = None, of: int | None = None, *, scores: bool = False
) -> Signal:
    """Mark a point of a forward pass; `profile` reports dL/dh there. Anywhere else, `h` as it is and at no cost.

    It works under jit, grad, scan, vmap and remat. What runs several times under one name (the steps of a scan, the
    examples of a vmap) is taken together, unless it says which layer it is.

    Args:
        h: an array of floating-point numbers, or a tree of them; the examples are counted by the first axis.
        name: what the profile calls the point.
        layer: which of several layers under this name, from 0; may be traced, as the counter of a scan is.
        of: how many layers there are; goes with `layer`.
        scores: whether `h` are scores of attention before their softmax, [..., heads, queries, keys], whose largest
            value and entropy by head are to be recorded.

    Returns:
        `h`.

    Raises:
        InputError: one of `layer` and `of` without the other, or two taps of one name that contradict each other.
    """
    if (layer is None) != (of is None):
        raise InputError(f"tap {name!r}: `layer` says which of `of` layers it is; give both or neither")
    known = _ACTIVE.get()
    return h if known is None else _bound(known, h, name, layer, of, scores=scores, module=False)


def tap_output(h: Any, name: str) -> Any:
    """The output of a module, of which the floating-point arrays are tapped if somebody looks."""
    known = _ACTIVE.get()
    return h if known is None else _bound(known, h, name, None, None, scores=False, module=True)


def is_active() -> bool:
    """Whether somebody looks."""
    return _ACTIVE.get() is not None


def _bound(
    known: dict[str, int | None], h: Any, name: str, layer: Any, of: int | None, *, scores: bool, module: bool
) -> Any:
    if known.setdefault(name, of) != of:
        raise InputError(f"tap {name!r}: one place counts {known[name] or of} layers, another does not")
    leaves, structure = jax.tree.flatten(h)
    chosen = [i for i, leaf in enumerate(leaves) if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)]
    if not chosen:
        return h
    traced = isinstance(layer, Tracer)
    mark = Mark(
        name if layer is None or traced else f"{name}[{int(layer)}]", module, scores, traced, (0,) * len(chosen)
    )
    found = tap_p.bind(*(leaves[i] for i in chosen), *([layer] if traced else []), mark=mark)
    for i, leaf in zip(chosen, found, strict=True):
        leaves[i] = leaf
    return jax.tree.unflatten(structure, leaves)


@contextmanager
def tapping() -> Iterator[dict[str, int | None]]:
    """Within, taps are traced, and noted in the dict that this gives: the layers that each name counts."""
    known: dict[str, int | None] = {}
    token = _ACTIVE.set(known)
    try:
        # jax.jit looks its cache up by this context, too: what it traced before, with taps that did nothing, is traced
        # anew, and what is traced here is not found afterwards.
        with set_xla_metadata(vgbench_profile=str(next(_SERIAL))):
            yield known
    finally:
        _ACTIVE.reset(token)
