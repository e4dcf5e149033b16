"""Sixteen bits, once more."""

import jax
import jax.numpy as jnp
import optax

from faults.nets import activated, linear, mlp, perceptron
from faults.problems import classification, cross_entropy
from faults.registry import Setup, second


def _half(params):
    return jax.tree.map(lambda leaf: leaf.astype(jnp.float16), params)


@second(
    "not-a-number gradients",
    kind="loss scale",
    family="feed-forward",
    source="github.com/deepspeedai/DeepSpeed/issues/697",
    title="Model doesn't learn with fp16.enabled = true: [Rank 0] Overflow detected. Skipping step. "
    "Attempted loss scale: 1, reducing to 1",
)
def scale_that_overflows(broken: bool) -> Setup:
    """A loss in float16 that is scaled until every gradient overflows, and every step is skipped."""
    scale = 2.0 ** (26 if broken else 10)

    def net(params, x, offsets):
        logits, hidden = perceptron(_half(params), x.astype(jnp.float16), offsets)
        return logits.astype(jnp.float32), hidden

    def loss(logits, labels):
        return cross_entropy(logits, labels) * scale

    inner = optax.chain(optax.scale(1 / scale), optax.adam(3e-3))
    optimizer = optax.apply_if_finite(inner, max_consecutive_errors=10**6)
    return classification(mlp(0, [64, 64, 64, 10]), optimizer, net=net, loss=loss, chance=2.302585 * scale)


@second(
    "collapse",
    "gradients exactly zero",
    "constant answer",
    kind="precision",
    family="feed-forward",
    source="github.com/pytorch/pytorch/pull/134106",
    title="fix for fp16",
)
def squares_beyond_float16(broken: bool) -> Setup:
    """A norm whose squares leave float16's range: it divides by infinity and gives zero for every example."""

    def net(params, x, offsets):
        hidden = []
        for name in ("layer00", "layer01"):
            z = 600 * linear(_half(params[name]), x.astype(jnp.float16))
            squares = (z if broken else z.astype(jnp.float32)) ** 2
            z = z / jnp.sqrt(squares.mean(-1, keepdims=True) + 1e-3).astype(jnp.float16)
            x = activated("relu", z.astype(jnp.float32), hidden, offsets)
        return linear(params["layer02"], x), tuple(hidden)

    return classification(mlp(1, [64, 64, 64, 10]), optax.adam(3e-3), net=net)
