"""Scores of classifiers over configurations: recall, precision, confusion, Wilson intervals, McNemar's test."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy import stats


def wilson(hits: int, total: int, confidence: float = 0.95) -> tuple[float, float, float]:
    """A share with its Wilson score interval (Wilson 1927); NaN of nothing."""
    if not total:
        return float("nan"), float("nan"), float("nan")
    interval = stats.binomtest(hits, total).proportion_ci(confidence, method="wilson")
    return hits / total, float(interval.low), float(interval.high)


def told(hits: int, total: int) -> str:
    share, low, high = wilson(hits, total)
    return f"{share:.3f} [{low:.3f}, {high:.3f}] ({hits}/{total})" if total else "- (0)"


def recall_and_precision(truth: Sequence[bool], said: Sequence[bool]) -> tuple[str, str]:
    true, claimed = np.asarray(truth), np.asarray(said)
    both = int((true & claimed).sum())
    return told(both, int(true.sum())), told(both, int(claimed.sum()))


def mcnemar(truth: Sequence[bool], first: Sequence[bool], second: Sequence[bool]) -> tuple[int, int, float]:
    """Runs that only the first, only the second classifier gets right, and the exact two-sided p (McNemar 1947)."""
    true, one, two = (np.asarray(each) for each in (truth, first, second))
    only_first = int(((one == true) & (two != true)).sum())
    only_second = int(((one != true) & (two == true)).sum())
    both = only_first + only_second
    return only_first, only_second, float(stats.binomtest(only_first, both).pvalue) if both else 1.0


def confusion(labels: Sequence[str], verdicts: Sequence[str]) -> str:
    """A row for each label, a column for each verdict that occurs, as Markdown."""
    counts = Counter(zip(labels, verdicts, strict=True))
    rows, columns = sorted(set(labels)), sorted(set(verdicts))
    head = ["built as", *columns]
    lines = [head, ["---"] * len(head)]
    lines += [[row, *(str(counts[row, column] or "") for column in columns)] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
