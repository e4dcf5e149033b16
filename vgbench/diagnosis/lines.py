"""Evidence from records as `vgbench.watched` gives them and people write them into files."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vgbench.boundary.run_file import NONFINITE
from vgbench.boundary.schema import first_fault
from vgbench.diagnosis.evidence import Evidence
from vgbench.errors import InputError

Number = float | None
Layers = Annotated[list[Number], Field(strict=False, min_length=1)]
"""A number for each layer; a tuple will do."""


class Layer(BaseModel):
    """What a record says of one layer; what is missing was not recorded."""

    model_config = ConfigDict(strict=True)

    gradient: Number = None
    weight: Number = None
    update: Number = None
    zero: Number = None


class Line(BaseModel):
    """A record; other fields are people's own."""

    model_config = ConfigDict(strict=True)

    step: Annotated[int, Field(ge=0, lt=2**63)]
    layers: Annotated[dict[str, Layer], Field(min_length=1)]
    loss: Number = None
    accuracy: Number = None
    signal: Layers | None = None
    saturated: Layers | None = None
    dead: Layers | None = None
    chance: Number = None
    chance_accuracy: Number = None


def from_lines(lines: Sequence[Any], places: Sequence[str] | None = None) -> Evidence:
    """A run from records as `vgbench.watched` gives them, with more where people have it.

    Each record has `step` and `layers` (by name, from input to output: log10 `gradient`, `weight` and `update`, and
    `zero`), and may have `loss`, `accuracy`, `signal` (log10 ||dL/dh_l|| by layer, as a profile's taps tell),
    `saturated` and `dead` (shares by layer), and `chance` and `chance_accuracy`, what the best constant answer gets.

    Args:
        lines: the records.
        places: what messages call them; `record 1` and so on if None.

    Raises:
        InputError: there is no record, or one is of another form; names it and the field.
    """
    if not lines:
        raise InputError("diagnose: no records to read")
    places = places or [f"record {number}" for number in range(1, len(lines) + 1)]
    if isinstance(lines[0], Mapping) and "format" in lines[0]:
        head = {"chance": lines[0].get("chance_loss"), "chance_accuracy": lines[0].get("chance_accuracy")}
        lines, places = [head | each for each in lines[1:]], places[1:]
    records = [_read(line, place) for line, place in zip(lines, places, strict=True)]
    names = tuple(records[0].layers)
    for record, place in zip(records, places, strict=True):
        if tuple(record.layers) != names:
            raise InputError(f"{place}: layers: other layers than in the first record")

    def column(field: str) -> Float[np.ndarray, "records layers"]:
        return np.asarray([[_or_nan(getattr(layer, field)) for layer in line.layers.values()] for line in records])

    def series(field: str) -> Float[np.ndarray, "records"] | None:
        values = [getattr(line, field) for line in records]
        return None if all(value is None for value in values) else np.asarray([_or_nan(value) for value in values])

    def by_layer(field: str) -> Float[np.ndarray, "records depth"] | None:
        return _rows([getattr(line, field) for line in records], field, places)

    gradient, weight, update = (
        np.where(np.isnan(norm), -np.inf, norm) for norm in map(column, ("gradient", "weight", "update"))
    )
    zero = column("zero")
    with np.errstate(over="ignore", invalid="ignore"):
        ratio = 10.0 ** (update - weight)
    return Evidence(
        step=np.asarray([line.step for line in records], np.int64),
        loss=series("loss"),
        chance=records[0].chance,
        accuracy=series("accuracy"),
        chance_accuracy=records[0].chance_accuracy,
        signal=by_layer("signal"),
        gradient=gradient,
        update=ratio,
        zero=None if np.isnan(zero).all() else zero,
        saturated=by_layer("saturated"),
        dead=by_layer("dead"),
        names=names,
    )


def _read(line: Any, place: str) -> Line:
    if not isinstance(line, Mapping):
        raise InputError(f"{place}: needs an object, as vgbench.watched gives")
    try:
        return Line.model_validate(_by_layer(_numbers(line)))
    except ValidationError as error:
        raise InputError(f"{place}: {first_fault(error)}") from None


def _numbers(value: Any, deep: int = 3) -> Any:
    """The same with numbers for what run files write as strings, in layers and modules, too."""
    if isinstance(value, Mapping):
        return {name: _numbers(each, deep - 1) for name, each in value.items()} if deep else value
    return NONFINITE.get(value, value) if isinstance(value, str) else value


def _by_layer(line: dict[str, Any]) -> dict[str, Any]:
    """The same with lists of what is recorded of modules."""
    modules = [*line.get("modules", {}).values()]
    names = [name for name in ("signal", "saturated", "dead") if any(name in each for each in modules)]
    return {name: [each.get(name) for each in modules if name in each] for name in names} | line


def _or_nan(value: Number) -> float:
    return float("nan") if value is None else value


def _rows(
    values: Sequence[list[Number] | None], field: str, places: Sequence[str]
) -> Float[np.ndarray, "records depth"] | None:
    """A row for each record, of NaN where it says nothing; None where none says anything."""
    depths = [len(value) for value in values if value is not None]
    if not depths:
        return None
    for value, place in zip(values, places, strict=True):
        if value is not None and len(value) != depths[0]:
            raise InputError(f"{place}: {field}: {len(value)} layers, but {depths[0]} in the first record that has it")
    rows = [[None] * depths[0] if value is None else value for value in values]
    return np.asarray([[_or_nan(each) for each in row] for row in rows])
