"""Merging runs: the union of their records, the same whatever the order in which it is made."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vgbench.errors import InputError
from vgbench.harness.run_lock import locked
from vgbench.records.schema import RESULTS, CellRecord, CostRecord, Kind, Manifest, Provenance, Row
from vgbench.records.store import Folder, copy_record, device_folders, read_record, write_record


@dataclass(frozen=True)
class _Found:
    """A record in one of the runs."""

    kind: Kind
    path: Path
    provenance: Provenance
    rank: tuple[bool, str, bytes]


def merge(out: str | Path, sources: Sequence[str | Path], *, allow_mixed: bool = False) -> Path:
    """Merge runs of one suite, and what `out` holds already, into `out`.

    Devices stay apart. Of two records of one cell on like devices a result goes before a failure, and then (so that the
    order of merging does not matter) the one whose provenance and content come last as text. Merging is commutative,
    associative and idempotent.

    Args:
        out: folder of a run, made if missing.
        sources: folders of runs.
        allow_mixed: merge records that other versions, flags or another source produced into one table, which marks
            them.

    Returns:
        `out`.

    Raises:
        InputError: a folder holds no run or a damaged record, the runs are of different suites, records may not be
            compared, or `out` cannot be written.
    """
    out = Path(out)
    roots = [*([out] if any(out.glob("*/manifest.json")) else []), *map(Path, sources)]
    devices: dict[str, list[Folder]] = {}
    for folder in (folder for root in roots for folder in device_folders(root)):
        devices.setdefault(folder.path.name, []).append(folder)
    merged = {slug: _union(folders) for slug, folders in devices.items()}
    suites = sorted({manifest.suite for manifest, _ in merged.values()})
    if len(suites) > 1:
        raise InputError(f"runs of different suites cannot be merged: {', '.join(suites)}")
    for manifest, records in merged.values():
        mixture = sorted({each for record in records for each in _mixture(manifest, record)})
        if mixture and not allow_mixed:
            raise InputError(
                f"{manifest.provenance.device}: records differ in {'; '.join(mixture)}: in one table they would be"
                " compared, which is no measurement (--allow-mixed merges and marks them)"
            )
    try:
        with locked(out):
            for slug, (manifest, records) in merged.items():
                _write(Folder(out / slug), manifest, records)
    except OSError as error:
        raise InputError(f"{error.filename or out}: cannot write records here: {error.strerror or error}") from None
    return out


def _union(folders: Sequence[Folder]) -> tuple[Manifest, list[_Found]]:
    manifests = [read_record(folder.manifest, Manifest) for folder in folders]
    suites = sorted({manifest.suite for manifest in manifests})
    if len(suites) > 1:
        raise InputError(f"runs of different suites cannot be merged: {', '.join(suites)}")
    best: dict[tuple[Kind, str], _Found] = {}
    for folder in folders:
        for found in _records(folder):
            key = found.kind, found.path.stem
            best[key] = max(best.get(key, found), found, key=lambda each: each.rank)
    last = max(manifests, key=lambda manifest: _canonical(dataclasses.replace(manifest, rows=())))
    provenance = max((manifest.provenance for manifest in manifests), key=_canonical)
    return dataclasses.replace(last, rows=_rows(manifests), provenance=provenance), list(best.values())


def _rows(manifests: Sequence[Manifest]) -> tuple[Row, ...]:
    places: dict[str, Row] = {}
    for row in (row for manifest in manifests for row in manifest.rows):
        key = _canonical(dataclasses.replace(row, place=0))
        places[key] = min(places.get(key, row), row, key=lambda each: each.place)
    return tuple(places[key] for key in sorted(places, key=lambda key: (places[key].place, key)))


def _records(folder: Folder) -> Iterator[_Found]:
    kinds: tuple[tuple[Kind, type[CellRecord | CostRecord]], ...] = (("cell", CellRecord), ("cost", CostRecord))
    for kind, form in kinds:
        for path in sorted((folder.path / f"{kind}s").glob("*.json")):
            record = read_record(path, form)
            rank = record.status in RESULTS, _canonical(record.provenance), path.read_bytes()
            yield _Found(kind, path, record.provenance, rank)


def _mixture(manifest: Manifest, found: _Found) -> list[str]:
    return manifest.provenance.differences(found.provenance, found.kind)


def _write(folder: Folder, manifest: Manifest, records: Sequence[_Found]) -> None:
    write_record(folder.manifest, manifest)
    for found in records:
        copy_record(found.path, folder.path / f"{found.kind}s" / found.path.name)


def _canonical(value: Manifest | Provenance | Row) -> str:
    return json.dumps(dataclasses.asdict(value), sort_keys=True, default=lambda claim: claim.model_dump(mode="json"))
