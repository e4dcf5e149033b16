"""Scale: a training step along two lines, depth at one width and width at one depth, and the memory of a deep profile.

    python benchmarks/scale.py results/speed/scale.json results/speed

Times the step that vgbench trains with (blocks scanned, ten steps in one program), blocked at the end of a program, up
to 1e8 weights, and the gradient profile at initialisation (one seed, its weights drawn, nothing compiled), which goes
on beyond that; draws both lines into the folder that is named last. Adam's update alone is timed as well, ten in one
program: it computes next to nothing, and what it takes is reading and writing weights, gradient and two moments. Each
of the deepest profiles runs in a process of its own, whose peak resident memory the system states.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import altair as alt
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
from limit import RATE, case_of
from side_by_side import digits, write

import vgbench as vg
from vgbench.data import batch_indices, load_dataset
from vgbench.measure.step import make_step, start
from vgbench.models import build_network
from vgbench.pictures.style import COLORS
from vgbench.statistics import Interval, bootstrap_median

DEPTH_LINE = [(depth, 128) for depth in (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)]
WIDTH_LINE = [(50, width) for width in (64, 128, 256, 512, 1024, 2048)]
MOST_PARAMETERS = 10**8
ROUNDS, PROFILES = 7, 3
STEPS = 10
"""Steps in a program: of one that has a single step `page_faults.py` shows what the system does at every call."""
MEASURED = {"step": "training step", "update": "Adam's update alone", "profile": "gradient profile"}
EVEN = (50, 1000)
"""Depths between which a layer should cost the same within 20 %."""
DEEP_LINE = [(10_000, 512), (100_000, 64)]
DEEPLY = "deep"


class Line:
    """One point: the compiled program of so many training steps, and the state that it advances."""

    def __init__(self, depth: int, width: int, steps: int = STEPS) -> None:
        case = case_of(depth, width)
        dataset = load_dataset(case)
        network = build_network(case, dataset.problem)
        self.depth, self.width, self.steps = depth, width, steps
        x, y = map(jnp.asarray, dataset.train)
        rows = jnp.asarray(batch_indices(len(y), case.batch_size, steps, 0))
        step = make_step(network, case)

        def advance(state: Any, rows: Any) -> Any:
            return jax.lax.scan(lambda state, row: step(state, (x[row], y[row]), RATE), state, rows)

        state = start(network, case, network.init(jax.random.key(0)), RATE)
        begin = time.perf_counter()
        compiled = jax.jit(advance, donate_argnums=0).lower(state, rows).compile()
        self.compile_seconds = time.perf_counter() - begin
        self._advance, self._rows, self._state = compiled, rows, state

    def sample(self) -> float:
        """Seconds of one step."""
        begin = time.perf_counter()
        self._state, _ = jax.block_until_ready(self._advance(self._state, self._rows))
        return (time.perf_counter() - begin) / self.steps


def update_seconds(depth: int, width: int) -> list[float]:
    """Seconds of Adam's updates of so many matrices, each with a gradient from memory."""
    optimizer = optax.adam(RATE)
    weights, gradient = (jnp.full((depth, width, width), value) for value in (1.0, 1e-3))

    def advance(state: Any, gradient: Any) -> Any:
        def step(state: Any, _: None) -> tuple[Any, None]:
            weights, moments = state
            updates, moments = optimizer.update(gradient, moments, weights)
            return (optax.apply_updates(weights, updates), moments), None

        return jax.lax.scan(step, state, None, STEPS)[0]

    run, state, seconds = jax.jit(advance, donate_argnums=0), (weights, optimizer.init(weights)), []
    for _ in range(1 + ROUNDS):
        begin = time.perf_counter()
        state = jax.block_until_ready(run(state, gradient))
        seconds.append((time.perf_counter() - begin) / STEPS)
    return seconds[1:]


def profile_seconds(depth: int, width: int) -> list[float]:
    """Seconds of gradient profiles, compiled beforehand."""
    seconds = []
    for seed in range(1 + PROFILES):
        begin = time.perf_counter()
        vg.measure_gradients(case_of(depth, width, steps=0, seeds=(seed,)))
        seconds.append(time.perf_counter() - begin)
    return seconds[1:]


def measure(points: list[tuple[int, int]]) -> list[dict[str, Any]]:
    """Seconds of a step and a profile at each point; one network at a time, so that the largest has the memory."""
    rows = []
    for depth, width in points:
        row: dict[str, Any] = {"depth": depth, "width": width, "profile": profile_seconds(depth, width)}
        if depth * width**2 <= MOST_PARAMETERS:
            line = Line(depth, width)
            line.sample()
            row |= {"step": [line.sample() for _ in range(ROUNDS)], "compile_seconds": line.compile_seconds}
            del line
            row["update"] = update_seconds(depth, width)
        print(depth, width, *(f"{name} {np.median(row[name]):.3g} s" for name in MEASURED if name in row), flush=True)
        rows.append(row)
    return rows


