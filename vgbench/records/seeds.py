"""Records seed by seed: a record of some of its seeds alone, and several records of one cell as one."""

import dataclasses
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

from vgbench.records.schema import RESULTS, CellRecord, CostRecord, canonical
from vgbench.records.status import judged
from vgbench.records.store import pack

T = TypeVar("T")

PARTS = ("gradients", "forward", "training", "coordinates")
"""The fields of a cell's record that hold arrays by seed."""


def chosen(record: CellRecord, seeds: Sequence[int]) -> CellRecord | None:
    """A record with those of `seeds` alone that it holds, as a run that asks for them would have written it.

    It comes back as it is where no seeds are named, and where the measurement failed; None where it holds none of them.
    """
    held = record.case.seeds
    there = tuple(seed for seed in seeds if seed in held)
    if not seeds or there == held or record.status not in RESULTS:
        return record
    return _assembled([record], there, [(0, held.index(seed)) for seed in there]) if there else None


def lacking(record: CellRecord | CostRecord, seeds: Sequence[int]) -> tuple[int, ...]:
    """Those of `seeds` that a cell's record does not hold; none where the measurement failed."""
    if not isinstance(record, CellRecord) or record.status not in RESULTS:
        return ()
    return tuple(seed for seed in seeds if seed not in record.case.seeds)


def joined(records: Sequence[CellRecord]) -> CellRecord:
    """One record with the seeds of all: results of one cell that were measured alike.

    It began with the first of them and has taken as long, and as many attempts, as the longest. The order of `records`
    is of no account; where two hold one seed and differ in it, the one that comes last as text is taken.

    Raises:
        ValueError: they differ in something that does not depend on the seed, as in the chosen learning rate.
    """
    places: dict[int, list[tuple[int, int]]] = {}
    for i, record in enumerate(records):
        for j, seed in enumerate(record.case.seeds):
            places.setdefault(seed, []).append((i, j))
    seeds = tuple(sorted(places))
    rows = [at[0] if len(at := places[seed]) == 1 else max(at, key=lambda each: _text(records, each)) for seed in seeds]
    return _assembled(records, seeds, rows)


def gathered(parts: Sequence[T], rows: Sequence[tuple[int, int]]) -> T:
    """One dataclass of several: seed `j` of part `i` for each (i, j), in this order.

    The annotation of an array, as `Float[np.ndarray, "seeds depth"]`, says which of its axes counts the seeds;
    dataclasses inside are gathered as well.

    Raises:
        ValueError: the parts differ in something else.
    """
    fields: dict[str, Any] = {}
    for name, axis in _axes(type(parts[0])).items():
        values = [getattr(part, name) for part in parts]
        if axis is not None:
            fields[name] = np.stack([values[i].take(j, axis) for i, j in rows], axis)
        elif dataclasses.is_dataclass(values[0]):
            fields[name] = gathered(values, rows)
        elif all(_same(values[0], value) for value in values):
            fields[name] = values[0]
        else:
            raise ValueError(f"{name} differs")
    return type(parts[0])(**fields)


def _assembled(records: Sequence[CellRecord], seeds: tuple[int, ...], rows: Sequence[tuple[int, int]]) -> CellRecord:
    parts: Any = {name: _part([getattr(record, name) for record in records], rows) for name in PARTS}
    cases = [record.case.model_copy(update={"seeds": seeds}) for record in records]
    status, reason = judged(parts["gradients"], parts["training"])
    return CellRecord(
        case=min(cases, key=lambda case: case.model_dump_json()),
        status=status,
        reason=reason,
        provenance=max((record.provenance for record in records), key=canonical),
        started=min(record.started for record in records),
        seconds=max(record.seconds for record in records),
        attempts=max(record.attempts for record in records),
        **parts,
    )


def _part(parts: Sequence[Any], rows: Sequence[tuple[int, int]]) -> Any:
    if all(part is None for part in parts):
        return None
    if any(part is None for part in parts):
        raise ValueError("only some of the records hold all measurements")
    return gathered(parts, rows)


@cache
def _axes(kind: type) -> dict[str, int | None]:
    """The axis of each field of a dataclass that counts the seeds; None where it has none."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: _axis(hints[field.name]) for field in dataclasses.fields(kind)}


def _axis(hint: Any) -> int | None:
    array = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    names = getattr(array, "dim_str", "").split()
    return names.index("seeds") if "seeds" in names else None


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    return bool(one == other or (one != one and other != other))  # NaN


def _text(records: Sequence[CellRecord], at: tuple[int, int]) -> bytes:
    """What a record holds of one seed, as bytes."""
    record = _assembled([records[at[0]]], (0,), [(0, at[1])])
    return pack(dataclasses.replace(record, provenance=records[0].provenance, started="", seconds=0.0, attempts=0))
