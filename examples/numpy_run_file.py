"""Write a run file from plain NumPy, as one may in PyTorch: a line of JSON for each record.

python examples/numpy_run_file.py run.jsonl
vgbench diagnose run.jsonl

With PyTorch, `gradient` is `parameter.grad.cpu().numpy()`. `record` needs no more of vgbench than the file's schema,
docs/_static/run-file.schema.json.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np


def decades(array: np.ndarray) -> float | str:
    """log10 of the norm; JSON has no infinity, so zero is "-inf"."""
    norm = float(np.linalg.norm(array.astype(np.float64)))
    if not np.isfinite(norm):
        return "nan" if np.isnan(norm) else "inf"
    return float(np.log10(norm)) if norm else "-inf"


def record(step: int, loss: float, weights: dict, gradients: dict, updates: dict, signals: dict) -> dict[str, Any]:
    """One line: arrays of weights by name, and dL/dh of modules by name, both from input to output."""
    layers = {
        name: {
            "weight": decades(weights[name]),
            "gradient": decades(gradients[name]),
            "update": decades(updates[name]),
            "zero": float(np.mean(gradients[name] == 0)),
            "dtype": str(weights[name].dtype),
        }
        for name in weights
    }
    modules = {name: {"signal": decades(signal)} for name, signal in signals.items()}
    finite = {"loss": loss} if np.isfinite(loss) else {"nonfinite_losses": 1}
    return {"step": step, **finite, "layers": layers, "modules": modules}


def main(path: str, depth: int = 8, width: int = 16, steps: int = 101, rate: float = 0.1) -> None:
    """Train a sigmoid network by hand on a sum of its inputs, a record every 20 steps."""
    random = np.random.default_rng(0)
    weights = {f"layer{i}": (random.normal(size=(width, width)) / 4).astype(np.float32) for i in range(depth)}
    x = random.normal(size=(64, width)).astype(np.float32)
    target = x.sum(axis=1, keepdims=True) / width
    chance = float(target.var())  # the loss of the best constant answer
    lines: list[dict[str, Any]] = [{"format": "vgbench-run", "version": 1, "framework": "numpy", "chance_loss": chance}]
    for step in range(steps):
        states = [x]
        for each in weights.values():
            states.append(1 / (1 + np.exp(-states[-1] @ each)))
        error = states[-1].mean(axis=1, keepdims=True) - target
        signal = np.repeat(2 * error / len(x) / width, width, axis=1)
        gradients, signals = {}, {}
        for i, name in reversed([*enumerate(weights)]):
            signals[name] = signal
            behind = signal * states[i + 1] * (1 - states[i + 1])
            gradients[name], signal = states[i].T @ behind, behind @ weights[name].T
        updates = {name: -rate * gradients[name] for name in weights}
        if step % 20 == 0:
            inputs_first = {name: signals[name] for name in weights}
            lines.append(record(step, float((error**2).mean()), weights, gradients, updates, inputs_first))
        weights = {name: weights[name] + updates[name] for name in weights}
    Path(path).write_text("".join(json.dumps(line, allow_nan=False) + "\n" for line in lines))


if __name__ == "__main__":
    main(sys.argv[1])
