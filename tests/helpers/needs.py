"""What a member of a slot needs beside itself to make a case."""

from typing import Any

from vgbench.spec.registry import CELLS

NEEDS: dict[tuple[str, str], dict[str, Any]] = {
    ("norm", "group"): {"width": 48},  # of one unit, the norm of a group leaves nothing, of two a sign
    ("skip", "deep_norm"): {"model": {"name": "mlp", "order": "post_norm"}, "norm": "layer"},
    ("skip", "fixup"): {"model": {"name": "mlp", "order": "pre_activation", "layers_per_block": 2}},
    ("model", "recurrent"): {"cell": "rnn"},
    ("data", "adding"): {"model": "recurrent"},
    ("data", "copy_memory"): {"model": "recurrent", "depth": 21},
    **{("cell", cell.name): {"model": "recurrent"} for cell in CELLS if cell.name != "none"},
}
