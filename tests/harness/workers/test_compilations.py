"""A pair that is compiled several times, each in a process of its own."""

import pytest

import vgbench as vg
from vgbench.harness.workers.compilations import compilations_on, further_rounds

CASE = vg.Case(depth=2, width=8, batch_size=16)


def test_a_cpu_compiles_once_unless_asked() -> None:
    assert compilations_on("cpu", None) == 1
    assert compilations_on("cpu", 4) == 4


@pytest.mark.slow
def test_each_compilation_has_its_rounds() -> None:
    other = CASE.model_copy(update={"depth": 3})
    (first, second), beside = further_rounds("cpu", [CASE, other], CASE, precision=1.0, times=2)
    assert [rounds.step.shape for rounds in beside] == [(30,)] * 2
    assert (beside[0].reference == first.reference).all()
    assert first.step.shape == first.reference.shape == second.step.shape == (30,)
    assert not (first.step == second.step).all()


@pytest.mark.slow
def test_a_process_that_comes_to_nothing_gives_no_rounds() -> None:
    assert further_rounds("no such device", [CASE, CASE], CASE, precision=1.0, times=1) == [[], []]


@pytest.mark.slow
def test_a_case_that_fails_gives_none_and_the_others_do() -> None:
    scanned = CASE.model_copy(update={"block_execution": "scan", "width": 9})
    assert [len(each) for each in further_rounds("cpu", [scanned, CASE], CASE, precision=1.0, times=1)] == [0, 1]
