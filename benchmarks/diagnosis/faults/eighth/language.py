"""Language models: updates that a weight in sixteen bits does not take."""

import jax
import jax.numpy as jnp
import optax

from faults.eighth.transformer import marked, tagged
from faults.registry import Setup, eighth
from faults.second.attention import blocks


@eighth(
    "updates lost to rounding",
    "learning rate too small",
    kind="precision",
    family="language",
    source="github.com/NVIDIA-NeMo/Automodel/pull/3444",
    title="fix(vlm): use FP32 master weights for Nemotron Omni",
)
def receipts_at_a_rate_of_little(broken: bool) -> Setup:
    """The marks of a receipt's words, by a model in bfloat16, at a rate that is too little for such a weight to move.

    Seen: at this rate many steps of the optimizer round back to the same value. Answer: weights in float32 beside it,
    which take the updates; merged.
    """
    stored = jnp.bfloat16 if broken else jnp.float32
    text, marks = marked(381, 12, 4)
    params = jax.tree.map(lambda w: w.astype(stored), blocks(381, 1, 4, tokens=12, length=8))

    def apply(params, updates):
        return jax.tree.map(lambda w, u: (w.astype(jnp.float32) + u).astype(w.dtype), params, updates)

    setup = tagged(params, text, marks, optax.adam(2e-4), steps=2000)
    precise = setup.loss

    def loss(params, batch, offsets):
        return precise(jax.tree.map(lambda w: w.astype(jnp.float32), params), batch, offsets)

    return Setup(**{**vars(setup), "apply": apply, "loss": loss})
