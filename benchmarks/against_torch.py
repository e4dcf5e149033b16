"""Against PyTorch: a training step with the norm of every layer's weight gradient, in three ways of writing it.

    python -m venv torch-environment
    torch-environment/bin/pip install -r benchmarks/requirements-torch.txt
    python benchmarks/against_torch.py results/speed/torch.json torch-environment/bin/python

PyTorch runs in a process of its own, which takes turns with this one: both would otherwise set up pools of threads for
the same cores. It uses as many threads, and that implementation of Adam, as were fastest in a short trial.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from limit import POINTS, RATE, case_of
from side_by_side import SAMPLE_SECONDS, Comparison, compare, sampler, write_comparisons

import vgbench as vg
from vgbench.data import batch_indices, load_dataset
from vgbench.instruments.look import gradient_norms
from vgbench.measure.draw import draw
from vgbench.measure.effort import compiler_options
from vgbench.measure.numerics import numerics
from vgbench.measure.step import TrainState, propose, start
from vgbench.models import build_network
from vgbench.models.network import Variables

KINDS = {
    "eager": "eager, a norm read back for each layer",
    "foreach": "eager, foreach norms and one read-back",
    "compiled": "torch.compile, foreach norms and one read-back",
}
BATCHES = 25
SETTLE_SECONDS = 0.005
"""Before a turn, so that threads of the other process that wait for more work have gone to sleep."""


class Torch:
    """The other process."""

    def __init__(self, python: str) -> None:
        command = [python, str(Path(__file__).with_name("torch_side.py"))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Send a line and wait for the answer."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{json.dumps(question)}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit("the PyTorch process has ended; above it says why")
        return json.loads(answer)

    def sampler(self) -> Callable[[], float]:
        """Takes a sample of what was built last."""
        steps = max(1, round(SAMPLE_SECONDS / self.ask({"steps": 3})["seconds"]))

        def sample() -> float:
            time.sleep(SETTLE_SECONDS)
            return self.ask({"steps": steps})["seconds"]

        return sample

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def with_norms(case: vg.Case, steps: int) -> Callable[[], Any]:
    """A call makes `steps` steps in one program, as vgbench trains, and reads the norms of all of them back."""
    dataset = load_dataset(case)
    network = build_network(case, dataset.problem, scanned=case.timed_form == "scan")
    x, y = map(jnp.asarray, dataset.train)
    batches = jnp.asarray(batch_indices(len(y), case.batch_size, steps, 0))

    def body(state: TrainState, batch: Any) -> Any:
        move = propose(network, case, state, (x[batch], y[batch]), RATE)
        params: Any = optax.apply_updates(state.variables.params, move.updates)
        norms = gradient_norms(("blocks",) if network.stacked else (), move.gradients)
        return TrainState(Variables(params, move.stats), move.optimizer), norms

    with numerics(case.dtype, case.matmul_precision):
        begin = jax.jit(partial(start, network, case), compiler_options=compiler_options(operations=0))
        state = begin(draw(case, network, dataset, seed=0))
        advance = jax.jit(partial(jax.lax.scan, body), donate_argnums=0).lower(state, batches).compile()

    def run() -> Any:
        nonlocal state
        state, norms = advance(state, batches)
        return jax.tree.map(np.asarray, norms)

    return run


def at(torch: Torch, depth: int, width: int) -> list[Comparison]:
    """One point, three ways."""
    case, steps = case_of(depth, width), 25 if width < 512 else 5
    dataset = load_dataset(case)
    time_ours, done = sampler(with_norms(case, steps), steps), []

    def ours() -> float:
        time.sleep(SETTLE_SECONDS)
        return time_ours()

    task = {
        "depth": depth,
        "width": width,
        "outputs": dataset.outputs,
        "rate": RATE,
        "x": dataset.train.x.tolist(),
        "y": dataset.train.y.tolist(),
        "batches": batch_indices(dataset.train.examples, case.batch_size, BATCHES, 0).tolist(),
    }
    for kind, words in KINDS.items():
        notes = torch.ask({**task, "kind": kind})
        row: dict[str, str | int] = {"PyTorch": words, "depth": depth, "width": width}
        aim = ("> 1" if kind != "eager" else ">= 3.5" if width == 64 else ">= 2") + " x"
        over, under = ("PyTorch", torch.sampler()), ("vgbench", ours)
        done.append(compare(row, over, under, aim, budget=3, rounds_at_least=10, steps_a_program=steps, **notes))
    return done


def main(path: str, python: str, *chosen: str) -> None:
    """Measure all points, or those that are named as 50x64."""
    torch = Torch(python)
    points = [tuple(map(int, each.split("x"))) for each in chosen] or POINTS
    done = [each for depth, width in points for each in at(torch, depth, width)]
    torch.close()
    write_comparisons(Path(path), done, torch=done[0].notes["torch"])


if __name__ == "__main__":
    main(*sys.argv[1:])
