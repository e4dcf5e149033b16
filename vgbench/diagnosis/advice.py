"""What the published results say of changes to networks like one that is diagnosed: how often they help, and cost."""

from vgbench.diagnosis.findings import Name
from vgbench.diagnosis.published import CHANGES

NOT_MEASURED = "how often this helps, and what it costs, was not measured"
LEAST, MOST = 2, 6
"""Cells that a change was tried in to be named, and changes that are named."""
_BEGAN_SO: dict[Name, Name] = {
    "vanishing": "risk of vanishing",
    "collapse": "risk of collapse",
    "exploding": "risk of exploding",
    "risk of vanishing": "risk of vanishing",
    "risk of collapse": "risk of collapse",
    "risk of exploding": "risk of exploding",
}
"""Findings that begin at initialisation, by what the published cells like them showed there."""


def measured(name: Name, timed: bool, invariant: bool | None) -> str:
    """How often each change made published cells train that began as this run did, and by how much a step took longer.

    Args:
        name: of the finding.
        timed: whether it is over time steps.
        invariant: whether the optimizer is invariant to the gradient's scale; None for cells of both kinds.

    Returns:
        Text, the `MOST` changes that helped most often first, of those that were tried in `LEAST` cells or more;
        `NOT_MEASURED` where no such cell was changed.
    """
    found: dict[str, list[tuple[int, int, float | None]]] = {}
    for (risk, over_time, adapts, change), counts in CHANGES.items():
        if (risk, over_time) == (_BEGAN_SO.get(name), timed) and invariant in (None, adapts):
            found.setdefault(change, []).append(counts)
    merged = {change: _merged(counts) for change, counts in found.items()}
    merged = {change: counts for change, counts in merged.items() if counts[1] >= LEAST}
    if not merged:
        return NOT_MEASURED
    ranked = sorted(merged.items(), key=lambda item: (-item[1][0] / item[1][1], item[1][2] or 0.0))
    texts = [f"{change} {trained} of {number}{_cost(ratio)}" for change, (trained, number, ratio) in ranked[:MOST]]
    return f"published cells that began so and did not train did with one change: {', '.join(texts)}"


def _merged(counts: list[tuple[int, int, float | None]]) -> tuple[int, int, float | None]:
    """Of both kinds of optimizers; the larger ratio."""
    ratios = [ratio for _, _, ratio in counts if ratio is not None]
    return sum(each[0] for each in counts), sum(each[1] for each in counts), max(ratios, default=None)


def _cost(ratio: float | None) -> str:
    return "" if ratio is None else f" (a step takes {ratio:g} times as long)"
