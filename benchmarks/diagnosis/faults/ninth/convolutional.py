"""Convolutional networks: boxes without a size, masks of 255, rates, schedules, files in another order."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fourth.convolutional import fields, seen
from faults.nets import activated, dense, linear
from faults.problems import classification, digits, own
from faults.registry import Setup, ninth
from faults.second.convolutional import convolve, filters


@ninth(
    "not-a-number gradients",
    "not-a-number loss",
    kind="slope at zero",
    family="convolutional",
    source="github.com/open-mmlab/mmrotate/issues/205",
    title="[BUG] Gaussian distance/divergence losses grad nan issue",
)
def boxes_without_a_size(broken: bool) -> Setup:
    """Where a box is, and its two sides, by the distance of two normal distributions, with a root of their product.

    Seen: the gradient of the root is NaN at zero. Answer: what goes into it was clamped to 1e-7 before, and is to be
    clamped again.
    """
    draw = np.random.default_rng(521)
    at, side = draw.uniform(2, 5, size=(1500, 2)), draw.uniform(0.3, 1.5, size=(1500, 2))
    grid = np.stack(np.meshgrid(np.arange(8), np.arange(8), indexing="ij"), axis=-1)
    far = ((grid - at[:, None, None]) ** 2 / side[:, None, None] ** 2).sum(-1)
    x = (2 * np.exp(-0.5 * far) + 0.05 * draw.normal(size=far.shape)).astype(np.float32)[..., None]
    box = np.concatenate([(at - 3.5) / 1.5, side], axis=1).astype(np.float32)
    params = filters(521, [1, 8]) | {"middle": dense(jax.random.key(522), 8 * 8 * 8, 32)}
    params["out"] = dense(jax.random.key(523), 32, 4, 1.0)
    params["out"]["b"] = jnp.array([0.0, 0.0, 0.5, 0.5])

    def found(params, x, offsets):
        hidden = []
        h = activated("relu", convolve(params["conv00"], x), hidden, offsets).reshape(len(x), -1)
        h = activated("relu", linear(params["middle"], h), hidden, offsets)
        z = linear(params["out"], h)
        return z[:, :2], jnp.maximum(z[:, 2:], 0.0), tuple(hidden)

    def loss(params, batch, offsets):
        centre, size, hidden = found(params, batch[0], offsets)
        square, known = size**2, batch[1][:, 2:] ** 2
        product = square.prod(1) * known.prod(1)
        root = jnp.sqrt(product if broken else jnp.maximum(product, 1e-7))
        both = jnp.sqrt(jnp.maximum((square * known).sum(1) + 2 * root, 1e-7))
        spread = square.sum(1) + known.sum(1) - 2 * both
        return (((centre - batch[1][:, :2]) ** 2).sum(1) + spread).mean(), hidden

    def error(params):
        centre, size, _ = found(params, x[:400], None)
        off = (jnp.concatenate([centre, size], axis=1) - box[:400]) ** 2
        return (off.mean(0) / box.var(0)).mean()

    return own(params, loss, (x, box), optax.adam(2e-3), error, steps=400, batch=32)


@ninth(
    "far from unit scale",
    "saturation",
    kind="scale of the labels",
    family="convolutional",
    source="github.com/HKUSTCV/FSS-1000/issues/20",
    title="Labels not normalized",
)
def masks_of_zero_and_255(broken: bool) -> Setup:
    """Where an object is on a field, by logistic answers to masks that are zero or 255.

    Seen: pictures are normalised and labels are not, so that the model never converges. Answer: none but the report's
    own: with normalised labels it converges well.
    """
    picture, mask = fields(1200, 524)
    there = (mask * 255.0 if broken else mask).astype(np.float32)
    params = filters(524, [1, 12, 12]) | {"out": dense(jax.random.key(525), 12, 1, 1.0)}

    def shown(params, x, offsets):
        maps, hidden = seen(params, x, offsets)
        hidden = list(hidden)
        return activated("sigmoid", linear(params["out"], maps), hidden, offsets)[..., 0], tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = shown(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        found = shown(params, picture[:300], None)[0] > 0.5
        return (found != (mask[:300] > 0.5)).mean() / min(mask.mean(), 1 - mask.mean())

    chance = float(there.var())
    return own(params, loss, (picture, there), optax.adam(2e-3), error, chance=chance, steps=300, batch=16)


@ninth(
    "learning rate too small",
    kind="rate",
    family="convolutional",
    source="github.com/halwai/bird_classification/issues/12",
    title="Same predict",
)
def birds_at_a_tiny_rate(broken: bool) -> Setup:
    """Classes of pictures by two layers of filters and a dense layer, at a rate at which nothing seems to happen.

    Seen: the predicted value is always the same, and the accuracy does not improve. Answer: the rate is too small.
    """
    params = filters(526, [1, 8, 8]) | {"middle": dense(jax.random.key(526), 8 * 8 * 8, 32)}
    params["out"] = dense(jax.random.key(527), 32, 10, 1.0)

    def net(params, x, offsets):
        maps, hidden = seen(params, x.reshape(len(x), 8, 8, 1), offsets)
        hidden = list(hidden)
        h = activated("relu", linear(params["middle"], maps.reshape(len(x), -1)), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    optimizer = optax.sgd(3e-6 if broken else 1e-2, 0.9)
    return classification(params, optimizer, net=net, batch=32, steps=300)


@ninth(
    "learning rate too small",
    kind="schedule",
    family="convolutional",
    source="github.com/ivadomed/ivadomed/pull/55",
    title="Fix scheduler updating",
)
def schedule_in_the_loop_of_batches(broken: bool) -> Setup:
    """Where tissue is on a slice, by a rate that falls by four tenths at each step of its schedule.

    Seen: the scheduler was stepped in the loop of batches, so that the rate is updated after each batch. Answer: it is
    stepped after each epoch; merged.
    """
    picture, mask = fields(1200, 528)
    params = filters(528, [1, 12, 12, 12], 1.0) | {"out": dense(jax.random.key(529), 12, 1, 1.0)}

    def shown(params, x, offsets):
        maps, hidden = seen(params, x, offsets, "tanh")
        return linear(params["out"], maps)[..., 0], hidden

    def loss(params, batch, offsets):
        found, hidden = shown(params, batch[0], offsets)
        return optax.sigmoid_binary_cross_entropy(found, batch[1]).mean(), hidden

    def error(params):
        found = shown(params, picture[:300], None)[0] > 0
        return (found != (mask[:300] > 0.5)).mean() / 0.5

    rate = optax.exponential_decay(0.01, 1 if broken else 75, 0.6, staircase=True)
    chance = float(np.log(2))
    return own(params, loss, (picture, mask), optax.sgd(rate), error, chance=chance, steps=300, batch=16)


@ninth(
    "constant answer",
    kind="labels out of step",
    family="convolutional",
    source="github.com/NoahVl/Explaining-In-Style-Reproducibility-Study/issues/9",
    title="Classifier acc",
)
def files_in_the_order_of_the_disk(broken: bool) -> Setup:
    """Faces whose files are listed in the order of the disk, and labels in the order of a table.

    Seen: on another machine the labels do not correspond to the pictures. Answer: sort the list of files; a second
    reader confirms that it works.
    """
    y = digits()[1]
    labels = y[np.random.default_rng(530).permutation(len(y))] if broken else y
    params = filters(530, [1, 10]) | {"middle": dense(jax.random.key(531), 8 * 8 * 10, 32)}
    params["out"] = dense(jax.random.key(532), 32, 10, 1.0)

    def net(params, x, offsets):
        maps, hidden = seen(params, x.reshape(len(x), 8, 8, 1), offsets)
        hidden = list(hidden)
        h = activated("relu", linear(params["middle"], maps.reshape(len(x), -1)), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    return classification(params, optax.sgd(0.01, 0.9), net=net, labels=labels, batch=64, steps=250)
