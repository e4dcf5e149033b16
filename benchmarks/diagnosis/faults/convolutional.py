"""Convolutional networks on the digits' eight by eight pixels."""

import jax
import jax.numpy as jnp
import optax

from faults.nets import activated, dense, linear
from faults.problems import classification
from faults.registry import Setup, fault


def _params(depth: int, channels: int, gain: float, seed: int = 0):
    keys = jax.random.split(jax.random.key(seed), depth + 1)
    shapes = [(3, 3, 1 if i == 0 else channels, channels) for i in range(depth)]

    def draw(key, shape):
        return jax.random.normal(key, shape) * (gain / (9 * shape[2])) ** 0.5

    layers = {f"conv{i:02d}": {"w": draw(keys[i], shape), "b": jnp.zeros(channels)} for i, shape in enumerate(shapes)}
    return layers | {"out": dense(keys[-1], channels, 10, 1.0)}


def _net(kind: str, skip: bool = False, scale: float = 1.0, shift: float = 0.0):
    def net(params, x, offsets):
        hidden = []
        x = (scale * x + shift).reshape(len(x), 8, 8, 1)
        for name in sorted(params)[:-1]:
            layer = params[name]
            z = jax.lax.conv_general_dilated(x, layer["w"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
            h = activated(kind, z + layer["b"], hidden, offsets)
            x = x + h if skip and x.shape == h.shape else h
        return linear(params["out"], x.mean(axis=(1, 2)) if scale != 1.0 else x.max(axis=(1, 2))), tuple(hidden)

    return net


@fault("vanishing", "collapse", family="convolutional", source="vcg-uvic/learned-correspondence-release #42")
def plain_trunk(broken: bool) -> Setup:
    """A deep trunk that does not train without residual connections."""
    params = _params(12, 12, 0.35)
    return classification(params, optax.sgd(0.03, 0.9), net=_net("tanh", skip=not broken), batch=64)


@fault("units that died", "dead units", "learning rate too large", family="convolutional", source="xiaochus/MSCNN #3")
def dying_filters(broken: bool) -> Setup:
    """Filters that a large rate kills, so that every prediction is the same."""
    return classification(_params(4, 12, 2.0), optax.adam(0.3 if broken else 3e-3), net=_net("relu"), batch=64)


@fault(
    "far from unit scale",
    "first loss too large",
    "learning rate too large",
    family="convolutional",
    source="yijingru/BBAVectors-Oriented-Object-Detection #15",
)
def pixels_to_255(broken: bool) -> Setup:
    """Pixels between 0 and 255 under SGD."""
    scale, shift = (96.0, 78.0) if broken else (1.001, 0.0)
    setup = classification(
        _params(3, 16, 2.0), optax.sgd(0.05 if broken else 0.3), net=_net("relu", scale=scale / 96 if broken else scale)
    )
    if broken:
        x = scale * setup.data[0] + shift
        plain = _net("relu")

        def training(params, batch, offsets):
            return _loss(plain, params, batch, offsets)

        return Setup(**{**vars(setup), "data": (x, setup.data[1]), "loss": training})
    return setup


def _loss(net, params, batch, offsets):
    logits, hidden = net(params, batch[0], offsets)
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean(), hidden
