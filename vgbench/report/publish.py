"""Publishing: a run that is clean and whole goes among the published ones, with its report and a place in the index."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import quote

from vgbench.boundary.files import replace_folder, restore_folders, write_bytes
from vgbench.boundary.paths import check_folder_name, within
from vgbench.errors import InputError, unknown
from vgbench.harness.run_lock import locked
from vgbench.records.compact import compact
from vgbench.records.origin import Kind
from vgbench.records.own_files import check_ours, strangers
from vgbench.records.provenance import source_digest
from vgbench.records.runs import Run, read_runs
from vgbench.records.schema import CellRecord, CostRecord, Manifest, places
from vgbench.records.store import (
    COMPRESSED,
    Folder,
    device_folder,
    device_folders,
    in_file,
    read_record,
    record_id,
    repack,
)
from vgbench.report import write_report
from vgbench.report.frames import frame
from vgbench.report.markdown import escape, markdown, verdicts
from vgbench.report.report import report_of
from vgbench.report.tables import informative, shown_under

Fault = Literal["dirty", "stale", "incomplete", "mixed"]
"""Why a run is not fit to be published as it is."""
FAULTS: tuple[Fault, ...] = get_args(Fault)

FORMATS, PICTURES = ("md", "csv", "latex", "html"), ("png",)
"""What a published run's report is written in, and its first picture; the page has them all."""
BEGIN, END = "<!-- published runs: written by `vgbench publish` -->", "<!-- end of published runs -->"


def publish(directory: str | Path, results: str | Path, *, allow: Collection[str] = (), replace: bool = False) -> Path:
    """Add a run to the published ones: its records, tables, pictures and page under `results/SUITE`, and the index.

    Runs of other suites and devices that are published there stay as they are.

    Args:
        directory: that the run was written to.
        results: where runs are published.
        allow: some of `FAULTS`, which are then no reason to refuse: the run's records come from a checkout with changes
            or none (dirty), from another source of vgbench than this one (stale), from several sources, versions or
            flags (mixed), or are not all there (incomplete).
        replace: put the run in the place of other records of the same suite and device.

    Returns:
        The folder that it was published in.

    Raises:
        InputError: the run has a fault that is not allowed, other records stand in its place, or a record is damaged.
    """
    root, index = Path(directory), Path(results)
    for name in allow:
        if name not in FAULTS:
            raise InputError(unknown("fault", name, FAULTS))
    runs = read_runs(root)
    _refuse(root, {fault: reason for fault, reason in faults(runs).items() if fault not in allow})
    suite = _name(root, runs)
    target = within(index, index / suite)
    copies = {folder.path.name: _packed(folder) for folder in device_folders(root)}
    try:
        index.mkdir(parents=True, exist_ok=True)
        with locked(index):
            for folder in (each for each in index.iterdir() if not each.is_symlink()):
                restore_folders(folder)
            check_ours(target, "rename the suite, or move them elsewhere")
            changed = {slug: files for slug, files in copies.items() if _there(target, slug) != files}
            _refuse_taken(target, changed, replace=replace)
            sections = {folder.name: section(folder) for folder in published(index) if folder != target}
            for slug in (name for name in copies if name in changed or _in_old_form(target / name)):
                files = copies[slug]
                replace_folder(target / slug, {name: in_file(Path(name), text) for name, text in files.items()})
            for earlier in target.glob("pictures/*.png"):  # earlier versions wrote all of them
                earlier.unlink()
            write_report(target, FORMATS, PICTURES, first_alone=True)
            sections[suite] = section(target)
            write_bytes(index / "README.md", _index(index / "README.md", sections).encode())
    except OSError as error:
        raise InputError(
            f"{error.filename or index}: cannot publish here: {error.strerror or error}; what is published is whole,"
            " and the same command completes it once this is mended"
        ) from None
    return target


def check(directory: str | Path) -> dict[Fault, str]:
    """Why a run could not be published as it is; nothing is written.

    Raises:
        InputError: the folder has runs of different suites, or of one without a fitting name, or a record is damaged.
    """
    runs = read_runs(Path(directory))
    _name(Path(directory), runs)
    return faults(runs)


def published(results: Path) -> list[Path]:
    """The folders of all published runs, by name."""
    return sorted({manifest.parent.parent for manifest in results.glob("[!.]*/[!.]*/manifest.json")})


