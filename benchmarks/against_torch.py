"""Against PyTorch: a training step with the norm of every layer's weight gradient, in three ways of writing it.

A fourth row has the matrix products of the same step and nothing else, to tell what of a difference they are.

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
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from limit import BATCH, POINTS, RATE, case_of, steps_a_program, with_norms
from side_by_side import SAMPLE_SECONDS, Comparison, compare, sampler, write_comparisons

from vgbench.data import batch_indices, load_dataset
from vgbench.measure.pairs import Sampler

KINDS = {
    "eager": "eager, a norm read back for each layer",
    "foreach": "eager, foreach norms and one read-back",
    "compiled": "torch.compile, foreach norms and one read-back",
}
PRODUCTS = "products"
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


def products(depth: int, width: int, steps: int) -> Callable[[], Any]:
    """A call computes, so many times, the products of a step: of all layers there, back, and for the weights."""
    rng = np.random.default_rng(0)
    shape = (BATCH, width)
    # Orthogonal, so that numbers stay as large as they are.
    weights = [jnp.asarray(np.linalg.qr(rng.standard_normal((width, width)))[0], jnp.float32) for _ in range(depth)]
    h, g = (jnp.asarray(rng.standard_normal(shape), jnp.float32) for _ in range(2))

    def step(_: Any, carry: Any) -> Any:
        h, g, _ = carry
        inputs, gradients = [], []
        for w in weights:
            inputs.append(h)
            h = h @ w
        for w, given in zip(reversed(weights), reversed(inputs), strict=True):
            gradients.append(given.T @ g)
            g = g @ w.T
        return h, g, gradients

    run = jax.jit(
        lambda h, g, gradients: jax.lax.fori_loop(0, steps, step, (h, g, gradients)), donate_argnums=(0, 1, 2)
    )
    carry = h, g, [jnp.zeros((width, width)) for _ in weights]

    def products() -> None:
        nonlocal carry
        carry = jax.block_until_ready(run(*carry))

    return products


def at(torch: Torch, depth: int, width: int) -> list[Comparison]:
    """One point, three ways, and the products alone."""
    case, steps = case_of(depth, width), steps_a_program(width)
    dataset = load_dataset(case)
    task = {
        "depth": depth,
        "width": width,
        "outputs": dataset.outputs,
        "rate": RATE,
        "x": dataset.train.x.tolist(),
        "y": dataset.train.y.tolist(),
        "batches": batch_indices(dataset.train.examples, case.batch_size, BATCHES, 0).tolist(),
    }

    def against(kind: str, words: str, ours: Sampler, aim: str) -> Comparison:
        notes = torch.ask({**task, "kind": kind})

        def settled() -> float:
            time.sleep(SETTLE_SECONDS)
            return ours()

        row: dict[str, str | int] = {"PyTorch": words, "depth": depth, "width": width}
        over, under = ("PyTorch", torch.sampler()), ("vgbench", settled)
        return compare(row, over, under, aim, budget=3, rounds_at_least=10, steps_a_program=steps, **notes)

    ours, done = sampler(with_norms(case, steps), steps), []
    for kind, words in KINDS.items():
        least = {64: 3.5}.get(width, 2) if kind == "eager" else {64: 1, 128: 1.5}.get(width, 1.15)
        done.append(against(kind, words, ours, f">= {least} x"))
    bare = sampler(products(depth, width, steps), steps)
    return [*done, against(PRODUCTS, "the matrix products alone", bare, "none")]


def main(path: str, python: str, *chosen: str) -> None:
    """Measure all points, or those that are named as 50x64."""
    torch = Torch(python)
    points = [tuple(map(int, each.split("x"))) for each in chosen] or POINTS
    done = [each for depth, width in points for each in at(torch, depth, width)]
    torch.close()
    write_comparisons(Path(path), done, torch=done[0].notes["torch"])


if __name__ == "__main__":
    main(*sys.argv[1:])
