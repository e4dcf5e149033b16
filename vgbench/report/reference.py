"""Which rows are compared among themselves: those of one place that have the same reference."""

from typing import Any

import pandas as pd

from vgbench.spec.suite import BASELINE


def compared(place: str, reference: Any) -> str:
    """A place in words, with the reference of the rows that are meant there where it is known and not `baseline`."""
    other = [] if pd.isna(reference) or reference == BASELINE else [f"compared with {reference}"]
    return ", ".join([*([place] if place else []), *other])
