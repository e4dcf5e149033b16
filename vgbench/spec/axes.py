"""The axes of a suite: fields with several values, of which every combination is measured or some that go together."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vgbench.errors import InputError, unknown
from vgbench.spec.case import Case

_LIST_FIELDS = ("learning_rates", "seeds", "tuning_seeds")
"""Fields of which one value is a list."""

Axes = Mapping[str, Sequence[Any]]
"""The values of each axis."""


def combinations(sweep: Axes, zipped: Axes) -> Iterator[dict[str, Any]]:
    """The values of all axes in each cell: those that go together, in every combination with those that are swept."""
    rows = zip(*zipped.values(), strict=True) if zipped else [()]
    for row, *values in itertools.product(rows, *sweep.values()):
        yield dict(zip((*zipped, *sweep), (*row, *values), strict=True))


def check_axes(sweep: Axes, zipped: Axes) -> None:
    """Check that axes that go together have as many values each, and are not swept by themselves.

    Raises:
        InputError: they have not, or are; the message names the axis.
    """
    for axis, values in zipped.items():
        first = next(iter(zipped))
        if axis in sweep:
            raise InputError(f"zip.{axis}: is in [sweep], too; an axis belongs to one of them")
        if len(values) != len(zipped[first]):
            lengths = f"its list is {len(values)} long, and that of {first} is {len(zipped[first])} long"
            raise InputError(f"zip.{axis}: {lengths}; axes that go together need equally many values")


def check_setting(field: str, values: Sequence[Any]) -> None:
    """Check that a field can be set to these values.

    Raises:
        InputError: there is no such field, or it needs a value.
    """
    if field not in Case.model_fields:
        raise InputError(unknown("field", field, Case.model_fields))
    if not values and field not in _LIST_FIELDS:
        raise InputError(f"{field}: needs at least one value")


def with_settings(
    baseline: Mapping[str, Any], sweep: Axes, zipped: Axes, settings: Mapping[str, Sequence[Any]]
) -> dict[str, Any]:
    """The tables `baseline`, `sweep` and `zip` of a suite with fields set to other values.

    Several values make (or replace) an axis. Those of an axis that goes together with others replace it there.

    Raises:
        InputError: a field is unknown, or axes no longer go together.
    """
    baseline, sweep, zipped = dict(baseline), dict(sweep), dict(zipped)
    for field, values in settings.items():
        check_setting(field, values)
        if field in _LIST_FIELDS:
            baseline[field] = list(values)
            sweep.pop(field, None)
            zipped.pop(field, None)
        elif field in zipped:
            zipped[field] = list(values)
        elif field in sweep or len(values) > 1:
            sweep[field] = list(values)
        else:
            baseline[field] = values[0]
    check_axes(sweep, zipped)
    return {"baseline": baseline, "sweep": sweep, "zip": zipped}
