"""What the programs here share: two samplers timed side by side, and a file that holds all that was measured.

A ratio is the median over rounds of one time over the other, with a 95 % bootstrap interval; in each round both are
sampled, in random order, so that whatever slows the machine slows both. Nothing is compiled within a round.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import numpy as np

from vgbench.measure import PRECISION
from vgbench.measure.pairs import BUDGET_SECONDS, ROUNDS_AT_LEAST, Rounds, Sampler, time_beside
from vgbench.records.provenance import provenance
from vgbench.statistics import Interval, bootstrap_median

SAMPLE_SECONDS = 0.03
"""A sample repeats what is timed until it takes so long, since the clock and the scheduler blur shorter ones."""


@dataclass(frozen=True)
class Comparison:
    """Two times taken side by side.

    Attributes:
        row: what is compared, in words, by column.
        over: name and seconds of each round of the one that stands above the line of the ratio.
        under: the same of the other.
        aim: what the ratio should be, in words.
        notes: whatever else was measured, by name.
    """

    row: dict[str, str | int]
    over: tuple[str, list[float]]
    under: tuple[str, list[float]]
    aim: str
    notes: dict[str, Any]

    @cached_property
    def ratio(self) -> Interval:
        """Median over rounds of `over` / `under`, with its interval."""
        return bootstrap_median(np.divide(self.over[1], self.under[1]))


def compare(
    row: dict[str, str | int],
    over: tuple[str, Sampler],
    under: tuple[str, Sampler],
    aim: str,
    *,
    budget: float = BUDGET_SECONDS,
    rounds_at_least: int = ROUNDS_AT_LEAST,
    **notes: Any,
) -> Comparison:
    """Time two samplers, each warmed up beforehand, in interleaved rounds."""
    (rounds,) = time_beside([over[1]], under[1], PRECISION, budget=budget, rounds_at_least=rounds_at_least)
    if not isinstance(rounds, Rounds):
        raise rounds
    done = Comparison(row, (over[0], rounds.step.tolist()), (under[0], rounds.reference.tolist()), aim, notes)
    print(*row.values(), f"{done.ratio.value:.2f}", flush=True)
    return done


def sampler(run: Callable[[], Any], steps: int) -> Sampler:
    """Seconds a step of a function that makes `steps` of them and waits for the last; warms it up."""

    def seconds() -> float:
        begin = time.perf_counter()
        run()
        return time.perf_counter() - begin

    seconds()
    repeats = max(1, round(SAMPLE_SECONDS / min(seconds(), seconds())))
    return lambda: sum(seconds() for _ in range(repeats)) / (repeats * steps)


def digits(number: float) -> str:
    """A number with three digits, or all those before the point."""
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"


def table(comparisons: Sequence[Comparison]) -> str:
    """The comparisons as Markdown."""
    columns = [*comparisons[0].row, comparisons[0].over[0], comparisons[0].under[0], "ratio [95 %]", "aim"]
    lines = [columns, ["---"] * len(columns)]
    for each in comparisons:
        times = (f"{digits(float(np.median(side[1])) * 1e3)} ms" for side in (each.over, each.under))
        ratio = f"{each.ratio.value:.2f} [{each.ratio.low:.2f}, {each.ratio.high:.2f}]"
        lines.append([*map(str, each.row.values()), *times, ratio, each.aim])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(path: Path, content: dict[str, Any], **packages: str) -> None:
    """Write what was measured as JSON, with what it was measured on; `packages` are versions beyond vgbench's own."""
    origin = asdict(provenance(jax.devices()[0]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{json.dumps({'provenance': origin, 'packages': packages, **content}, indent=1)}\n")
    print(f"written to {path}")


def write_comparisons(path: Path, comparisons: Sequence[Comparison], **packages: str) -> None:
    """Write comparisons with their raw samples, and print their table."""
    described = [{**asdict(each), "ratio": each.ratio} for each in comparisons]
    write(path, {"comparisons": described, "table": table(comparisons)}, **packages)
    print(table(comparisons))
