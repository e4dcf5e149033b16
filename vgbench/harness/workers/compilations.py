"""Timings of the same pairs by programs that were compiled anew, each in a process of its own."""

import json
import sys
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from vgbench.harness.workers.own_process import answer_of
from vgbench.measure.pairs import Rounds
from vgbench.measure.timing import measure_rounds
from vgbench.records.provenance import find_device
from vgbench.spec.case import Case

ON_GPUS = 3
_SECONDS = 1200


def compilations_on(device: str | None, asked: int | None) -> int:
    """How often a pair is compiled: as asked, or else 3 times on a GPU, whose compiler chooses kernels by timing."""
    return asked or (ON_GPUS if find_device(device).platform == "gpu" else 1)


def further_rounds(
    device: str | None, cases: Sequence[Case], reference: Case, precision: float, times: int
) -> list[list[Rounds]]:
    """Compile and time cases beside their reference `times` times more.

    A process that has autotuned a program remembers what it chose, and caches on disk do so, too: they are switched
    off.

    Returns:
        The further rounds of each case; a process, or a case in it, that comes to nothing gives none.
    """
    question = [device, [each.model_dump(mode="json") for each in cases], reference.model_dump(mode="json"), precision]
    answers = (answer_of(__name__, question, _SECONDS, JAX_ENABLE_COMPILATION_CACHE="false") for _ in range(times))
    every = [answer for answer in answers if isinstance(answer, list)]
    return [
        [Rounds(*(np.asarray(side, np.float64) for side in answer[i])) for answer in every if answer[i] is not None]
        for i in range(len(cases))
    ]


def _answer(
    device: str | None, cases: Sequence[dict[str, Any]], reference: dict[str, Any], precision: float
) -> list[list[list[float]] | None]:
    read = [Case.model_validate(each) for each in (*cases, reference)]
    with jax.default_device(find_device(device)):
        every = measure_rounds(read[:-1], read[-1], precision=precision)
    return [[side.tolist() for side in rounds] if isinstance(rounds, Rounds) else None for rounds in every]


if __name__ == "__main__":
    print(json.dumps(_answer(*json.loads(sys.stdin.read()))))
