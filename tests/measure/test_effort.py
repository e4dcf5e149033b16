"""Small programs that run a few times are compiled in a hurry, on CPUs alone."""

import pytest

from vgbench.measure import effort
from vgbench.measure.effort import OPERATIONS, compiler_options


def test_small_programs_are_compiled_in_a_hurry_and_large_ones_with_care() -> None:
    assert compiler_options(OPERATIONS) == effort._HURRY
    assert compiler_options(OPERATIONS + 1) == effort._CARE


def test_accelerators_compile_all_programs_with_care(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effort, "platform", lambda: "gpu")
    assert compiler_options(0) is None


def test_options_that_this_version_of_xla_lacks_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effort, "_HURRY", {"xla_backend_optimization_level": 0, "xla_no_such_option": True})
    assert compiler_options(0) == {"xla_backend_optimization_level": 0}
