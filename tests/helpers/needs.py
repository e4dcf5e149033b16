"""What a member of a slot needs beside itself to make a case."""

from collections.abc import Iterable
from typing import Any

from vgbench.spec.case import Case
from vgbench.spec.registry import CELLS, REGISTRIES

SLOTS = (
    *("activation", "init", "norm", "skip", "gradient_transform"),
    *("optimizer", "schedule", "loss_scaling", "parametrization"),
)
"""The slots whose members fit a feed-forward network."""

NEEDS: dict[tuple[str, str], dict[str, Any]] = {
    ("norm", "group"): {"width": 48},  # of one unit, the norm of a group leaves nothing, of two a sign
    ("skip", "deep_norm"): {"model": {"name": "mlp", "order": "post_norm"}, "norm": "layer"},
    ("skip", "fixup"): {"model": {"name": "mlp", "order": "pre_activation", "layers_per_block": 2}},
    ("parametrization", "depth_mup"): {"skip": "residual"},
    ("parametrization", "completep"): {"skip": "residual"},
    ("model", "recurrent"): {"cell": "rnn"},
    ("model", "causal_lm"): {"data": {"name": "text", "length": 8}},
    ("data", "text"): {"model": "causal_lm"},
    ("data", "adding"): {"model": "recurrent"},
    ("data", "copy_memory"): {"model": "recurrent", "depth": 21},
    ("data", "temporal_order"): {"model": "recurrent", "depth": 10},
    **{("cell", cell.name): {"model": "recurrent"} for cell in CELLS if cell.name != "none"},
}


OF_FAMILY: dict[str, dict[str, Any]] = {"causal_lm": {"data": {"name": "text", "length": 8}}}
"""What keeps the cases of a family small."""


def fitting(families: Iterable[str], slots: Iterable[str], common: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The fields of a case for every member that fits a family, with what it needs there, by family, slot and name."""
    found = {}
    for family in families:
        for slot in slots:
            for member in REGISTRIES[slot]:
                needs = NEEDS.get((slot, member.name), {})
                options = needs.get("model", {})
                model = {**(options if isinstance(options, dict) else {}), "name": family}
                fields = {**OF_FAMILY.get(family, {}), **needs, "model": model, slot: member.name}
                try:
                    Case(**common | fields)
                except ValueError:
                    continue
                found[f"{family}-{slot}-{member.name}"] = fields
    return found
