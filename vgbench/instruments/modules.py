"""Outputs of the modules of Flax NNX, Flax Linen and Haiku, tapped without a change to the model."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

from flax import nnx

from vgbench.instruments.tap import is_active, tap_output

_PATH = "vgbench_path"


@contextmanager
def outputs_tapped(model: Any, name: str = "") -> Iterator[None]:
    """Within, what a module below the whole model returns from its `__call__` is tapped under the module's path.

    Args:
        model: a Flax NNX module, which is changed; anything else is left as it is.
        name: the path of an NNX module itself, with which those of the modules below begin.
    """
    with ExitStack() as stack:
        if isinstance(model, nnx.Module):
            stack.enter_context(_nnx(model, name))
        for library, intercept in (("flax.linen", _linen), ("haiku", _haiku)):
            if library in sys.modules:
                stack.enter_context(sys.modules[library].intercept_methods(intercept))
        yield


def _linen(call: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
    found = call(*args, **kwargs)
    path = ".".join(context.module.path) if context.module.scope is not None else ""
    return tap_output(found, path) if context.method_name == "__call__" and path else found


def _haiku(call: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
    found = call(*args, **kwargs)
    return tap_output(found, context.module.module_name) if context.method_name == "__call__" else found


@contextmanager
def _nnx(model: nnx.Module, name: str) -> Iterator[None]:
    # NNX has no interceptors: for the time of the trace each class of a module has a `__call__` that taps. The path is
    # an attribute, so that it outlives what splits and merges modules on the way, as nnx.scan does.
    classes: dict[type, Any] = {}
    for path, module in nnx.iter_modules(model):
        if path and not hasattr(module, _PATH):
            setattr(module, _PATH, ".".join(map(str, (*filter(None, [name]), *path))))
            classes[type(module)] = vars(type(module)).get("__call__")
    inside: set[int] = set()
    try:
        for kind in classes:
            if callable(getattr(kind, "__call__", None)):  # noqa: B004  # the function is needed, not whether
                kind.__call__ = _tapped(kind.__call__, inside)
        yield
    finally:
        for kind, own in classes.items():
            if own is not None:
                kind.__call__ = own
            elif "__call__" in vars(kind):
                del kind.__call__


def _tapped(call: Callable[..., Any], inside: set[int]) -> Callable[..., Any]:
    @wraps(call)
    def wrapped(module: Any, *args: Any, **kwargs: Any) -> Any:
        path = getattr(module, _PATH, None)
        if path is None or id(module) in inside or not is_active():  # inside: a method of a parent's class
            return call(module, *args, **kwargs)
        inside.add(id(module))
        try:
            found = call(module, *args, **kwargs)
        finally:
            inside.discard(id(module))
        return tap_output(found, path)

    return wrapped
