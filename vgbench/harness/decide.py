"""Runs that decide their claims: cells get further seeds as long as a claim that they are part of is unclear."""

from collections.abc import Iterator
from dataclasses import replace

from vgbench.harness.selection import Placed
from vgbench.records.runs import read_entries
from vgbench.records.schema import Manifest
from vgbench.records.store import Folder, read_record
from vgbench.spec.suite import Cell


def rounds(placed: Placed, folder: Folder, looks: tuple[int, ...]) -> Iterator[tuple[Placed, tuple[str, ...]]]:
    """The cells of each round of a run with the seeds that they have then, and a line on what the last look showed.

    Without looks there is a single round, of all seeds. Otherwise the first round measures as many seeds of every cell
    as the first look has. After each round the claims are judged by the records in `folder`, and only the cells of
    conditions that are unclear get the seeds of the next look. The same records thus always lead to the same rounds,
    so that a run that was stopped goes on where it was.
    """
    if not looks:
        yield placed, ()
        return
    seeds = {cell.case.cell_id: looks[0] for _, cell in placed}
    note: tuple[str, ...] = ()
    for look, further in zip(looks, (*looks[1:], None), strict=True):
        yield tuple((place, _first(cell, seeds[cell.case.cell_id])) for place, cell in placed), note
        unclear = _unclear(folder, look)
        if further is None or not unclear:
            return
        seeds |= dict.fromkeys(unclear & seeds.keys(), further)
        note = (f"look at {look} seeds: some claims are unclear, and {len(unclear)} cells get {further} seeds",)


def _first(cell: Cell, seeds: int) -> Cell:
    """The cell with its first seeds alone."""
    case, reference = (case.model_copy(update={"seeds": case.seeds[:seeds]}) for case in (cell.case, cell.reference))
    return replace(cell, case=case, reference=reference)


def _unclear(folder: Folder, look: int) -> set[str]:
    """The cells of conditions that this look leaves unclear, if more seeds may decide them."""
    from vgbench.claims.judge import judge  # here, since other runs judge no claims, which takes long to import
    from vgbench.claims.statistics import measured

    manifest = read_record(folder.manifest, Manifest)
    judged = judge(manifest.claims, measured(read_entries(folder, manifest)), manifest.looks)
    conditions = (condition for judgement in judged for condition in judgement.conditions)
    return {cell for each in conditions if each.needs_seeds and each.look == look for cell in each.cells}
