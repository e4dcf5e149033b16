"""Taps: identities in people's own forward passes, at which a profile reads the back-propagated gradient."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count

import jax
import jax.numpy as jnp
from jax.experimental.xla_metadata import set_xla_metadata
from jaxtyping import Array, Float, PyTree

from vgbench.errors import InputError
from vgbench.instruments.spectrum import Spectrum, blank, spectrum

Signal = PyTree[Float[Array, "..."]]
Inputs = dict[str, Spectrum]
"""Dummy inputs by the name of a tap, whose "gradient" is the spectrum of dL/dh there."""


@jax.custom_vjp
def _observe(h: Signal, dummy: Spectrum) -> Signal:
    del dummy
    return h


def _forward(h: Signal, dummy: Spectrum) -> tuple[Signal, None]:
    del dummy
    return h, None


def _backward(_: None, cotangent: Signal) -> tuple[Signal, Spectrum]:
    return cotangent, spectrum(cotangent)


_observe.defvjp(_forward, _backward)


class _Finder:
    """Notes which taps there are."""

    def __init__(self) -> None:
        self.blank: Inputs = {}

    def __call__(self, h: Signal, name: str, layer: int | Array | None, layers: int | None) -> Signal:
        dtype = jnp.result_type(*jax.tree.leaves(h))
        found = blank(dtype, layers)
        if name in self.blank and self.blank[name].counts.shape != found.counts.shape:
            raise InputError(f"tap {name!r}: one place counts {layers} layers, another does not")
        self.blank[name] = found
        return h


class _Reader:
    """Hands out spectra as the gradients of its dummy inputs."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs

    def __call__(self, h: Signal, name: str, layer: int | Array | None, layers: int | None) -> Signal:
        dummy = self._inputs[name]
        return _observe(h, dummy if layer is None else jax.tree.map(lambda each: each[layer], dummy))


_ACTIVE: ContextVar[_Finder | _Reader | None] = ContextVar("tap", default=None)
_SERIAL = count()


def tap(h: Signal, name: str, layer: int | Array | None = None, of: int | None = None) -> Signal:
    """Mark a point of a forward pass; `profile` reports dL/dh there. Anywhere else, `h` as it is and at no cost.

    It works under jit, grad, scan, vmap and remat. What runs several times under one name (the steps of a scan, the
    examples of a vmap) is taken together, unless it says which layer it is.

    Args:
        h: an array of floating-point numbers, or a tree of them.
        name: what the profile calls the point.
        layer: which of several layers under this name, from 0; may be traced, as the counter of a scan is.
        of: how many layers there are; goes with `layer`.

    Returns:
        `h`.

    Raises:
        InputError: one of `layer` and `of` without the other.
    """
    if (layer is None) != (of is None):
        raise InputError(f"tap {name!r}: `layer` says which of `of` layers it is; give both or neither")
    active = _ACTIVE.get()
    return h if active is None else active(h, name, layer, of)


@contextmanager
def finding() -> Iterator[Inputs]:
    """Within, taps are noted in the dict that this gives: name by name an input of zeros."""
    finder = _Finder()
    with _tapping(finder):
        yield finder.blank


@contextmanager
def reading(inputs: Inputs) -> Iterator[None]:
    """Within, taps read: differentiated with respect to `inputs`, a loss gives their spectra."""
    with _tapping(_Reader(inputs)):
        yield


@contextmanager
def _tapping(active: _Finder | _Reader) -> Iterator[None]:
    token = _ACTIVE.set(active)
    try:
        # jax.jit looks its cache up by this context, too: what it traced before, with taps that did nothing, is traced
        # anew, and what is traced here is not found afterwards.
        with set_xla_metadata(vgbench_profile=str(next(_SERIAL))):
            yield
    finally:
        _ACTIVE.reset(token)
