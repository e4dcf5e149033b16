"""Convolutional networks: filters of zero and of unit deviation, sums of batches, masks, first guesses, rates."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.convolutional import flat
from faults.fourth.convolutional import seen
from faults.nets import activated, dense, linear
from faults.problems import classification, own
from faults.registry import Setup, tenth
from faults.second.convolutional import convolve, filters, normalised


def headed(seed: int, channels: list[int], gain: float = 2.0):
    """Filters, and an output layer that reads all maps of pictures of 64 pixels."""
    params = filters(seed, channels, gain)
    return params | {"out": dense(jax.random.key(seed + 1), 64 * channels[-1], 10, 1.0)}


@tenth(
    "gradients exactly zero",
    "dead units",
    kind="weights of zero",
    family="convolutional",
    source="github.com/BVLC/caffe/issues/2546",
    title="Default weight initialization",
)
def filters_that_are_all_zero(broken: bool) -> Setup:
    """Digits by two layers of filters and a dense layer, for which nobody has said how weights are to be drawn.

    Seen: it took quite a long time to find out that a filler has to be set, since the default is a constant of zero.
    Answer: the report's own: random numbers; the default stays, and might be documented.
    """
    params = headed(731, [1, 8, 8])
    if broken:
        params = jax.tree.map(jnp.zeros_like, params)
    return classification(params, optax.sgd(0.02, 0.9), net=flat, batch=32, steps=300)


@tenth(
    "exploding",
    "first loss too large",
    kind="scale of standardised filters",
    family="convolutional",
    source="github.com/joe-siyuan-qiao/WeightStandardization/issues/23",
    title="It just explodes!!!",
)
def filters_of_unit_deviation(broken: bool) -> Setup:
    """Digits by six layers of filters, each of which is brought to a mean of zero and a deviation of one.

    Seen: with standardised filters numbers explode, with usual ones they do not. Answer: of a reader: they explode in
    the forward pass already; the deviation has to be a gain over the root of the inputs.
    """
    params = filters(733, [1, *(8,) * 6]) | {"out": dense(jax.random.key(734), 8, 10, 1.0)}

    def net(params, x, offsets):
        hidden, h = [], x.reshape(len(x), 8, 8, 1)
        for name in sorted(name for name in params if name.startswith("conv")):
            w = params[name]["w"]
            w = (w - w.mean((0, 1, 2))) / (w.std((0, 1, 2)) + 1e-5)
            scale = 1.0 if broken else (2 / np.prod(w.shape[:3])) ** 0.5
            h = activated("relu", convolve({"w": scale * w, "b": params[name]["b"]}, h), hidden, offsets)
        return linear(params["out"], h.mean((1, 2))), tuple(hidden)

    return classification(params, optax.sgd(0.1, 0.9), net=net, batch=32, steps=300)


@tenth(
    "gradients exactly zero",
    kind="a step without a slope",
    family="convolutional",
    source="github.com/Hiyuur/SR-TOD/issues/5",
    title="Inquiry About Gradient Flow in Learnable Threshold Implementation",
)
def threshold_that_cannot_be_learned(broken: bool) -> Setup:
    """Digits by a mask of where a map of differences exceeds a threshold, which shall be learned, and begins high.

    Seen: the sign has no slope, so that no gradient reaches the threshold. Answer: a very meaningful question; the
    author had tried another way that was blocked, too; here, the share of a logistic function.
    """
    params = filters(735, [1, 8, 4]) | {"out": dense(jax.random.key(736), 64 * 4, 10, 1.0)}
    params["threshold"] = {"b": jnp.full(4, 6.0)}

    def net(params, x, offsets):
        maps = {name: layer for name, layer in params.items() if name.startswith("conv")}
        first, hidden = seen({"conv00": maps["conv00"]}, x.reshape(len(x), 8, 8, 1), offsets)
        hidden = list(hidden)
        over = convolve(maps["conv01"], first) - params["threshold"]["b"]
        mask = (jnp.sign(over) + 1) / 2 if broken else jax.nn.sigmoid(over)
        mask = activated("linear", mask, hidden, offsets)
        return linear(params["out"], mask.reshape(len(x), -1)), tuple(hidden)

    return classification(params, optax.adam(1e-2), net=net, batch=32, steps=300)


@tenth(
    "learning rate too large",
    "units that died",
    "dead units",
    kind="gradients that are summed",
    family="convolutional",
    source="github.com/fastai/fastai/issues/3023",
    title="Gradient Accumulation causes lower lr to be same as non-gradient accumulation",
)
def gradients_of_sixteen_batches(broken: bool) -> Setup:
    """Digits by filters at a rate for the mean of sixteen small batches, whose gradients are added up.

    Seen: the loss is not divided by the number of batches, so that gradients are too large. Answer: they are added and
    not averaged; it makes sense to change it.
    """
    step = optax.sgd(0.05, 0.9)
    optimizer = optax.chain(optax.scale(16.0), step) if broken else step
    return classification(headed(737, [1, 10, 10]), optimizer, net=flat, batch=128, steps=250)


@tenth(
    "learning rate too small",
    kind="rate",
    family="convolutional",
    source="github.com/danieltan07/learning-to-reweight-examples/issues/10",
    title="learning rate issues",
)
def baseline_at_a_thousandth(broken: bool) -> Setup:
    """Digits by filters, of whose maps the largest numbers are read, at a rate of a thousandth by plain descent.

    Seen: the baseline is at chance at the rate of the code, 0.001. Answer: the report's own: at 0.1 it reaches more
    than 80 of 100, too.
    """
    params = filters(739, [1, 12, 12])
    params["out"]["w"] = 0.2 * params["out"]["w"]

    def net(params, x, offsets):
        maps, hidden = seen(params, x.reshape(len(x), 8, 8, 1), offsets)
        return linear(params["out"], maps.max((1, 2))), hidden

    return classification(params, optax.sgd(0.001 if broken else 0.1), net=net, batch=32, steps=300)


@tenth(
    "units that died",
    "dead units",
    "gradients exactly zero",
    "learning rate too large",
    kind="rectifiers at a large rate",
    family="convolutional",
    source="github.com/keras-team/keras/issues/4066",
    title="Cifar10 example sometimes only predicts 1 class and does not improve",
)
def pictures_of_one_class_alone(broken: bool) -> Setup:
    """Digits by two layers of filters and a dense layer, all of them rectified, at a rate that is too large at times.

    Seen: only one class is predicted, with an accuracy of 0.1 that does not change. Answer: Adam; by its default, a
    reader says, at a smaller rate.
    """
    params = headed(741, [1, 8, 8])
    params |= {"middle": dense(jax.random.key(743), 8 * 8 * 8, 24), "out": dense(jax.random.key(744), 24, 10, 1.0)}

    def net(params, x, offsets):
        maps, hidden = seen(params, x.reshape(len(x), 8, 8, 1), offsets)
        hidden = list(hidden)
        h = activated("relu", linear(params["middle"], maps.reshape(len(x), -1)), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    return classification(params, optax.sgd(0.3, 0.9) if broken else optax.adam(1e-3), net=net, batch=32, steps=300)


@tenth(
    "first loss too large",
    "units that died",
    kind="first guess of rare things",
    family="convolutional",
    source="github.com/zylo117/Yet-Another-EfficientDet-Pytorch/issues/285",
    title="Cls loss & Total loss too big",
)
def boxes_that_begin_at_a_half(broken: bool) -> Setup:
    """Where one of two things is among 64 places, by logistic answers that begin anywhere, or at a share of 0.01.

    Seen: losses of about fifty in the first epoch. Answer: of a reader: initialise the last layer such that it predicts
    0.01 for each box, which reduced it from 50 to 2.
    """
    draw = np.random.default_rng(745)
    count = 1500
    place, what = draw.integers(1, 7, size=(count, 2)), draw.integers(2, size=count)
    x = 0.3 * draw.normal(size=(count, 8, 8, 1))
    shape = np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]], [[1, 0, 1], [0, 1, 0], [1, 0, 1]]])
    y = np.zeros((count, 8, 8, 2))
    for i, (a, b) in enumerate(place):
        x[i, a - 1 : a + 2, b - 1 : b + 2, 0] += 2 * shape[what[i]]
        y[i, a, b, what[i]] = 1
    x, y = x.astype(np.float32), y.astype(np.float32)
    params = filters(745, [1, 12, 12]) | {"out": dense(jax.random.key(746), 12, 2, 4.0)}
    if not broken:
        params["out"] = {"w": jnp.zeros((12, 2)), "b": jnp.full(2, -4.6)}

    def shown(params, x, offsets):
        maps, hidden = seen(params, x, offsets)
        return linear(params["out"], maps), hidden

    def loss(params, batch, offsets):
        found, hidden = shown(params, batch[0], offsets)
        return optax.sigmoid_binary_cross_entropy(found, batch[1]).sum((1, 2, 3)).mean(), hidden

    share = y.mean()
    chance = float(-128 * (share * np.log(share) + (1 - share) * np.log(1 - share)))

    def error(params):
        return jnp.nan_to_num(loss(params, (x[:300], y[:300]), None)[0], nan=chance) / chance

    return own(params, loss, (x, y), optax.sgd(0.07, 0.9), error, chance=chance, steps=400, batch=16)


@tenth(
    "updates not applied",
    kind="model that is copied behind the optimizer",
    family="convolutional",
    source="github.com/meta-pytorch/opacus/issues/432",
    title=(
        "Print a warning/throw an error when params in optimizer are not the same as that of module's in `make_private`"
    ),
)
def norms_that_are_exchanged_too_late(broken: bool) -> Setup:
    """Digits by filters with a norm, whose model is made anew with other norms when the optimizer has the old one.

    Seen: the code fails, since layers are exchanged after the parameters have been handed to the optimizer. Answer: do
    it before the optimizer is made; and a warning is to be printed.
    """
    params = headed(747, [1, 8, 8])

    def net(params, x, offsets):
        hidden, h = [], x.reshape(len(x), 8, 8, 1)
        for name in ("conv00", "conv01"):
            h = activated("relu", normalised(convolve(params[name], h), (1, 2)), hidden, offsets)
        return linear(params["out"], h.reshape(len(x), -1)), tuple(hidden)

    def apply(params, updates):
        return params if broken else optax.apply_updates(params, updates)

    return classification(params, optax.sgd(0.02, 0.9), net=net, batch=64, steps=250, apply=apply)
