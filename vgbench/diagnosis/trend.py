"""How numbers of arrays of weights change from the last layer to the first, where their names say which comes first."""

import re
from collections import defaultdict

import numpy as np
from jaxtyping import Float

_NUMBER = re.compile(r"\d+")


def kinds_of(names: tuple[str, ...]) -> list[list[int]]:
    """Places of arrays whose names differ in one number alone, as `Dense_3` and `Dense_4`, in the order of it."""
    groups: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
    for place, name in enumerate(names):
        for match in _NUMBER.finditer(name):
            key = f"{name[: match.start()]}#{name[match.end() :]}"
            groups[key, match.start()].append((int(match.group()), place))
    return [[place for _, place in sorted(group)] for group in groups.values()]


def first_of(names: tuple[str, ...]) -> int | None:
    """Place of the array that meets the inputs, where all are of one kind but for one, such as a head; else None."""
    groups = [group for group in kinds_of(names) if len(group) >= 2]
    return groups[0][0] if len(groups) == 1 and len(groups[0]) >= len(names) - 1 else None


def lost_over_layers(
    values: Float[np.ndarray, "records layers"] | None, names: tuple[str, ...], least: int = 3
) -> Float[np.ndarray, "records"] | None:
    """What is lost from the last third of each kind of arrays to the first third, median over the kinds.

    Numbers that are not finite do not count.

    Args:
        values: logarithms, such as norms of gradients.
        names: of the layers.
        least: how many arrays of a kind make a trend.

    Returns:
        NaN at records without a trend; None if there is none at any.
    """
    groups = [group for group in kinds_of(names) if len(group) >= least]
    if values is None or not groups:
        return None
    ends = np.full((len(groups), len(values)), np.nan)
    for row, group in zip(ends, groups, strict=True):
        third = max(1, len(group) // 3)
        finite = np.where(np.isfinite(values[:, group]), values[:, group], np.nan)
        known = ~np.isnan(finite[:, :third]).all(axis=1) & ~np.isnan(finite[:, -third:]).all(axis=1)
        row[known] = np.nanmedian(finite[known, -third:], axis=1) - np.nanmedian(finite[known, :third], axis=1)
    known = ~np.isnan(ends).all(axis=0)
    lost = np.full(len(values), np.nan)
    lost[known] = np.nanmedian(ends[:, known], axis=0)
    return lost if known.any() else None
