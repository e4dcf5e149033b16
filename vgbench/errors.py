"""The errors that a user can cause, each one a sentence that names the place and the valid choices."""

from collections.abc import Iterable
from difflib import get_close_matches

from pydantic import ValidationError

from vgbench.plain import one_line, printable


class InputError(ValueError):
    """Input that vgbench cannot use: the command line prints its message and exits with code 2.

    The message may quote what stands in a file, so its control characters are written out.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class UnknownError(InputError):
    """A name that a registry does not have."""


class OtherVersionError(InputError):
    """A record that another version of vgbench wrote, with other fields, or one with other plug-ins."""


class PluginError(ImportError):
    """An installed plug-in that cannot be loaded.

    No `ValueError`, which validation would take for a fault of the field that happened to be read first.
    """


def unknown(kind: str, name: object, known: Iterable[str]) -> str:
    """Say that `name` is no known `kind`, with the nearest name and all the valid ones."""
    choices = sorted(known)
    near = get_close_matches(str(name), choices, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown {kind} {name!r}{hint} (choose from: {', '.join(choices)})"


def explain(error: ValidationError, place: str) -> InputError:
    """Turn pydantic's report into one `InputError` with a line for each fault.

    Of a list with a bad item pydantic also says that it lacks that item, which is left out.
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
