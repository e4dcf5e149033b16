"""The MLP written out by hand in plain JAX, without modules, scan or probe: what the package is checked against."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from vgbench.data import batch_indices, load_dataset
from vgbench.measure.draw import draw
from vgbench.measure.numerics import numerics
from vgbench.models import build_network
from vgbench.spec.case import Case

ACTIVATIONS = {
    "linear": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + jnp.exp(-z)),
    "tanh": jnp.tanh,
    "relu": lambda z: z * (z > 0),
    "leaky_relu": lambda z: jnp.where(z > 0, z, 0.2 * z),
}

FLUSHED_EARLIER = 3
"""Layers by which plain backpropagation in the sigmoid networks of width 32 reads zero before the profile says so.

The profile says where the numbers of dL/dh are too small for the dtype. On the way to them stand products with h, with
derivatives of at most 1/4 and with weights of about 1/6, which are smaller by up to 1.7 decades, and each may be
flushed before they are added up: that depends on how a processor multiplies and adds. A layer takes 0.64 decades.
"""


def _normalise(z: jax.Array, norm: dict) -> jax.Array:
    centred = z - z.mean(axis=0)
    return centred / jnp.sqrt((centred**2).mean(axis=0) + 1e-5) * norm["scale"] + norm["bias"]


def forward(case: Case, params: dict, x: jax.Array, offsets: list[jax.Array]) -> jax.Array:
    """Logits of the MLP with `offsets[l]` added to h_l, so that their gradients are dL/dh_l."""

    def dense(layer: dict, h: jax.Array) -> jax.Array:
        z = h @ layer["linear"]["kernel"] + layer["linear"]["bias"]
        if case.norm.name == "batch":
            z = _normalise(z, layer["norm"])
        return ACTIVATIONS[case.activation.name](z)

    h = dense(params["input_layer"], x) + offsets[0]
    for block, offset in zip(params["blocks"], offsets[1:], strict=True):
        branch = dense(block["branch"][0], h)
        h = (h + branch if case.skip.name == "residual" else branch) + offset
    return h @ params["output_layer"]["linear"]["kernel"] + params["output_layer"]["linear"]["bias"]


def loss(case: Case, params: dict, x: jax.Array, y: jax.Array, offsets: list[jax.Array]) -> jax.Array:
    """Mean cross-entropy."""
    logits = forward(case, params, x, offsets)
    return -jnp.mean(jax.nn.log_softmax(logits)[jnp.arange(len(y)), y])


def log10_activation_norms(case: Case) -> np.ndarray:
    """log10 ||dL/dh_l|| of each seed by plain backpropagation in the case's dtype, [seeds, depth]."""
    dataset, rows = load_dataset(case), []
    with numerics(case.dtype, "highest"):
        network = build_network(case, dataset.problem, scanned=False)
        slopes = jax.jit(jax.grad(partial(loss, case), argnums=3))
        for seed in case.seeds:
            params = jax.tree.map(jnp.asarray, plain(draw(case, network, dataset, seed).params))
            train = dataset.of_seed(seed).train
            batch = batch_indices(train.examples, case.batch_size, 1, seed)[0]
            x, y = train.x[batch].astype(case.dtype), train.y[batch]
            offsets = [jnp.zeros((case.batch_size, case.width), case.dtype)] * case.depth
            gradients = slopes(params, x, y, offsets)
            rows.append([np.linalg.norm(np.asarray(g, np.float64)) for g in gradients])
    with np.errstate(divide="ignore"):
        return np.log10(np.asarray(rows))


def plain(tree: object) -> object:
    """A tree of NNX states as plain dicts and tuples of arrays."""
    if isinstance(tree, tuple):
        return tuple(plain(item) for item in tree)
    if hasattr(tree, "items"):
        return {name: plain(item) for name, item in tree.items()}
    return jnp.asarray(tree[...] if hasattr(tree, "get_metadata") else tree)
