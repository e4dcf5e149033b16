"""QK-clip: after a step, the weights of queries and keys of every head whose scores grew beyond a threshold shrink.

Each of both is multiplied by the root of threshold / largest score, for the largest score of the head in the step's
forward pass, so that on the same batch it would be the threshold. Source: Kimi Team 2025, Kimi K2 (MuonClip).
"""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from vgbench.models.network import Tree
from vgbench.spec.case import Case


def clipped(case: Case, params: dict[str, Any], stats: dict[str, Any]) -> dict[str, Any]:
    """The parameters after a step, clipped where the case's model says so.

    Args:
        case: what is trained.
        params: after the optimizer's update.
        stats: after the step's forward pass, with the largest score of every head.
    """
    threshold = case.model.options().get("qk_clip")
    if threshold is None:
        return params

    def block(params: Tree, stats: Tree) -> Tree:
        largest = stats["attention"]["branch"]["largest"]
        return _shrunk(params, jnp.where(largest > threshold, threshold / largest, 1) ** 0.5)

    blocks, held = params["blocks"], stats["blocks"]
    together = tuple(map(block, blocks, held)) if isinstance(blocks, tuple) else block(blocks, held)
    return params | {"blocks": together}


def _shrunk(block: Tree, gain: Float[Array, "*layers heads"]) -> Tree:
    attention = block["attention"]
    branch = dict(attention["branch"])
    for name in ("query", "key"):
        width = branch[name]["bias"].shape[-1]
        by_unit = jnp.repeat(gain, width // gain.shape[-1], axis=-1)
        branch[name] = {
            "kernel": branch[name]["kernel"] * by_unit[..., None, :],
            "bias": branch[name]["bias"] * by_unit,
        }
    return block | {"attention": attention | {"branch": branch}}
