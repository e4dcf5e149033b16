"""Which cases a data source of sequences fits: networks that read step by step."""

from typing import Any


def unfit(case: Any, shortest: int) -> str | None:
    """Why sequences of at least `shortest` steps cannot serve a case."""
    if case.model.name != "recurrent":
        return f"is read step by step: needs model 'recurrent', not {case.model.name!r}"
    if case.depth < shortest:
        return f"needs a depth of at least {shortest} time steps, not {case.depth}"
    return None
