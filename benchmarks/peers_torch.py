"""Against PyTorch's hooks: gradient norms by layer of the same weights and the same batch, for every model family.

    python -m venv torch-environment
    torch-environment/bin/pip install -r benchmarks/requirements-torch.txt
    python benchmarks/peers_torch.py results/peers/torch.json torch-environment/bin/python

`peers_torch_side.py` has the same networks in PyTorch; it runs in that environment and reads the weights that vgbench
drew from files.
"""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jax
import numpy as np
from peers import Agreement, content, table
from side_by_side import write

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.measure.draw import drawn, first_batch, initial_network
from vgbench.measure.gradients import measure_gradients
from vgbench.measure.numerics import numerics

_UNTRAINED: dict[str, Any] = {
    **{"steps": 0, "learning_rates": (), "tuning_seeds": (), "seeds": (0,)},
    **{"batch_size": 16, "block_execution": "unroll"},
}
CASES: dict[str, dict[str, Any]] = {
    "sigmoid, plain": {"model": "mlp", "activation": "sigmoid", "init": "lecun_normal", "depth": 32, "width": 64},
    "sigmoid, plain, deep": {"model": "mlp", "activation": "sigmoid", "init": "lecun_normal", "depth": 80, "width": 32},
    "ReLU, He": {"model": "mlp", "activation": "relu", "depth": 32, "width": 64},
    "tanh, batch norm, residual": {
        **{"model": "mlp", "activation": "tanh", "norm": "batch", "skip": "residual"},
        **{"depth": 16, "width": 64},
    },
    "GELU, layer norm": {"model": "mlp", "activation": "gelu", "norm": "layer", "depth": 16, "width": 64},
    "ReLU, plain": {"model": "convnet", "activation": "relu", "depth": 16, "width": 8},
    "SiLU, residual": {"model": "convnet", "activation": "silu", "skip": "residual", "depth": 8, "width": 8},
    "pre-norm": {"model": "transformer", "depth": 8, "width": 32},
    "post-norm": {"model": {"name": "transformer", "order": "post_norm"}, "depth": 8, "width": 32},
    "pre-norm, RMS": {"model": "causal_lm", "depth": 6, "width": 32, "batch_size": 4},
    "post-norm, layer norm": {
        **{"model": {"name": "causal_lm", "order": "post_norm"}, "norm": "layer"},
        **{"depth": 6, "width": 32, "batch_size": 4},
    },
    "tanh": {"model": "recurrent", "cell": "rnn", "depth": 64, "width": 32},
    "LSTM": {"model": "recurrent", "cell": "lstm", "depth": 64, "width": 32},
    "GRU": {"model": "recurrent", "cell": "gru", "depth": 64, "width": 32},
}
"""What differs from the baseline, by its words in the table."""


def exported(case: vg.Case) -> dict[str, np.ndarray]:
    """The weights of the case's seed by their path, and its first batch, as the profile at initialisation has them."""
    dataset = load_dataset(case)
    with numerics(case.dtype, "highest"):
        network = initial_network(case, dataset.problem)
        params = drawn(case, network, dataset, case.seeds[0]).params
        x, y = first_batch(case, dataset, case.seeds[0])
    leaves = jax.tree_util.tree_leaves_with_path(params)
    arrays = {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}
    return {name: np.asarray(each) for name, each in {**arrays, "x": x, "y": y}.items()}


def described(case: vg.Case) -> dict[str, Any]:
    """What the other side needs to know of a case."""
    model: Any = case.model
    slots = {slot: getattr(case, slot).name for slot in ("activation", "norm", "skip", "cell")}
    options = {name: getattr(model, name, None) for name in ("order", "heads")}
    return {"model": model.name, "depth": case.depth, "width": case.width, **slots, **options}


def main(path: str, python: str) -> None:
    """Compare all cases."""
    cases = {words: vg.Case(**{**_UNTRAINED, **fields}) for words, fields in CASES.items()}
    side, done, version = Path(__file__).with_name("peers_torch_side.py"), [], ""
    with TemporaryDirectory() as folder:
        for number, case in enumerate(cases.values()):
            np.savez(Path(folder) / f"{number:02}.npz", **exported(case))  # pyright: ignore[reportArgumentType]
            (Path(folder) / f"{number:02}.json").write_text(json.dumps(described(case)))
        subprocess.run([python, str(side), folder], check=True)
        for number, (words, case) in enumerate(cases.items()):
            answer, profile = (
                json.loads((Path(folder) / f"{number:02}.answer.json").read_text()),
                measure_gradients(case),
            )
            version = answer["version"]
            for norms, ours in (("activation", "dL/dh"), ("parameter", "dL/dW")):
                row = {"model": case.model.name, "case": words, "depth": case.depth, "norms": ours}
                mine = getattr(profile, f"log10_{norms}_norm")[0].tolist()
                done.append(Agreement(row, mine, answer[norms]))
    write(Path(path), content(done), torch=version)
    print(table(done))


if __name__ == "__main__":
    main(*sys.argv[1:])
