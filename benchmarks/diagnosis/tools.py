"""The vanishing-gradient rules of five other tools, as their papers and sources give them, applied to the same runs.

AutoTrainer (Zhang et al., ICSE 2021), SageMaker Debugger's built-in rules, DeepDiagnosis (Wardat et al., ICSE 2022),
TheDeepChecker (Ben Braiek & Khomh 2023) and DLCheck. A rule fires on a run if it does at any record.
"""

from collections.abc import Callable

import numpy as np
from outcome import Outcome


def autotrainer(run: Outcome) -> bool:
    """Kernel gradient norms: first / last < 1e-3 and first < 1e-4, reported if accuracy < 0.6 or no gain of 0.01."""
    with np.errstate(over="ignore", invalid="ignore"):
        norms = 10.0**run.evidence.gradient
        fires = (norms[:, 0] < 1e-3 * norms[:, -1]) & (norms[:, 0] < 1e-4)
    poor = run.accuracy[-1] < 0.6 or not (np.diff(run.accuracy) > 0.01).any()
    return bool(fires.any() and poor)


def sagemaker(run: Outcome) -> bool:
    """Mean |g| below 1e-7 in any tensor."""
    return bool((run.mean_gradient < 1e-7).any())


def deep_diagnosis(run: Outcome) -> bool:
    """Mean |g| of the weights below 1e-7 in the first layer."""
    return bool((run.mean_gradient[:, 0] < 1e-7).any())


def the_deep_checker(run: Outcome) -> bool:
    """Mean |g| below 1e-6, or four halvings in a row from record to record, in any layer."""
    with np.errstate(divide="ignore", invalid="ignore"):
        halved = run.mean_gradient[1:] < run.mean_gradient[:-1] / 2
    row = np.lib.stride_tricks.sliding_window_view(halved, 4, axis=0).all(axis=-1) if len(halved) >= 4 else np.zeros(1)
    return bool((run.mean_gradient < 1e-6).any() or row.any())


def dlcheck(run: Outcome) -> bool:
    """A gradient norm between 0 and 1e-7 in any layer."""
    gradient = run.evidence.gradient
    return bool((np.isfinite(gradient) & (gradient < -7)).any())


TOOLS: dict[str, Callable[[Outcome], bool]] = {
    "AutoTrainer": autotrainer,
    "SageMaker Debugger": sagemaker,
    "DeepDiagnosis": deep_diagnosis,
    "TheDeepChecker": the_deep_checker,
    "DLCheck": dlcheck,
}
