"""Convolutional networks, and norms in the wrong place."""

import itertools

import jax
import jax.numpy as jnp
import optax

from faults.nets import activated, dense, linear, mlp
from faults.problems import classification, classified, digits
from faults.registry import Setup, second


def filters(seed: int, channels: list[int], gain: float = 2.0):
    """The filters of a stack of layers by name, and its output layer."""
    keys = jax.random.split(jax.random.key(seed), len(channels))
    params = {}
    for i, (before, after) in enumerate(itertools.pairwise(channels)):
        w = jax.random.normal(keys[i], (3, 3, before, after)) * (gain / (9 * before)) ** 0.5
        params[f"conv{i:02d}"] = {"w": w, "b": jnp.zeros(after)}
    return params | {"out": dense(keys[-1], channels[-1], 10, 1.0)}


def convolve(layer, x):
    z = jax.lax.conv_general_dilated(x, layer["w"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return z + layer["b"]


def normalised(x, axis):
    """Zero mean and unit variance over some axes."""
    x = x - x.mean(axis, keepdims=True)
    return x * jax.lax.rsqrt((x**2).mean(axis, keepdims=True) + 1e-5)


@second(
    "collapse",
    "gradients exactly zero",
    "constant answer",
    kind="norm over an axis of one",
    family="convolutional",
    source="github.com/theFoxofSky/ddfnet/issues/14",
    title="Get feature map filled with zeros in FilterNorm",
)
def norm_of_one_pixel(broken: bool) -> Setup:
    """A norm over the pixels of a map that was pooled to one pixel: it gives zero for every image."""

    def net(params, x, offsets):
        hidden = []
        x = x.reshape(len(x), 8, 8, 1)
        for name in ("conv00", "conv01"):
            z = convolve(params[name], x)
            x = activated("relu", z if broken else normalised(z, (1, 2)), hidden, offsets)
        x = x.max((1, 2), keepdims=True)
        x = activated("linear", normalised(x, (1, 2)) if broken else x, hidden, offsets)
        return linear(params["out"], x[:, 0, 0]), tuple(hidden)

    return classification(filters(0, [1, 8, 12]), optax.adam(1e-2), net=net, batch=32, steps=200)


@second(
    "gradients exactly zero",
    "constant answer",
    "collapse",
    kind="norm over an axis of one",
    family="convolutional",
    source="github.com/d2l-ai/d2l-en/issues/1722",
    title="Batch Normalization with batch size of 1.",
)
def norm_of_a_batch_of_one(broken: bool) -> Setup:
    """Batch normalization of batches of one example: all that is left of an example is zero."""

    def net(params, x, offsets):
        hidden = []
        x = activated("relu", convolve(params["conv00"], x.reshape(len(x), 8, 8, 1)), hidden, offsets)
        x = linear(params["middle"], x.reshape(len(x), -1))
        x = activated("relu", normalised(x, 0), hidden, offsets)
        return linear(params["out"], x), tuple(hidden)

    params = filters(1, [1, 4]) | {"middle": dense(jax.random.key(2), 256, 32), "out": dense(jax.random.key(3), 32, 10)}
    return classification(params, optax.sgd(0.02), net=net, batch=1 if broken else 32, steps=400)


@second(
    "far from unit scale",
    kind="scale of the data",
    family="convolutional",
    source="github.com/keras-team/keras-io/issues/1549",
    title="Problem training EfficientNetB0 on CIFAR-10 with a minimal code (same code works with MobileNet)",
)
def rescaled_twice(broken: bool) -> Setup:
    """Pixels that are divided by 255 before a network that divides them by 255."""
    x, y, x_other, y_other = digits()
    raw, raw_other = (255 * (0.305 + 0.376 * each) for each in (x, x_other))
    factor = 255.0 if broken else 1.0

    def forward(params, x, offsets):
        hidden = []
        x = (x / 255).reshape(len(x), 8, 8, 1)
        for name in ("conv00", "conv01"):
            x = activated("relu", convolve(params[name], x), hidden, offsets)
        return linear(params["out"], x.max((1, 2))), tuple(hidden)

    def loss(params, batch, offsets):
        logits, hidden = forward(params, batch[0], offsets)
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean(), hidden

    right = jax.jit(lambda params: (forward(params, raw_other / factor, None)[0].argmax(-1) == y_other).mean())
    return classified(
        filters(2, [1, 8, 12]),
        loss,
        (raw / factor, y),
        optax.sgd(0.1, 0.9),
        right,
        classes=10,
        batch=32,
        steps=200,
    )


@second(
    "exploding",
    "first loss too large",
    kind="initialisation",
    family="feed-forward",
    source="github.com/huangleiBuaa/ONI/issues/1",
    title="Loss on Cifar10 with ResNet18 goes to NaN",
)
def sums_without_norms(broken: bool) -> Setup:
    """A residual network without batch normalization, each of whose blocks doubles the variance."""
    depth = 24

    def net(params, x, offsets):
        hidden = []
        x = linear(params["layer00"], x)
        for i in range(1, depth + 1):
            branch = linear(params[f"layer{i:02d}"], jax.nn.relu(x))
            x = activated("linear", x + branch * (1.0 if broken else 0.5 / depth**0.5), hidden, offsets)
        return linear(params[f"layer{depth + 1:02d}"], x), tuple(hidden)

    return classification(mlp(3, [64] + [32] * (depth + 1) + [10]), optax.sgd(0.01, 0.9), net=net, batch=64)


@second(
    "the running averages of batch normalization are never updated",
    kind="state that is not kept",
    family="feed-forward",
    source="github.com/tensorflow/tensorflow/issues/11965",
    title="Moving average and moving variance in Batchnorm aren't updated",
)
def averages_that_stand_still(broken: bool) -> Setup:
    """Batch normalization that trains on the batch's moments and answers by averages that are still zero and one."""
    x, y, x_other, y_other = digits()
    x, x_other = x + 6, x_other + 6

    def forward(params, x, offsets, moments=None):
        hidden, seen = [], []
        for i, name in enumerate(("layer00", "layer01")):
            z = linear(params[name], x)
            seen.append((z.mean(0), z.var(0)))
            mean, variance = seen[-1] if moments is None else moments[i]
            x = activated("tanh", (z - mean) * jax.lax.rsqrt(variance + 1e-5), hidden, offsets)
        return linear(params["layer02"], x), tuple(hidden), seen

    def loss(params, batch, offsets):
        logits, hidden, _ = forward(params, batch[0], offsets)
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean(), hidden

    @jax.jit
    def right(params):
        moments = [(0.0, 1.0)] * 2 if broken else forward(params, x, None)[2]
        return (forward(params, x_other, None, moments)[0].argmax(-1) == y_other).mean()

    return classified(
        mlp(5, [64, 48, 48, 10], 4.0),
        loss,
        (x, y),
        optax.adam(3e-3),
        right,
        classes=10,
        batch=64,
    )
