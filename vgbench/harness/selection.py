"""What a run is about: the cells that its options leave of a suite."""

from dataclasses import dataclass
from pathlib import Path

from vgbench.boundary.paths import check_folder_name
from vgbench.errors import InputError
from vgbench.harness.options import RunOptions
from vgbench.harness.shard import read_shard
from vgbench.spec.suite import Cell, Suite, read_suite

Placed = tuple[tuple[int, Cell], ...]
"""Cells, each with its place among all of its suite."""


@dataclass(frozen=True)
class Selection:
    """A suite as the options narrow it.

    Attributes:
        suite: the narrowed suite.
        folder: the name of its folder, where no other is asked for.
        placed: the cells of the part that is asked for, with all seeds that they may get.
        looks: the numbers of seeds at which its claims are judged; empty where they are judged once.
    """

    suite: Suite
    folder: str
    placed: Placed
    looks: tuple[int, ...] = ()

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells alone."""
        return tuple(cell for _, cell in self.placed)


def select(suite: Suite | str | Path, options: RunOptions) -> Selection:
    """Narrow a suite, or the built-in one or the TOML file of this name, and make its cells.

    Raises:
        InputError: the suite, a setting, a mitigation or the part cannot be used, or a run is to decide claims that
            it does not have or cannot add seeds to.
    """
    looks = _looks() if options.decide else ()
    whole = suite if isinstance(suite, Suite) else read_suite(suite)
    settings, seeds = dict(options.settings), looks[-1] if looks else options.seeds
    if options.decide:
        _check_decidable(whole, options)
    if seeds is not None:
        if "seeds" in settings:
            raise InputError("seeds: are set already, as a field of every case; leave one of the two out")
        settings["seeds"] = list(range(seeds))
    narrowed = (whole.quick_version() if options.quick else whole).select(settings, options.only)
    if seeds is not None:
        narrowed = narrowed.without_own({"seeds"})
    part = None if options.shard is None else read_shard(options.shard)
    folder = check_folder_name(part.folder(narrowed.name) if part else narrowed.name)
    cells = enumerate(narrowed.cells())
    placed = tuple((i, cell) for i, cell in cells if part is None or part.holds(cell.case))
    return Selection(narrowed, folder, placed, looks)


def _looks() -> tuple[int, ...]:
    from vgbench.claims.looks import LOOKS  # here, since other runs judge no claims, which takes long to import

    return LOOKS


def _check_decidable(suite: Suite, options: RunOptions) -> None:
    if not suite.claims:
        raise InputError(f"decide: suite {suite.name} makes no claims; leave it out, or add [[claims]] to the suite")
    for option, fault in (("seeds", "chooses the seeds itself"), ("shard", "judges claims by the cells of all parts")):
        if getattr(options, option) is not None:
            raise InputError(f"decide: {fault}; leave {option} out")
