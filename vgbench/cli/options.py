"""The options of a run as the command line takes them: `RunOptions` says all of each, and this how typer spells it."""

import inspect
import math
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo

from vgbench.errors import InputError
from vgbench.harness.options import RunOptions

_FLAGS = {"settings": "--set"}
"""Options that the command line calls otherwise than with the name of the field."""


def takes_run_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command, which takes `**options`, an option for each field of `RunOptions`, before its own options."""
    signature = inspect.signature(command)
    suite, *own, _ = signature.parameters.values()
    command.__signature__ = signature.replace(parameters=[suite, *_parameters(), *own])  # pyright: ignore[reportFunctionMemberAccess]
    return command


def _parameters() -> Iterator[inspect.Parameter]:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    for name, field in RunOptions.model_fields.items():
        once = isinstance(field.default, bool | int | float | str | None)
        taken, default = (field.annotation, field.default) if once else (list[str] | None, None)
        yield inspect.Parameter(name, kind, default=default, annotation=Annotated[taken, _option(name, field)])


def _option(name: str, field: FieldInfo) -> Any:
    flag = _FLAGS.get(name, f"--{name.replace('_', '-')}")
    bounds = {key: getattr(bound, key) for bound in field.metadata for key in ("ge", "le") if hasattr(bound, key)}
    shown: Any = field.json_schema_extra
    return typer.Option(
        flag,
        help=(field.description or "").replace("\n", " "),
        min=bounds.get("ge"),
        max=bounds.get("le"),
        metavar=shown["metavar"],
        rich_help_panel=shown["group"],
        callback=_finite(flag) if bounds else None,
    )


def _finite(flag: str) -> Callable[[float | int | None], float | int | None]:
    """What refuses numbers that compare with no bound, or with none that is given."""

    def check(value: float | int | None) -> float | int | None:
        if value is not None and not math.isfinite(value):
            raise InputError(f"{flag} {value}: is not a finite number")
        return value

    return check
