"""The memory of programs beside each other, and errors that tell of its end."""

import weakref

import jax
import pytest

from vgbench.measure.executable import Memory
from vgbench.measure.room import NoRoomError, bytes_together, exhausted, let_go, room


class Device:
    def __init__(self, platform: str, statistics: dict[str, int] | None) -> None:
        self.platform = platform
        self._statistics = statistics

    def memory_stats(self) -> dict[str, int] | None:
        return self._statistics


def test_programs_that_take_turns_hold_all_states_and_the_scratch_memory_of_one() -> None:
    needs = [Memory(parameters=10, optimizer=20, temporary=0, peak=peak) for peak in (35, 90, 30)]
    assert bytes_together(needs) == 3 * 30 + 60


def test_room_is_half_of_what_the_device_says_and_a_cpu_says_nothing() -> None:
    assert room(Device("gpu", {"bytes_limit": 80})) == 40
    assert room(Device("tpu", None)) is None
    there = room(Device("cpu", None))
    assert there is None or there > 2**20


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes."), True),
        (jax.errors.JaxRuntimeError("INTERNAL: it does not work"), False),
        (MemoryError(), True),
        (NoRoomError(), True),
        (ValueError("Out of memory"), False),
    ],
)
def test_errors_that_say_that_memory_ran_out(error: BaseException, expected: bool) -> None:
    assert exhausted(error) is expected


def test_an_error_holds_on_to_nothing_after_it_was_let_go() -> None:
    class Large:
        pass

    held: list[weakref.ref[Large]] = []

    def inner() -> None:
        large = Large()
        held.append(weakref.ref(large))
        raise KeyError

    def outer() -> None:
        try:
            inner()
        except KeyError as error:
            raise ValueError("nothing") from error

    with pytest.raises(ValueError, match="nothing") as caught:
        outer()
    assert held[0]() is not None
    let_go(caught.value)
    assert held[0]() is None
