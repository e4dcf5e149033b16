"""A part of a suite, for one job of an array: which cells are in it is fixed by their own ids."""

import re
from dataclasses import dataclass

from vgbench.errors import InputError
from vgbench.spec.case import Case


@dataclass(frozen=True)
class Shard:
    """The `number`-th of `count` parts, counted from 1.

    A cell's part follows from its id and `count` alone, so reordering or extending a suite moves no cell into another
    part. Parts are equally large on average only.
    """

    number: int
    count: int

    def holds(self, case: Case) -> bool:
        """Whether a cell, and with it its cost relative to its reference, is in this part."""
        return int(case.cell_id, 16) % self.count == self.number - 1

    def folder(self, suite: str) -> str:
        """The name of its folder, since two runs cannot share one."""
        return f"{suite}-{self.number}-of-{self.count}"


def read_shard(text: str) -> Shard:
    """Read `i/n`.

    Raises:
        InputError: it is no such pair, or i is not among 1 to n.
    """
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise InputError(f"shard: {text!r} is no part i/n of n, such as 1/4 for the first of four (up to 4/4)")
    return Shard(int(match[1]), int(match[2]))
