"""What a run of the corpus showed, for the diagnosis and for the rules of other tools."""

from typing import NamedTuple

import numpy as np

from vgbench.diagnosis.evidence import Evidence


class Outcome(NamedTuple):
    """What a run showed.

    Attributes:
        evidence: for the diagnosis.
        mean_gradient: mean |g| of every layer's weights from the histogram's bins, [records, layers].
        loss: of every step.
        accuracy: on validation data, at the records.
    """

    evidence: Evidence
    mean_gradient: np.ndarray
    loss: np.ndarray
    accuracy: np.ndarray
