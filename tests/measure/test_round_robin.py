"""Steps in one round-robin: what they share, and what becomes of those that fail or do not fit."""

from typing import Any

import jax
import pytest

import vgbench as vg
from vgbench.measure import round_robin
from vgbench.measure.cost import Cost
from vgbench.measure.executable import Executable, Memory
from vgbench.measure.pairs import Rounds
from vgbench.measure.round_robin import RoundRobin, timed_beside
from vgbench.measure.timing import measure_costs

SMALL = {"depth": 2, "width": 8, "batch_size": 16}
BASE, GELU, SILU, LARGE, EXITS, RAISES = (
    vg.Case(**SMALL, activation=name) for name in ("relu", "gelu", "silu", "softplus", "mish", "elu")
)


class Step(Executable):
    """An executable made by hand; memory runs out where the programs that are there have more than `room` bytes."""

    there: set["Step"]
    made: list[str]
    room = 1000

    def __init__(self, case: vg.Case) -> None:
        self.case, self.size = case, 800 if case == LARGE else 100
        Step.made.append(case.activation.name)
        if case == EXITS:
            raise SystemExit("it does not compile")
        if self.size + sum(step.size for step in Step.there) > Step.room:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")
        self.memory = Memory(parameters=self.size, optimizer=0, temporary=0, peak=self.size)
        Step.there.add(self)

    @property
    def device(self) -> Any:
        return jax.devices()[0]

    def warm_up(self) -> None:
        if self.case == RAISES:
            raise ValueError("it does not run")

    def sample(self) -> float:
        return 1.0


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> type[Step]:
    """Steps that are made by hand, and are gone once their round-robin is over."""
    Step.there, Step.made = set(), []
    together = round_robin._together

    def emptied(*arguments: Any) -> Any:
        Step.there.clear()
        return together(*arguments)

    monkeypatch.setattr(round_robin, "Executable", Step)
    monkeypatch.setattr(round_robin, "_together", emptied)
    monkeypatch.setattr(Step, "room", 1000)
    return Step


def groups(cases: list[vg.Case]) -> list[Any]:
    """The id of each case's round-robin, or its error in words."""
    found = timed_beside(cases, BASE, 1.0, lambda group, step, rounds: group)
    return [each.id if isinstance(each, RoundRobin) else f"{each}" for each in found]


def test_cases_share_one_step_of_their_reference(steps: type[Step]) -> None:
    itself, gelu, silu = groups([BASE, GELU, SILU])
    assert itself == gelu == silu
    assert steps.made == ["relu", "gelu", "silu"]


def test_one_that_fails_costs_the_others_nothing(steps: type[Step]) -> None:
    gelu, exits, raises, silu = groups([GELU, EXITS, RAISES, SILU])
    assert gelu == silu
    assert (exits, raises) == ("it does not compile", "it does not run")


def test_one_that_fails_as_the_rounds_go_on_costs_the_others_nothing(
    steps: type[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = ValueError("it does not go on")

    def sample(self: Step) -> float:
        if self.case == GELU:
            raise broken
        return 1.0

    monkeypatch.setattr(steps, "sample", sample)
    first, gelu, silu = timed_beside([BASE, GELU, SILU], BASE, 1.0, lambda group, step, rounds: rounds)
    assert gelu is broken
    assert isinstance(first, Rounds)
    assert isinstance(silu, Rounds)


def test_what_is_made_of_one_may_fail_as_well(steps: type[Step]) -> None:
    def use(group: RoundRobin, step: Executable, rounds: Rounds) -> str:
        if step.case == GELU:
            raise ValueError("no counter")
        return step.case.activation.name

    assert [f"{each}" for each in timed_beside([BASE, GELU, SILU], BASE, 1.0, use)] == ["relu", "no counter", "silu"]


def test_a_reference_that_fails_is_the_outcome_of_all(steps: type[Step]) -> None:
    found = timed_beside([GELU, SILU], EXITS, 1.0, lambda *_: None)
    assert [f"{each}" for each in found] == ["it does not compile"] * 2


def test_those_without_room_beside_others_get_a_round_robin_of_their_own(
    steps: type[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "room", 900)
    itself, gelu, large, silu = groups([BASE, GELU, LARGE, SILU])
    assert itself == gelu
    assert len({itself, large, silu}) == 3
    assert steps.made == ["relu", "gelu", "softplus", "relu", "softplus", "silu", "relu", "silu"]


def test_one_that_fits_nowhere_says_so_and_the_others_are_timed(
    steps: type[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "room", 850)
    gelu, large, silu = timed_beside([GELU, LARGE, SILU], BASE, 1.0, lambda group, step, rounds: group)
    assert isinstance(gelu, RoundRobin)
    assert isinstance(silu, RoundRobin)
    assert isinstance(large, jax.errors.JaxRuntimeError)


def test_programs_that_would_fill_the_memory_are_split_before_they_do(
    steps: type[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(round_robin, "room", lambda device: 350)
    itself, gelu, silu, last = groups([BASE, GELU, SILU, RAISES.model_copy(update={"depth": 3})])
    assert itself == gelu == silu != last


def test_a_real_group_measures_each_cost_and_refuses_what_cannot_be_compared() -> None:
    scanned = vg.Case(**SMALL, block_execution="scan", norm="batch")
    first, second, third = measure_costs([BASE, GELU, scanned], BASE, precision=1.0)
    assert isinstance(first, Cost)
    assert isinstance(second, Cost)
    assert isinstance(third, vg.InputError)
    assert (first.group, first.order_seed) == (second.group, second.order_seed) != (None, None)
    assert (first.reference_seconds[:30] == second.reference_seconds[:30]).all()
    assert not (first.step_seconds[:30] == first.reference_seconds[:30]).all()
