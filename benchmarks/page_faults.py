"""Page faults: the CPU time of a layer in training by the steps in a program, the system's share of it apart.

    python benchmarks/page_faults.py results/speed/page_faults.json

Every call of a program allocates its scratch memory anew. glibc takes what is larger than 32 MiB from the system each
time, which then has to clear page after page. A program of many steps pays that once. CPU time (of all threads) is
hardly disturbed by whatever else runs; the points are sampled in rounds, in random order. `GLIBC_TUNABLES` in the
environment, such as `glibc.malloc.hugetlb=1` for larger pages, applies here as everywhere.
"""

import resource
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scale import Line
from side_by_side import write

from vgbench.statistics import Interval, bootstrap_median

POINTS = ((50, 128), (200, 128), (1000, 128), (50, 512))
STEPS = (1, 10)
ROUNDS = 9


class Spent(NamedTuple):
    """What this process has spent so far: seconds of its own, seconds of the system for it, and page faults."""

    own: float
    system: float
    faults: float


def spent() -> Spent:
    """What `getrusage` says."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return Spent(usage.ru_utime, usage.ru_stime, usage.ru_minflt)


def sample(line: Line) -> Spent:
    """What a step spends, after an untimed run, which brings into the caches what they hold."""
    line.sample()
    before = spent()
    line.sample()
    return Spent(*np.subtract(spent(), before) / line.steps)


def measure(points: tuple[tuple[int, int], ...], rounds: int) -> list[dict[str, Any]]:
    """Sample all points, each with few and with many steps in a program."""
    lines = [Line(*point, steps) for point in points for steps in STEPS]
    samples: list[list[Spent]] = [[] for _ in lines]
    order = np.random.default_rng(0)
    for _ in range(rounds):
        for i in order.permutation(len(lines)):
            samples[i].append(sample(lines[i]))
    named = (Spent(*np.transpose(each).tolist())._asdict() for each in samples)
    return [
        {"depth": line.depth, "width": line.width, "steps": line.steps, **each}
        for line, each in zip(lines, named, strict=True)
    ]


def a_layer(row: dict[str, Any], seconds: np.ndarray) -> Interval:
    """Microseconds a layer, median and 95 % interval."""
    return Interval(*(np.asarray(bootstrap_median(seconds)) / row["depth"] * 1e6).tolist())


def table(rows: list[dict[str, Any]]) -> str:
    """All points as Markdown."""
    lines = ["| depth | width | steps a program | a layer [95 %] | of it the system | page faults a step |"]
    lines += ["| --- " * 6 + "|"]
    for row in rows:
        both, system = a_layer(row, np.add(row["own"], row["system"])), a_layer(row, np.asarray(row["system"]))
        shown = f"{both.value:.0f} us [{both.low:.0f}, {both.high:.0f}] | {system.value:.0f} us"
        point = f"{row['depth']:,} | {row['width']} | {row['steps']}"
        lines.append(f"| {point} | {shown} | {np.median(row['faults']):,.0f} |")
    return "\n".join(lines)


def main(path: str) -> None:
    """Measure and write."""
    rows = measure(POINTS, ROUNDS)
    print(shown := table(rows))
    write(Path(path), {"rows": rows, "table": shown})


if __name__ == "__main__":
    main(*sys.argv[1:])
