"""Which theory covers a case, and what it says."""

from functools import lru_cache
from typing import Any

from vgbench.spec.case import Case
from vgbench.theory.prediction import NoTheory, Prediction
from vgbench.theory.recurrent import predict_recurrent
from vgbench.theory.trunk import predict_trunk

_FAMILIES = {"mlp": predict_trunk, "recurrent": predict_recurrent}
_WIDE = 4096


def predict(case: Case) -> Prediction | None:
    """Predict a case's gradient profile at initialisation from the case alone; None where no theory covers it."""
    found = _found(case)  # pyright: ignore[reportArgumentType]  # frozen, so hashable
    return None if isinstance(found, str) else found


def why_none(case: Case) -> str | None:
    """Why no theory covers a case, in a sentence; None where one does."""
    found = _found(case)  # pyright: ignore[reportArgumentType]
    return found if isinstance(found, str) else None


@lru_cache(maxsize=1024)
def _found(case: Case) -> Prediction | str:
    rule = _FAMILIES.get(case.model.name)
    if rule is None:
        return f"model {case.model.name!r}: no theory of it is known here"
    try:
        return rule(case)
    except NoTheory as nothing:
        return str(nothing)


def normalised_decay(activation: str, norm: str) -> float | None:
    """Decay in a wide plain network with a norm before every activation, decades a layer; None where unknown.

    A batch norm's batch is taken to be large.
    """
    slots: dict[str, Any] = {"activation": activation, "norm": norm}
    case = Case(depth=3, width=_WIDE, batch_size=_WIDE, steps=0, learning_rates=(), tuning_seeds=(), **slots)
    found = predict(case)
    return found and found.decay
