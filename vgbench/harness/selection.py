"""What a run is about: the cells that its options leave of a suite."""

from dataclasses import dataclass
from pathlib import Path

from vgbench.boundary.paths import check_folder_name
from vgbench.errors import InputError
from vgbench.harness.options import RunOptions
from vgbench.harness.shard import read_shard
from vgbench.spec.suite import Cell, Suite, read_suite


@dataclass(frozen=True)
class Selection:
    """A suite as the options narrow it.

    Attributes:
        suite: the narrowed suite.
        folder: the name of its folder, where no other is asked for.
        placed: the cells of the part that is asked for, each with its place among all.
    """

    suite: Suite
    folder: str
    placed: tuple[tuple[int, Cell], ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells alone."""
        return tuple(cell for _, cell in self.placed)


def select(suite: Suite | str | Path, options: RunOptions) -> Selection:
    """Narrow a suite, or the built-in one or the TOML file of this name, and make its cells.

    Raises:
        InputError: the suite, a setting, a mitigation or the part cannot be used.
    """
    whole = suite if isinstance(suite, Suite) else read_suite(suite)
    settings = dict(options.settings)
    if options.seeds is not None:
        if "seeds" in settings:
            raise InputError("seeds: are set already, as a field of every case; leave one of the two out")
        settings["seeds"] = list(range(options.seeds))
    narrowed = (whole.quick_version() if options.quick else whole).select(settings, options.only)
    part = None if options.shard is None else read_shard(options.shard)
    folder = check_folder_name(part.folder(narrowed.name) if part else narrowed.name)
    cells = enumerate(narrowed.cells())
    return Selection(narrowed, folder, tuple((i, cell) for i, cell in cells if part is None or part.holds(cell.case)))
