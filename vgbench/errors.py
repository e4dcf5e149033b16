"""The errors that a user can cause. Each message is a sentence that names the place and the valid choices."""

from collections.abc import Iterable
from difflib import get_close_matches

from pydantic import ValidationError

from vgbench.plain import one_line, printable


class InputError(ValueError):
    """Input that vgbench cannot use: the command line prints its message and exits with code 2.

    The message may quote text from a file, so control characters in it are written out.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class UnknownError(InputError):
    """A name that is not in a registry."""


class OtherVersionError(InputError):
    """A record with unknown fields or members, written by another version of vgbench or with other plug-ins."""


class PluginError(ImportError):
    """An installed plug-in that cannot be loaded.

    It is not a `ValueError`, since pydantic would report that as a fault of the field that it reads first.
    """


def unknown(kind: str, name: object, known: Iterable[str]) -> str:
    """Return a message that `name` is not a known `kind`, with the nearest name and all valid ones."""
    choices = sorted(known)
    near = get_close_matches(str(name), choices, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown {kind} {name!r}{hint} (choose from: {', '.join(choices)})"


def explain(error: ValidationError, place: str) -> InputError:
    """Turn pydantic's report into one `InputError` with a line for each fault.

    If an item of a list is invalid, pydantic also reports that the list is too short; that line is left out.
    """
    lines = []
    faults = error.errors(include_url=False)
    for fault in faults:
        if fault["type"] == "too_short" and any(other["loc"][:-1] == fault["loc"] for other in faults):
            continue
        where = ".".join(str(part) for part in fault["loc"])
        message = fault["msg"].removeprefix("Value error, ")
        lines.append(one_line(f"{place}: {where}: {message}" if where else f"{place}: {message}"))
    return InputError("\n".join(lines))
