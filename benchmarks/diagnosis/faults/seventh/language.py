"""Language models: sixteen bits without a copy in thirty-two."""

import jax
import jax.numpy as jnp
import optax

from faults.fourth.transformer import language
from faults.problems import cross_entropy
from faults.registry import Setup, seventh
from faults.second.attention import blocks
from faults.second.language import LENGTH, VOCABULARY


@seventh(
    "updates lost to rounding",
    "learning rate too small",
    kind="precision",
    family="language",
    source="github.com/zyushun/Adam-mini/issues/26",
    title="does not support bf16-only training",
)
def model_in_bfloat16_alone(broken: bool) -> Setup:
    """A language model whose weights and moments are bfloat16, and have no copies in float32.

    Seen: without stochastic rounding or sums that keep what is lost, the model degrades. Answer: gradients need not be
    float32; float32 elsewhere is what works.
    """
    stored = jnp.bfloat16 if broken else jnp.float32
    params = blocks(131, 1, VOCABULARY, tokens=VOCABULARY, length=LENGTH)
    params = jax.tree.map(lambda w: w.astype(stored), params)

    def precise(params):
        return jax.tree.map(lambda w: w.astype(jnp.float32), params)

    def apply(params, updates):
        return jax.tree.map(lambda w, u: (w.astype(jnp.float32) + u).astype(w.dtype), params, updates)

    setup = language(params, optax.adam(2e-4), loss=cross_entropy, precise=precise)
    return Setup(**{**vars(setup), "apply": apply, "steps": 2400, "batch": 32})
