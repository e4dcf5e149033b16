"""Convolutional networks: steps that are not taken, weights that are too small, units born dead, blank pictures."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fourth.convolutional import seen
from faults.nets import activated, dense, linear, mlp
from faults.problems import classification, digits, own
from faults.registry import Setup, fifth
from faults.second.convolutional import convolve, filters


def flat(params, x, offsets, kind: str = "relu"):
    """Answers from all maps of pictures of 64 pixels."""
    maps, hidden = seen(params, x.reshape(len(x), 8, 8, 1), offsets, kind)
    return linear(params["out"], maps.reshape(len(x), -1)), hidden


@fifth(
    "updates not applied",
    kind="updates that reach nothing",
    family="convolutional",
    source="github.com/microsoft/nni/pull/3339",
    title="Fix PyTorchImageClassificationTrainer's training",
)
def gradients_that_nobody_uses(broken: bool) -> Setup:
    """A trainer that computes the loss and the gradient, and never calls the optimizer.

    Seen: an accuracy that remains unchanged. Answer: use the optimizer; the model was not trained at all.
    """
    params = filters(0, [1, 12]) | {"out": dense(jax.random.key(1), 8 * 8 * 12, 10, 1.0)}

    def apply(params, updates):
        return params if broken else optax.apply_updates(params, updates)

    return classification(params, optax.adam(1e-3), net=flat, batch=64, steps=300, apply=apply)


@fifth(
    "vanishing",
    "collapse",
    kind="initialisation",
    family="convolutional",
    source="github.com/apache/mxnet/pull/1462",
    title="made xavier parameter right in train_model.py",
)
def uniform_weights_for_a_deep_net(broken: bool) -> Setup:
    """Eight layers of filters between -0.07 and 0.07, whatever the number of their inputs.

    Seen: AlexNet and GoogLeNet do not converge with the default. Answer: weights of the variance 2 over the inputs.
    """
    params = filters(1, [1, *(10,) * 8])
    if broken:
        keys = jax.random.split(jax.random.key(2), 8)
        for key, name in zip(keys, sorted(name for name in params if name != "out"), strict=True):
            params[name]["w"] = jax.random.uniform(key, params[name]["w"].shape, minval=-0.07, maxval=0.07)
    params["out"] = dense(jax.random.key(3), 8 * 8 * 10, 10, 1.0)
    return classification(params, optax.sgd(0.02, 0.9), net=flat, batch=32, steps=400)


@fifth(
    "dead units",
    "gradients exactly zero",
    kind="dead units",
    family="autoencoder",
    source="github.com/Yang7879/3D-RecGAN/issues/6",
    title="Editing certain if statements results in zero matrices",
)
def shapes_behind_a_dead_bottleneck(broken: bool) -> Setup:
    """Whole pictures from their upper halves, through a layer of rectifiers whose biases begin far below zero.

    Seen: predicted matrices of zeros. Answer: rectifiers that were dead, which depended on the initialisation.
    """
    x = digits()[0]
    x = (x - x.mean(0)).astype(np.float32)
    halves = x.reshape(-1, 8, 8, 1)[:, :4]
    params = filters(4, [1, 8]) | {"middle": dense(jax.random.key(5), 4 * 8 * 8, 48, bias=-40.0 if broken else 0.0)}
    params["out"] = dense(jax.random.key(6), 48, 64, 1.0)

    def whole(params, halves, offsets):
        hidden = []
        maps = activated("relu", convolve(params["conv00"], halves), hidden, offsets)
        h = activated("relu", linear(params["middle"], maps.reshape(len(maps), -1)), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = whole(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((whole(params, halves[:400], None)[0] - x[:400]) ** 2).mean() / x.var(0).mean()

    chance = float(x.var(0).mean())
    return own(params, loss, (halves, x), optax.adam(2e-3), error, chance=chance, steps=400, batch=64)


@fifth(
    "not-a-number gradients",
    "not-a-number loss",
    kind="slope at zero",
    family="convolutional",
    source="github.com/FluxML/Flux.jl/issues/2096",
    title="gradient of `Flux.normalise` return NaN when `std` is zero",
)
def deviation_of_a_blank_picture(broken: bool) -> Setup:
    """Maps that are divided by their deviation and an epsilon; that of a blank picture is zero, and has no slope there.

    Seen: the epsilon saves the value, and the gradient is NaN. Answer: take the root of the variance and the epsilon.
    """
    x = np.array(digits()[0])
    x[::60] = 0.0
    params = filters(7, [1, 8]) | mlp(8, [8 * 8 * 8, 32, 10])
    params["out"] = params.pop("layer01")

    def net(params, x, offsets):
        hidden = []
        z = convolve(params["conv00"], x.reshape(len(x), 8, 8, 1))
        apart = z - z.mean((1, 2, 3), keepdims=True)
        square = (apart**2).mean((1, 2, 3), keepdims=True)
        scaled = apart / (jnp.sqrt(square) + 1e-5 if broken else jnp.sqrt(square + 1e-5))
        h = activated("relu", scaled, hidden, offsets).reshape(len(x), -1)
        h = activated("relu", linear(params["layer00"], h), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    setup = classification(params, optax.adam(2e-3), net=net, batch=32, steps=300)
    return Setup(**{**vars(setup), "data": (x, setup.data[1])})
