"""Convolutional networks: pictures in whole numbers, a rate that falls each step, weights that begin small, largest
places."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.convolutional import flat
from faults.fourth.convolutional import seen
from faults.nets import dense, linear
from faults.problems import classification, digits, own
from faults.registry import Setup, twelfth
from faults.second.convolutional import filters
from faults.tenth.convolutional import headed


@twelfth(
    "constant answer",
    "collapse",
    kind="pictures in whole numbers",
    family="convolutional",
    source="github.com/sbillburg/CRNN-with-STN/issues/7",
    title="Learning rate",
)
def shares_in_an_array_of_integers(broken: bool) -> Setup:
    """Digits by filters, from pixels between zero and one that are put into an array of whole numbers, or as they are.

    Seen: only three percent are right after two days. Answer: the report's own: pixels were divided to lie between zero
    and one, but the array of a batch was one of integers, so that all pictures were black.
    """
    low, high = digits()[0].min(), digits()[0].max()

    def inputs(x):
        share = 0.999 * (x - low) / (high - low)
        return jnp.floor(share) if broken else share

    params = headed(1211, [1, 8, 8])
    for i, name in enumerate(("conv00", "conv01")):
        params[name]["b"] = 0.3 * jax.random.normal(jax.random.key(1212 + i), (8,))
    return classification(params, optax.adam(5e-3), net=flat, inputs=inputs, batch=32, steps=250)


@twelfth(
    "learning rate too small",
    kind="rate that falls each step",
    family="convolutional",
    source="github.com/matteo-dunnhofer/imagenet/issues/10",
    title="loss progress",
)
def rate_that_falls_each_step(broken: bool) -> Setup:
    """Digits by filters, at a rate that falls to a tenth at each step, or after each two hundred.

    Seen: the loss does not change at all for epochs. Answer: the report's own: a bug reduced the rate by ten at every
    step, so that it was almost zero; corrected, the loss comes down normally.
    """
    rate = optax.exponential_decay(0.05, 1 if broken else 200, 0.1, staircase=True)
    return classification(headed(1213, [1, 8, 8]), optax.sgd(rate, 0.9), net=flat, batch=32, steps=400)


@twelfth(
    "vanishing",
    kind="scale of the first weights",
    family="convolutional",
    source="github.com/microsoft/CNTK/issues/783",
    title="Do fully convolutional networks actually work?",
)
def filters_that_begin_small(broken: bool) -> Setup:
    """Where strokes are brighter than their surroundings, by six layers of filters alone, which begin small or not.

    Seen: nothing is learned. Answer: rectifiers keep the scale, so that layers have gradients of different ones; the
    first weights are to be 7 times as large, as those of He are.
    """
    x = digits()[0].reshape(-1, 8, 8)
    around = sum(np.roll(x, (i, j), (1, 2)) for i in (-1, 0, 1) for j in (-1, 0, 1)) / 9
    wanted = (x > around + 0.3).astype(np.float32)
    chance = float(min(wanted.mean(), 1 - wanted.mean()))
    params = filters(1215, [1, *(6,) * 6], 0.03 if broken else 2.0)
    params["out"] = dense(jax.random.key(1216), 6, 1, 1.0)

    def found(params, x, offsets):
        maps, hidden = seen(params, x[..., None], offsets)
        return linear(params["out"], maps)[..., 0], hidden

    def loss(params, batch, offsets):
        scores, hidden = found(params, batch[0], offsets)
        return optax.sigmoid_binary_cross_entropy(scores, batch[1]).mean(), hidden

    def error(params):
        return ((found(params, x[900:], None)[0] > 0) != (wanted[900:] > 0)).mean() / chance

    entropy = float(-(chance * np.log(chance) + (1 - chance) * np.log(1 - chance)))
    return own(params, loss, (x[:900], wanted[:900]), optax.sgd(0.05, 0.9), error, chance=entropy, steps=250, batch=16)


@twelfth(
    "gradients exactly zero",
    kind="largest place",
    family="convolutional",
    source="github.com/LZGMatrix/BOP19_CDPN_2019ICCV/issues/4",
    title="A question about training",
)
def coordinates_by_the_largest_place(broken: bool) -> Setup:
    """Where a blob is, by filters whose scores of places give the largest one's coordinates, or a mean over shares.

    Seen: with the largest place there is nothing to go back along. Answer: it is not differentiable, so that the loss
    has to be taken before it; here, of a mean over the shares of places.
    """
    draw = np.random.default_rng(1217)
    count = 1200
    place = draw.uniform(1, 6, size=(count, 2))
    grid = np.arange(8.0)
    apart = (grid[:, None] - place[:, :1, None]) ** 2 + (grid - place[:, 1:, None]) ** 2
    sign = draw.choice([-1.0, 1.0], size=(count, 1, 1))
    x = 3 * np.exp(-apart) + 1.5 * sign * np.exp(-apart[::-1]) * (sign < 0) + 0.4 * draw.normal(size=apart.shape)
    x = x.astype(np.float32)[..., None]
    y = ((place - 3.5) / place.std(0)).astype(np.float32)
    params = filters(1217, [1, 8, 8]) | {"out": dense(jax.random.key(1218), 8, 1, 1.0)}
    axis = ((grid - 3.5) / place.std()).astype(np.float32)
    at = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(64, 2)

    def found(params, x, offsets):
        maps, hidden = seen(params, x, offsets)
        scores = linear(params["out"], maps).reshape(len(x), 64)
        if broken:
            return jnp.asarray(at)[scores.argmax(1)], hidden
        return jax.nn.softmax(scores) @ at, hidden

    def loss(params, batch, offsets):
        answer, hidden = found(params, batch[0], offsets)
        return ((answer - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((found(params, x[900:], None)[0] - y[900:]) ** 2).mean() / y[900:].var()

    return own(params, loss, (x[:900], y[:900]), optax.adam(5e-3), error, chance=1.0, steps=300, batch=32)
