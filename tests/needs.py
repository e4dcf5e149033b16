"""What a member of a slot needs beside itself to make a case."""

from typing import Any

NEEDS: dict[tuple[str, str], dict[str, Any]] = {
    ("skip", "deep_norm"): {"model": {"name": "mlp", "order": "post_norm"}, "norm": "layer"},
    ("skip", "fixup"): {"model": {"name": "mlp", "order": "pre_activation", "layers_per_block": 2}},
}
