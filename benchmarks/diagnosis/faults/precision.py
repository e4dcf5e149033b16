"""Sixteen bits."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import classification, cross_entropy, own
from faults.registry import Setup, fault


@fault("underflow", family="regression", source="keras-team/keras #19244", shown=True)
def float16_without_scale(broken: bool) -> Setup:
    """A loss in float16 whose gradients underflow."""
    x = jax.random.normal(jax.random.key(0), (1024, 32)).astype(jnp.float16)
    y = (0.01 * jnp.tanh(x @ jax.random.normal(jax.random.key(1), (32, 64)).astype(jnp.float16))).astype(jnp.float16)
    params = mlp(2, [32, 64, 64, 64, 64, 64], 1.0)
    params["layer04"]["w"] = params["layer04"]["w"] * 0.01
    scale = 1.0 if broken else 2.0**15

    def half(params):
        return jax.tree.map(lambda leaf: leaf.astype(jnp.float16), params)

    def loss(params, batch, offsets):
        out, hidden = perceptron(half(params), batch[0], offsets, "tanh")
        mean = ((out - batch[1]) ** 2).mean() * jnp.float16(scale)
        return mean.astype(jnp.float32), hidden

    def error(params):
        out = perceptron(half(params), x, None, "tanh")[0]
        return ((out - y).astype(jnp.float32) ** 2).mean() / (y.astype(jnp.float32) ** 2).mean() / 0.6

    chance = scale * float((y.astype(jnp.float32) ** 2).mean())
    optimizer = optax.chain(optax.scale(1 / scale), optax.adam(1e-3))
    return own(params, loss, (np.asarray(x), np.asarray(y)), optimizer, error, chance=chance)


def _apply(params, updates):
    return jax.tree.map(lambda p, u: (p + u.astype(p.dtype)).astype(p.dtype), params, updates)


@fault("updates lost to rounding", family="feed-forward", source="pytorch/ao #1124")
def bfloat16_weights(broken: bool) -> Setup:
    """Weights kept in bfloat16, whose spacing is larger than the updates."""
    params = mlp(0, [64, 64, 64, 10], 2.0, dtype=jnp.bfloat16 if broken else jnp.float32)
    return classification(params, optax.sgd(0.003), steps=400, apply=_apply)


@fault("updates lost to rounding", family="feed-forward", source="workofart/ml-by-hand #85")
def adam_in_bfloat16(broken: bool) -> Setup:
    """Adam at a small learning rate on weights in bfloat16."""
    params = mlp(0, [64, 96, 96, 10], 2.0, dtype=jnp.bfloat16 if broken else jnp.float32)
    return classification(params, optax.adam(1e-4), steps=400, apply=_apply)


@fault("not-a-number loss", "not-a-number gradients", family="likelihood", source="NVIDIA/apex #358")
def epsilon_in_float16(broken: bool) -> Setup:
    """An epsilon of 1e-8 under a logarithm, which float16 rounds to zero."""
    params = mlp(0, [64, 64, 64, 10], dtype=jnp.float16)

    def net(params, x, offsets):
        return perceptron(params, x.astype(jnp.float16), offsets, "relu")

    def loss(z, y):
        p = jax.nn.softmax(8 * z)
        right = jnp.take_along_axis(p, y[:, None], axis=1)[:, 0]
        return -jnp.log(right + jnp.float16(1e-8 if broken else 1e-4)).astype(jnp.float32).mean()

    return classification(params, optax.sgd(0.01), net=net, loss=loss, apply=_apply)


@fault("not-a-number loss", "not-a-number gradients", family="feed-forward", source="kscalelabs/minppo #19")
def deviation_in_float16(broken: bool) -> Setup:
    """Features divided by their deviation plus 1e-8 in float16, where one of them is constant."""

    def net(params, x, offsets):
        x = x.astype(jnp.float16)
        deviation = x.std(axis=0) + jnp.float16(1e-8 if broken else 1e-3)
        x = jnp.clip((x - x.mean(axis=0)) / deviation, -5, 5)
        return perceptron(params, x.astype(jnp.float32), offsets, "relu")

    return classification(mlp(0, [64, 64, 64, 10]), optax.adam(1e-3), net=net)


@fault(
    "not-a-number loss",
    "not-a-number gradients",
    "exploding",
    family="transformer",
    source="lucidrains/imagen-pytorch #69",
)
def scores_in_float16(broken: bool) -> Setup:
    """Scores that leave float16's range before they are scaled."""
    params = mlp(0, [64, 64, 64, 10])

    def net(params, x, offsets):
        dtype = jnp.float16 if broken else jnp.float32
        query = (60 * x[:, :32]).astype(dtype)
        scores = (query @ query[:16].T).astype(jnp.float32) / 3600 / 5.66
        x = jnp.concatenate([x[:, :48], jax.nn.softmax(jnp.log(jnp.exp(scores)))], axis=1)
        return perceptron(params, x, offsets, "relu")

    return classification(params, optax.adam(1e-3), net=net, loss=cross_entropy)
