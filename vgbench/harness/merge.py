"""Merging runs: the union of their records, the same whatever the order in which it is made."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from vgbench.boundary.paths import is_id
from vgbench.errors import InputError, OtherVersionError
from vgbench.harness.run_lock import lock_run
from vgbench.records.origin import Kind, Provenance
from vgbench.records.schema import RESULTS, CellRecord, CostRecord, Manifest, Row, canonical, places
from vgbench.records.seeds import joined
from vgbench.records.store import (
    Folder,
    device_folder,
    device_folders,
    pack,
    read_record,
    record_id,
    repack,
    set_aside,
    write_packed,
)


@dataclass(frozen=True)
class _Found:
    """A record in one of the runs."""

    kind: Kind
    path: Path
    record: CellRecord | CostRecord
    content: bytes

    @property
    def provenance(self) -> Provenance:
        """What produced it."""
        return self.record.provenance

    @property
    def alike(self) -> tuple[bool, str]:
        """What the seeds of records are joined by: whether it is a result, and all that makes it comparable."""
        origin = self.provenance
        parts = dict(sorted(origin.packages.items())), origin.device, origin.source[self.kind], origin.xla_flags
        return self.record.status in RESULTS, repr((parts, _tuning(self.record)))


@dataclass(frozen=True)
class _Union:
    """What there is of a device in all runs.

    Attributes:
        manifest: of all rows.
        records: the best one of every cell and pair.
        damaged: records in the folder that is merged into, each replaced by another run's.
    """

    manifest: Manifest
    records: Sequence[_Found]
    damaged: Sequence[Path]


def merge(
    out: str | Path,
    sources: Sequence[str | Path],
    *,
    allow_mixed: bool = False,
    say: Callable[[str], object] = lambda line: None,
) -> Path:
    """Merge runs of one suite, and what `out` holds already, into `out`.

    Devices stay apart. Of two records of one cell on like devices a result goes before a failure, and the seeds of
    results that the same source, versions and flags produced are joined. Otherwise (so that the order of merging does
    not matter) the one whose provenance and content come last as text is taken. Merging is commutative, associative and
    idempotent. A damaged record in `out` is set aside where a source holds the same cell's.

    Where the disk is full, `out` stays as it was. A merge that is killed leaves every record whole, the old or the new
    one, and the same merge completes it.

    Args:
        out: folder of a run, made if missing.
        sources: folders of runs.
        allow_mixed: merge records that other versions, flags or another source produced into one table, which marks
            them.
        say: is called with a line for every record that is set aside.

    Returns:
        `out`.

    Raises:
        InputError: a folder holds no run or a damaged record, the runs are of different suites, records may not be
            compared, or `out` cannot be written or holds other things than a run.
    """
    out = Path(out)
    try:
        with ExitStack() as held:
            there = out.exists()
            if there:  # before it is read: nobody may change it until it is written
                held.enter_context(lock_run(out))
            merged = _unions(out, [Path(source) for source in sources])
            if not allow_mixed:
                _refuse_mixture(merged)
            if not there:
                held.enter_context(lock_run(out))
            _write(out, merged, say)
    except OSError as error:
        raise InputError(f"{error.filename or out}: cannot write records here: {error.strerror or error}") from None
    return out


def _unions(out: Path, sources: Sequence[Path]) -> dict[str, _Union]:
    devices: dict[str, list[tuple[Folder, bool]]] = {}
    for root in [*([out] if any(out.glob("[!.]*/manifest.json")) else []), *sources]:
        for folder in device_folders(root):
            devices.setdefault(folder.path.name, []).append((folder, root is out))
    merged = {device: _union(folders) for device, folders in devices.items()}
    _refuse_suites(union.manifest for union in merged.values())
    return merged


def _union(folders: Sequence[tuple[Folder, bool]]) -> _Union:
    manifests, there = [], dict[tuple[Kind, str], list[_Found]]()
    damaged: dict[tuple[Kind, str], tuple[Path, InputError]] = {}
    for folder, mended in folders:
        manifests.append(read_record(folder.manifest, Manifest))
        for _ in places(folder, manifests[-1]):
            pass  # each is checked
        for kind, path in _paths(folder):
            try:
                found = _found(folder, kind, path)
            except InputError as error:
                if not mended or isinstance(error, OtherVersionError):
                    raise
                damaged[kind, record_id(path)] = path, error
            else:
                there.setdefault((kind, record_id(path)), []).append(found)
    _refuse_suites(manifests)
    for key, (_, error) in damaged.items():
        if key not in there:
            raise error
    last = max(manifests, key=lambda manifest: canonical(dataclasses.replace(manifest, rows=(), looks=())))
    provenance = max((manifest.provenance for manifest in manifests), key=canonical)
    looks = max(manifest.looks for manifest in manifests)  # seeds that were added as claims needed them stay so
    manifest = dataclasses.replace(last, rows=_rows(manifests), provenance=provenance, looks=looks)
    return _Union(manifest, list(map(_best, there.values())), [path for path, _ in damaged.values()])


def _rows(manifests: Sequence[Manifest]) -> tuple[Row, ...]:
    """The rows of all; one that several have has its first place and the seeds of each, all where one asks for all."""
    same: dict[str, list[Row]] = {}
    for row in (row for manifest in manifests for row in manifest.rows):
        same.setdefault(canonical(dataclasses.replace(row, place=0, seeds=())), []).append(row)
    merged = {
        key: dataclasses.replace(
            rows[0],
            place=min(row.place for row in rows),
            seeds=tuple(sorted({seed for row in rows for seed in row.seeds})) if all(row.seeds for row in rows) else (),
        )
        for key, rows in same.items()
    }
    return tuple(merged[key] for key in sorted(merged, key=lambda key: (merged[key].place, key)))


def _paths(folder: Folder) -> list[tuple[Kind, Path]]:
    kinds: tuple[Kind, ...] = ("cell", "cost")
    return [(kind, path) for kind in kinds for path in folder.files(f"{kind}s")]


def _found(folder: Folder, kind: Kind, path: Path) -> _Found:
    if not is_id(record_id(path)):
        raise InputError(f"{path}: damaged record (its name is no id, which has 16 hexadecimal digits)")
    path = folder.cell(record_id(path)) if kind == "cell" else folder.cost(record_id(path))
    record = read_record(path, CellRecord if kind == "cell" else CostRecord)
    content = repack(path)
    return _Found(kind, path, record, content)


def _best(found: Sequence[_Found]) -> _Found:
    """Of all records of one cell or pair the best, with the seeds of all that were measured as it was."""
    first = max(each.alike for each in found)
    alike = {each.content: each for each in found if each.alike == first}
    last = max(alike.values(), key=lambda each: (canonical(each.provenance), each.content))
    cells = [each.record for each in alike.values() if isinstance(each.record, CellRecord) and first[0]]
    if len(cells) < 2 or record_id(last.path) != cells[0].case.cell_id:
        return last  # earlier versions made the name of the seeds, too
    record = joined(cells)
    return dataclasses.replace(last, record=record, content=pack(record))


def _tuning(record: CellRecord | CostRecord) -> object:
    """How the learning rate was chosen, which is the same for all seeds of a record."""
    curves = record.training if isinstance(record, CellRecord) else None
    return curves and (curves.learning_rate, curves.tuning_metric.tolist(), curves.tuning_diverged.tolist())


def _refuse_suites(manifests: Iterable[Manifest]) -> None:
    suites = sorted({manifest.suite for manifest in manifests})
    if len(suites) > 1:
        raise InputError(f"runs of different suites cannot be merged: {', '.join(suites)}")


def _refuse_mixture(merged: Mapping[str, _Union]) -> None:
    for union in merged.values():
        own = union.manifest.provenance
        mixture = sorted({each for found in union.records for each in own.differences(found.provenance, found.kind)})
        if mixture:
            raise InputError(
                f"{own.device}: records differ in {'; '.join(mixture)}: in one table they would be compared, which is"
                " no measurement (--allow-mixed merges and marks them)"
            )


def _write(out: Path, merged: Mapping[str, _Union], say: Callable[[str], object]) -> None:
    contents: dict[Path, bytes] = {}
    manifests: dict[Path, bytes] = {}  # last: until then the table is the one that was there before
    for device, union in merged.items():
        folder = device_folder(out, device)
        for found in union.records:
            path = folder.cell(record_id(found.path)) if found.kind == "cell" else folder.cost(record_id(found.path))
            contents[path] = found.content
        manifests[folder.manifest] = pack(union.manifest)
        for path in union.damaged:
            say(f"{path}: damaged record; set aside as {set_aside(path).name}, and another run's takes its place")
    write_packed({**contents, **manifests})
