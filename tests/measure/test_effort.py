"""Small programs that run a few times are compiled in a hurry, on CPUs alone."""

import pytest

from vgbench.measure import effort
from vgbench.measure.effort import OPERATIONS, compiler_options


def test_small_programs_are_compiled_in_a_hurry_and_large_ones_with_care() -> None:
    hurry, care = compiler_options(OPERATIONS) or {}, compiler_options(OPERATIONS + 1) or {}
    assert "xla_backend_optimization_level" in hurry  # the others exist in some versions of XLA
    assert hurry.items() <= effort._HURRY.items()
    assert care.items() <= effort._CARE.items()
    assert not care.keys() & hurry.keys()


def test_accelerators_compile_all_programs_with_care(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effort, "platform", lambda: "gpu")
    assert compiler_options(0) is None


def test_options_that_this_version_of_xla_lacks_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effort, "_HURRY", {"xla_backend_optimization_level": 0, "xla_no_such_option": True})
    assert compiler_options(0) == {"xla_backend_optimization_level": 0}
