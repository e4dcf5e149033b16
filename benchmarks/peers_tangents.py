"""Against Neural Tangents: predicted factors of the squared gradient of 20 wide networks, layer by layer.

    python -m venv tangents-environment
    tangents-environment/bin/pip install -r benchmarks/requirements-tangents.txt
    python benchmarks/peers_tangents.py results/peers/tangents.json tangents-environment/bin/python

Both predict networks of infinite width. vgbench follows the second moment of the signal and E[phi'^2] by its own
quadrature; Neural Tangents has formulas for some activations, and for the others its own quadrature.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
from peers import Agreement, content, table
from side_by_side import write

import vgbench as vg
from vgbench.spec.registry import ACTIVATIONS
from vgbench.theory import predict

DEPTH, WIDTH = 50, 512
_ROOT2 = 2**0.5
CASES: list[dict[str, Any]] = [
    {"activation": activation, "gain": gain, "bias_std": bias, "residual": residual}
    for activation, gain, bias, residual in (
        ("linear", 1.0, 0.0, False),
        ("relu", 1.0, 0.0, False),
        ("relu", _ROOT2, 0.0, False),
        ("relu", _ROOT2, 0.1, False),
        ("leaky_relu", 1.387, 0.0, False),
        ("erf", 1.0, 0.0, False),
        ("erf", 1.5, 0.1, False),
        ("gelu", 1.0, 0.0, False),
        ("gelu", 1.5, 0.3, False),
        ("tanh", 1.0, 0.0, False),
        ("tanh", 0.5**0.5, 0.05**0.5, False),
        ("tanh", 1.76095**0.5, 0.05**0.5, False),
        ("tanh", 2.0, 0.05**0.5, False),
        ("sigmoid", 1.0, 0.0, False),
        ("silu", _ROOT2, 0.1, False),
        ("selu", 1.0, 0.0, False),
        ("relu", 1.0, 0.0, True),
        ("erf", 1.0, 0.0, True),
        ("gelu", 1.0, 0.1, True),
        ("tanh", 1.0, 0.0, True),
    )
]
"""Weights have the variance gain^2 / fan-in and biases the standard deviation `bias_std`."""
_SLOPE = 0.2


def case_of(fields: dict[str, Any]) -> vg.Case:
    """The case: plain as phi(W h), or with the residual branches h + W phi(h)."""
    activation: dict[str, Any] = {"name": fields["activation"]}
    activation |= {"negative_slope": _SLOPE} if activation["name"] == "leaky_relu" else {}
    order = "pre_activation" if fields["residual"] else "before_addition"
    slots: dict[str, Any] = {
        "model": {"name": "mlp", "bias_std": fields["bias_std"], "order": order},
        "activation": activation,
        "init": {"name": "lecun_normal", "gain": fields["gain"]},
        "skip": "residual" if fields["residual"] else "none",
        "data": {"name": "gaussian", "features": WIDTH},
    }
    return vg.Case(depth=DEPTH, width=WIDTH, steps=0, learning_rates=(), tuning_seeds=(), **slots)


def ours(case: vg.Case) -> list[float]:
    """log10 of the factors that vgbench predicts."""
    found = predict(case)
    assert found
    return (2 * (found.log10_norm[:-1] - found.log10_norm[1:])).tolist()


def third(fields: dict[str, Any], case: vg.Case) -> list[float]:
    """log10 of the same factors by plain iteration, with E over z = sinh(u) by panels on both sides of zero."""
    nodes, weights = np.polynomial.legendre.leggauss(20)
    with jax.enable_x64(True):
        activation: Any = ACTIVATIONS.build

        def phi(z: jax.Array) -> jax.Array:
            return activation(case.activation, z)

        values, slopes = jax.jit(jax.vmap(phi)), jax.jit(jax.vmap(jax.grad(phi)))

        def mean_squares(q: float) -> tuple[float, float]:
            ends = np.linspace(0, np.arcsinh(12 * q**0.5), 101)
            half, middle = np.diff(ends)[:, None] / 2, (ends[1:] + ends[:-1])[:, None] / 2
            u, w = (middle + half * nodes).ravel(), (half * weights).ravel()
            z, w = np.sinh(np.concatenate([-u, u])), np.tile(w * np.cosh(u), 2)
            w = w * np.exp(-(z**2) / (2 * q)) / (2 * np.pi * q) ** 0.5
            return float(np.sum(w * np.square(values(z)))), float(np.sum(w * np.square(slopes(z))))

        variance, biases, found = fields["gain"] ** 2, fields["bias_std"] ** 2, []
        q = variance + biases
        for _ in range(DEPTH - 1):
            square, slope = mean_squares(q)
            if fields["residual"]:
                q, factor = q + variance * square + biases, 1 + variance * slope
            else:
                q = variance * square + biases
                factor = variance * mean_squares(q)[1]
            found.append(float(np.log10(factor)))
    return found


def main(path: str, python: str) -> None:
    """Compare all cases."""
    asked = [{**fields, "depth": DEPTH, "width": WIDTH, "negative_slope": _SLOPE} for fields in CASES]
    side = Path(__file__).with_name("peers_tangents_side.py")
    command = [python, str(side)]
    said = subprocess.run(command, check=True, input=json.dumps(asked), capture_output=True, text=True).stdout
    answer, done = json.loads(said), []
    for fields, theirs in zip(CASES, answer["factors"], strict=True):
        rounded = {name: float(np.round(fields[name], 4)) for name in ("gain", "bias_std")}
        row = {"activation": fields["activation"], "skip": "residual" if fields["residual"] else "none"}
        row |= {name: f"{value:g}" for name, value in rounded.items()}
        case = case_of(fields)
        done.append(Agreement(row, ours(case), theirs, third=third(fields, case)))
    write(Path(path), content(done), **{f"{name} (theirs)": each for name, each in answer["versions"].items()})
    print(table(done))


if __name__ == "__main__":
    main(*sys.argv[1:])
