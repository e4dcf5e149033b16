"""Device time: what of a profiler's trace counts as work, in traces written by hand as the profiler lays them out."""

import gzip
import json
import socket
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax.profiler import ProfileData

from vgbench.measure.trace import KEPT, busy_seconds, device_seconds, recorded


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


def test_a_cpu_has_no_device_of_its_own() -> None:
    run = jax.jit(jnp.sin)
    assert device_seconds(lambda: run(1.0).block_until_ready()) is None


def test_recorded_trace_has_the_files_of_both_viewers_and_not_the_name_of_the_host() -> None:
    run = jax.jit(jnp.sin)

    def steps() -> None:
        with jax.profiler.StepTraceAnnotation("step", step_num=7):
            run(1.0).block_until_ready()

    for _ in range(2):  # a second trace of one process is its own
        files = recorded(steps)
    assert list(files) == list(KEPT)
    assert not any(socket.gethostname() in name for name in files)
    planes, events = files.values()
    traced = ProfileData.from_serialized_xspace(planes)
    names = [event.name for plane in traced.planes for line in plane.lines for event in line.events]
    assert names.count("step") == 1
    assert "step" in {event.get("name") for event in json.loads(gzip.decompress(events))["traceEvents"]}
