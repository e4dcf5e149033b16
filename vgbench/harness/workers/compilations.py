"""Timings of the same pair by programs that were compiled anew, each in a process of its own."""

import json
import sys
from typing import Any

import jax
import numpy as np

from vgbench.harness.workers.own_process import answer_of
from vgbench.measure.timing import Rounds, measure_rounds
from vgbench.records.provenance import find_device
from vgbench.spec.case import Case

ON_GPUS = 3
_SECONDS = 1200


def compilations_on(device: str | None, asked: int | None) -> int:
    """How often a pair is compiled: as asked, or else 3 times on a GPU, whose compiler chooses kernels by timing."""
    return asked or (ON_GPUS if find_device(device).platform == "gpu" else 1)


def further_rounds(device: str | None, case: Case, reference: Case, precision: float, times: int) -> list[Rounds]:
    """Compile and time the pair `times` times more.

    A process that has autotuned a program remembers what it chose, and caches on disk do so, too: they are switched
    off. A process that comes to nothing gives no rounds.
    """
    question = [device, *(each.model_dump(mode="json") for each in (case, reference)), precision]
    answers = (answer_of(__name__, question, _SECONDS, JAX_ENABLE_COMPILATION_CACHE="false") for _ in range(times))
    return [
        Rounds(*(np.asarray(each, np.float64) for each in answer)) for answer in answers if isinstance(answer, list)
    ]


def _answer(device: str | None, case: dict[str, Any], reference: dict[str, Any], precision: float) -> list[list[float]]:
    with jax.default_device(find_device(device)):
        rounds = measure_rounds(Case.model_validate(case), Case.model_validate(reference), precision=precision)
    return [each.tolist() for each in rounds]


if __name__ == "__main__":
    print(json.dumps(_answer(*json.loads(sys.stdin.read()))))
