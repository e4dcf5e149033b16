"""Transformers: what is exact, and why the rest is not predicted."""

from typing import Any

import numpy as np

from vgbench.spec.case import Case
from vgbench.theory.backbone import ZERO_SOURCES
from vgbench.theory.prediction import NoTheory, Prediction, from_factors
from vgbench.theory.skip import skip_of


def predict_transformer(case: Case) -> Prediction:
    """Predict a transformer whose branches start at zero: every block is the identity, times the stream's scale.

    For other branches the moments of stream and gradient with tokens that attend to all alike (Alekseev 2026,
    Subcritical Signal Propagation at Initialization in Normalization-Free Transformers; Kedia et al. 2024; Cowsik et
    al. 2024) follow a stream of equally large, uncorrelated tokens. Patches of images are neither: behind layer norm,
    over 48 and 200 blocks, that recursion left out 0.5 decades, most of them in the first block.

    Raises:
        NoTheory: branches do not start at zero, or a norm is on the stream.
    """
    model: Any = case.model
    skip = skip_of(case)
    if case.depth == 1:
        return from_factors(np.empty(0), "exact", (), ("one hidden layer",))
    if skip is None or skip.branch != 0 or model.order == "post_norm":
        raise NoTheory(
            "attention: moments are known for tokens that are equally large and alike in pairs (Alekseev 2026), which"
            " embedded data are not"
        )
    per_block = skip.stream**4  # two branches
    sources = ZERO_SOURCES.get(case.skip.name, ("Bachlechner et al. 2021",))
    return from_factors(np.full(case.depth - 1, per_block), "exact", sources, ("every branch starts at zero",))