def a_layer(row: dict[str, Any], name: str) -> Interval:
    """Microseconds a layer, median and 95 % interval."""
    return Interval(*(np.asarray(bootstrap_median(np.asarray(row[name]))) / row["depth"] * 1e6).tolist())


def deep_profile(depth: int, width: int) -> dict[str, float]:
    """Peak memory (GiB), seconds and decay of a sigmoid network's profile in a process of its own."""
    command = [sys.executable, __file__, DEEPLY, str(depth), str(width)]
    return json.loads(subprocess.run(command, text=True, check=True, stdout=subprocess.PIPE).stdout)


def profile_here(depth: int, width: int) -> dict[str, float]:
    """Profile a network and say what it took, Python and all."""
    case = vg.Case(depth=depth, width=width, activation="sigmoid", init="lecun_normal", steps=0, seeds=(0,))
    begin = time.perf_counter()
    profile = vg.measure_gradients(case)
    assert profile.status == "ok"
    seconds = time.perf_counter() - begin
    return {"depth": depth, "width": width, "peak_gib": peak_gib(), "seconds": seconds, "decay": profile.decay.value}


def peak_gib() -> float:
    """Peak resident memory of this process (Linux); `getrusage` gives at least that of the process that began it."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 2**20


def picture(rows: list[dict[str, Any]]) -> alt.HConcatChart:
    """Microseconds a layer along both lines."""
    data = pd.DataFrame(
        [
            {"depth": row["depth"], "width": row["width"], "of": words, **a_layer(row, name)._asdict()}
            for row in rows
            for name, words in MEASURED.items()
            if name in row
        ]
    )

    def line(axis: str, other: str, value: int) -> alt.LayerChart:
        chosen = alt.Chart(data[data[other] == value]).encode(
            x=alt.X(f"{axis}:Q", scale=alt.Scale(type="log", nice=False), title=f"{axis}, at {other} {value}"),
            color=alt.Color("of:N", title=None, scale=alt.Scale(range=COLORS[: len(MEASURED)])),
        )
        y = alt.Y("value:Q", scale=alt.Scale(type="log"), title="microseconds a layer")
        ends = chosen.mark_rule().encode(y=alt.Y("low:Q", title="microseconds a layer"), y2="high:Q")
        return (chosen.mark_line(point=True).encode(y=y) + ends).properties(width=300, height=220)

    title = alt.TitleParams("What a layer costs (batch 128, Adam, blocks scanned)", anchor="start")
    chart = alt.hconcat(line("depth", "width", 128), line("width", "depth", 50), title=title)
    return chart.configure_legend(orient="bottom")


def table(rows: list[dict[str, Any]]) -> str:
    """All points as Markdown."""
    lines = ["| depth | width | compile | step | a layer | update | a layer | profile | a layer |", "| --- " * 9 + "|"]
    for row in rows:
        shown = [f"{row['compile_seconds']:.1f} s" if "step" in row else "-"]
        for name in MEASURED:
            timed = name in row
            shown.append(f"{digits(float(np.median(row[name])) * 1e3)} ms" if timed else "-")
            shown.append(f"{digits(a_layer(row, name).value)} us" if timed else "-")
        lines.append(f"| {row['depth']:,} | {row['width']:,} | {' | '.join(shown)} |")
    return "\n".join(lines)


def uneven(rows: list[dict[str, Any]]) -> dict[str, float]:
    """The dearest layer over the cheapest, less one, on the depth line between 50 and 1,000.

    Of whole steps, and of what remains of them without the update.
    """
    chosen = [row for row in rows if row["width"] == 128 and EVEN[0] <= row["depth"] <= EVEN[1]]
    step, update = (np.asarray([a_layer(row, name).value for row in chosen]) for name in ("step", "update"))
    return {name: float(max(each) / min(each) - 1) for name, each in (("step", step), ("rest", step - update))}


def main(path: str, folder: str) -> None:
    """Measure, write and draw."""
    rows = measure(sorted({*DEPTH_LINE, *WIDTH_LINE}))
    deep = [deep_profile(*each) for each in DEEP_LINE]
    shown, spread = table(rows), uneven(rows)
    print(shown, f"\nuneven by {spread}", *deep, sep="\n")
    write(Path(path), {"rows": rows, "uneven": spread, "deep_profiles": deep, "table": shown})
    picture(rows).save(Path(folder) / "scale.svg")


if __name__ == "__main__":
    if sys.argv[1] == DEEPLY:
        print(json.dumps(profile_here(*map(int, sys.argv[2:]))))
    else:
        main(*sys.argv[1:])