def faults(runs: Sequence[Run]) -> dict[Fault, str]:
    """Why runs are not fit to be published, in words."""
    found: dict[Fault, str] = {}
    records = [each for run in runs for entry in run.entries for each in _kinds(entry.cell, entry.cost)]
    commits = {str(record.provenance.commit) for _, record in records}
    if any(commit == "None" or commit.endswith("-dirty") for commit in commits):
        found["dirty"] = "made by a source with changes that no commit holds, or outside a checkout"
    stale = sum(record.provenance.source[kind] != source_digest(kind) for kind, record in records)
    if stale:
        found["stale"] = f"{stale} of {len(records)} records are of another source than this vgbench's"
    data = frame(runs)
    missing = sum((data[column].to_numpy() == "missing").sum() for column in ("status", "cost_status"))
    if missing:
        found["incomplete"] = f"{missing} measurements are missing"
    if data["mixed"].to_numpy().any():
        found["mixed"] = "records of several sources, versions or flags"
    return found


def _name(root: Path, runs: Sequence[Run]) -> str:
    names = sorted({run.manifest.suite for run in runs})
    if len(names) > 1:
        raise InputError(f"{root}: runs of different suites: {', '.join(names)}")
    try:
        return check_folder_name(names[0])
    except InputError as error:
        raise InputError(f"{root}: the suite's name {error}") from None


def _kinds(cell: CellRecord | None, cost: CostRecord | None) -> Iterator[tuple[Kind, CellRecord | CostRecord]]:
    if cell:
        yield "cell", cell
    if cost:
        yield "cost", cost


def _refuse(root: Path, found: Mapping[Fault, str]) -> None:
    if found:
        reasons = "; ".join(f"{fault}: {reason}" for fault, reason in found.items())
        options = " ".join(f"--allow {fault}" for fault in found)
        raise InputError(f"{root}: not fit to be published: {reasons} ({options} publishes it all the same)")


def _packed(folder: Folder) -> dict[str, bytes]:
    """A run's records by their places in its folder; what its manifest does not name is left behind."""
    named = {path for _, path in places(folder, read_record(folder.manifest, Manifest)) if path.exists()}
    return {**dict(map(_compacted, sorted(named))), folder.manifest.name: repack(folder.manifest)}


def _compacted(path: Path) -> tuple[str, bytes]:
    """The place of a published record in the folder of its device, and its content."""
    return f"{path.parent.name}/{record_id(path)}.json{COMPRESSED}", compact(path)


def _in_old_form(place: Path) -> bool:
    """Whether records lie there as earlier versions published them, which did not compress them."""
    return any(place.glob("c*s/*.json"))


def _there(target: Path, slug: str) -> dict[str, bytes] | None:
    """All records that are published of a device; None where one is damaged."""
    folder = device_folder(target, slug)
    manifest = {folder.manifest.name: folder.manifest} if folder.manifest.exists() else {}
    try:
        records = dict(_compacted(path) for kind in ("cells", "costs") for path in folder.files(kind))
        return {**records, **{name: repack(path) for name, path in manifest.items()}}
    except InputError:
        return None


def _refuse_taken(target: Path, changed: Mapping[str, object], *, replace: bool) -> None:
    for slug in changed:
        if _there(target, slug) != {} and not replace:
            raise InputError(f"{target / slug}: other records of this suite and device are published here (--replace)")
        for stranger in strangers(target / slug) if (target / slug).exists() else ():
            raise InputError(f"{stranger}: is no record, and would go with those that are replaced; move it elsewhere")


def section(folder: Path) -> str:
    """What the index says of a published run, in Markdown."""
    report = report_of(read_runs(folder))
    findings = "\n".join(f"- {escape(sentence)}" for sentence in report.sentences)
    table = informative(report.table)
    kept = [name for name in table.columns if shown_under(name).room == "index"]
    picture = f"pictures/{report.first}.png"
    targets = {
        "table": "table.md",
        "page": "report.html",
        **({"picture": picture} if (folder / picture).exists() else {}),
        **({"claims": "claims.md"} if report.claims else {}),
    }
    links = " · ".join(f"[{name}]({quote(folder.name)}/{target})" for name, target in targets.items())
    head = f"## {escape(report.title)}\n\n{escape(report.question)}\n\n{findings}"
    origin = "\n\n".join(map(escape, report.footer))
    claims = "".join(f"{verdicts(judged)}\n\n{escape(judged.rules)}\n\n" for judged in report.claims)
    return f"{head}\n\n{claims}{markdown(table.filter(items=kept))}\n\n{origin}\n\n{links}\n"


def _index(path: Path, sections: Mapping[str, str]) -> str:
    """The index with its generated part written anew, and all that stands around it kept."""
    text = path.read_text() if path.exists() else "# Published results\n"
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2] or "\n"
    generated = "\n".join(sections[name] for name in sorted(sections))
    return f"{before.rstrip()}\n\n{BEGIN}\n\n{generated}\n{END}{after}"
