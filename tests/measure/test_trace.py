"""Device time: what of a profiler's trace counts as work, in traces written by hand as the profiler lays them out."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax.profiler import ProfileData

from vgbench.measure.trace import busy_seconds, device_seconds


def trace(*planes: tuple[str, dict[str, list[tuple[int, int]]]]) -> Any:
    """A trace of planes with lines of events, each from one microsecond to another."""

    def event(begin: int, end: int) -> str:
        return f"events {{ metadata_id: 1 offset_ps: {begin * 1000000} duration_ps: {(end - begin) * 1000000} }}"

    def line(name: str, events: list[tuple[int, int]]) -> str:
        return f'lines {{ name: "{name}" timestamp_ns: 5000 {" ".join(event(*each) for each in events)} }}'

    made = (
        f'planes {{ name: "{name}" {" ".join(line(*each) for each in lines.items())} event_metadata {{ key: 1 value'
        ' { id: 1 name: "op" } } }'
        for name, lines in planes
    )
    return ProfileData.from_text_proto("\n".join(made))


def test_operations_on_several_streams_at_once_count_once() -> None:
    streams = {
        "Stream #7(Compute)": [(0, 10), (20, 30)],
        "Stream #8(MemcpyD2D)": [(5, 12), (22, 25)],
        "Steps": [(0, 99)],
    }
    assert busy_seconds(trace(("/host:CPU", {"python": [(0, 99)]}), ("/device:GPU:0", streams))) == pytest.approx(22e-6)


def test_of_a_tpu_the_line_of_operations_counts_and_of_several_devices_the_busiest() -> None:
    first = {"XLA Modules": [(0, 50)], "XLA Ops": [(0, 10), (10, 15)]}
    devices = trace(("/device:TPU:0", first), ("/device:TPU:1", {"XLA Ops": [(0, 40)]}))
    assert busy_seconds(devices) == pytest.approx(40e-6)


def test_a_cpu_has_no_device_of_its_own_and_a_trace_can_be_kept(tmp_path: Path) -> None:
    run = jax.jit(jnp.sin)
    assert device_seconds(lambda: run(1.0).block_until_ready(), kept=tmp_path) is None
    assert list(tmp_path.rglob("*.xplane.pb"))
