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
    first, second = further_rounds("cpu", CASE, CASE, precision=1.0, times=2)
    assert first.step.shape == first.reference.shape == second.step.shape == (30,)
    assert not (first.step == second.step).all()


@pytest.mark.slow
def test_a_process_that_comes_to_nothing_gives_no_rounds() -> None:
    assert further_rounds("no such device", CASE, CASE, precision=1.0, times=1) == []
