"""The theory that covers a case, and its prediction."""

from functools import lru_cache
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from vgbench.spec.case import Case
from vgbench.theory.backbone import predict_backbone
from vgbench.theory.convnet import predict_convnet
from vgbench.theory.prediction import NoTheory, Prediction
from vgbench.theory.recurrent import predict_recurrent
from vgbench.theory.transformer import predict_transformer

_FAMILIES = {
    "mlp": predict_backbone,
    "convnet": predict_convnet,
    "recurrent": predict_recurrent,
    "transformer": predict_transformer,
    "causal_lm": predict_transformer,
}
_DEEPEST = 10_000
"""Layers, or time steps, up to which a prediction takes seconds."""
_WIDE = 4096
_BEYOND = "the numbers of this case leave the range of float64"


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
    if case.depth > _DEEPEST:
        return f"depth {case.depth}: a prediction is followed through {_DEEPEST:,} layers at most"
    try:
        # Threads of BLAS wait for one another in products as small as these.
        with np.errstate(all="ignore"), threadpool_limits(1, "blas"):
            found = rule(case)
    except NoTheory as nothing:
        return str(nothing)
    except (ArithmeticError, ValueError):  # as Python's own functions say it of numbers beyond their range
        return _BEYOND
    return _BEYOND if np.isnan(found.log10_norm).any() else found


def normalised_decay(activation: str, norm: str) -> float | None:
    """Decay in a wide plain network with a norm before every activation, decades a layer; None where unknown.

    A batch norm's batch is taken to be large.
    """
    data = {"name": "gaussian", "features": _WIDE}  # examples without correlations, as a batch norm leaves them
    slots: dict[str, Any] = {"activation": activation, "norm": norm, "data": data}
    case = Case(depth=3, width=_WIDE, batch_size=_WIDE, steps=0, learning_rates=(), tuning_seeds=(), **slots)
    found = predict(case)
    return found and found.decay
