"""Runs that are in order and look odd: nothing is wrong with them.

The one that is called broken is the odd one. The other is the same run carried on, or made in the usual way.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.eleventh.language import EACH, GROUPS, paired
from faults.nets import activated, dense, linear
from faults.problems import classification, own, recognised
from faults.registry import Setup, eleventh
from faults.second.attention import WIDTH, blocks, normalised, trunk
from faults.second.convolutional import convolve, filters
from faults.second.convolutional import normalised as over
from faults.sixth.recurrent import carried, leaky

NOTHING = "nothing wrong"


@eleventh(
    NOTHING,
    kind="gain of zero",
    family="convolutional",
    source="github.com/google-deepmind/sonnet/issues/185",
    title="BatchNorm of ResNet implementation initialized as zero",
    sound=True,
)
def last_gain_of_zero(broken: bool) -> Setup:
    """Digits by three pairs of filters, added to what they read behind a norm whose gain begins at zero, or one.

    Seen: the gain of the last norm of each pair is zero, which looks strange; why not one? Answer: so that the signal
    goes along the sum at first, which makes training easier.
    """
    params = filters(1071, [1, *(8,) * 7]) | {"out": dense(jax.random.key(1072), 8, 10, 1.0)}
    params |= {f"gain{i}": {"w": jnp.full(8, 0.0 if broken else 1.0), "b": jnp.zeros(8)} for i in range(3)}

    def net(params, x, offsets):
        hidden = []
        names = sorted(name for name in params if name.startswith("conv"))
        h = jax.nn.relu(over(convolve(params[names[0]], x.reshape(len(x), 8, 8, 1)), (0, 1, 2)))
        for i in range(3):
            inside = jax.nn.relu(over(convolve(params[names[2 * i + 1]], h), (0, 1, 2)))
            inside = over(convolve(params[names[2 * i + 2]], inside), (0, 1, 2))
            gain = params[f"gain{i}"]
            h = activated("relu", h + gain["w"] * inside + gain["b"], hidden, offsets)
        return linear(params["out"], h.mean((1, 2))), tuple(hidden)

    return classification(params, optax.sgd(0.1, 0.9), net=net, batch=32, steps=200)


@eleventh(
    NOTHING,
    kind="minus in the vectors",
    family="language",
    source="github.com/theeluwin/pytorch-sgns/issues/12",
    title="Bug in the Loss Function",
    sound=True,
)
def minus_where_words_are_looked_up(broken: bool) -> Setup:
    """Whether two words were met together, by two tables, the second of which is negated where they were not.

    Seen: both terms of the loss have the same sign, where one should be near and the other one far. Answer: the minus
    is where vectors are looked up; it does seem confusing.
    """
    keys = jax.random.split(jax.random.key(1073), 2)
    shape = (GROUPS * EACH, 32)
    params = {"words": {"w": 0.1 * jax.random.normal(keys[0], shape)}}
    params |= {"others": {"w": 0.1 * jax.random.normal(keys[1], shape)}}

    def product(params, one, other):
        return (one * params["others"]["w"][other]).sum(-1)

    def odd(product, met):
        sign = jnp.where(met > 0, 1.0, -1.0)
        return -jax.nn.log_sigmoid(sign * product)

    def usual(product, met):
        return optax.sigmoid_binary_cross_entropy(product, met.astype(jnp.float32))

    return paired(params, product, 1e-2, cost=odd if broken else usual, seed=1073, steps=300)


@eleventh(
    NOTHING,
    kind="loss of a thinned network",
    family="transformer",
    source="github.com/thuml/Autoformer/issues/155",
    title="关于带入自己数据集后，train loss大于valid loss大于test loss的疑问",  # noqa: RUF001
    sound=True,
)
def thinned_where_it_is_trained(broken: bool) -> Setup:
    """What a series is next, by a transformer that loses two fifths of its features at random where it is trained.

    Seen: the training loss is larger than that of other data. Answer: features are dropped in training only, and it is
    a mean over a whole round, says a reader.
    """
    draw = np.random.default_rng(1075)
    count = 4000
    pace, phase = draw.uniform(0.3, 1.2, size=(count, 1)), draw.uniform(0, 6, size=(count, 1))
    series = np.sin(pace * np.arange(13) + phase) * np.sqrt(2) + 0.05 * draw.normal(size=(count, 13))
    x, y = series[:, :12, None].astype(np.float32), series[:, 12].astype(np.float32)
    kept = (draw.random((count, WIDTH)) < 0.6) / 0.6 if broken else np.ones((count, WIDTH))
    kept = kept.astype(np.float32)
    params = blocks(1075, 1, 1, length=12) | {"embed": dense(jax.random.key(1076), 1, WIDTH, 1.0)}

    def found(params, x, kept, offsets):
        said, points, scored = trunk(params, linear(params["embed"], x) + params["position"]["w"], offsets)
        return linear(params["out"], normalised(said)[:, -1] * kept)[:, 0], (*points, *scored)

    def loss(params, batch, offsets):
        answer, hidden = found(params, batch[0], batch[1], offsets)
        return ((answer - batch[2]) ** 2).mean(), hidden

    def error(params):
        return ((found(params, x[3600:], 1.0, None)[0] - y[3600:]) ** 2).mean() / y[3600:].var()

    data = (x[:3600], kept[:3600], y[:3600])
    return own(params, loss, data, optax.adam(3e-3), error, chance=float(y.var()), steps=400, batch=64)


@eleventh(
    NOTHING,
    kind="updates by hand",
    family="recurrent",
    source="github.com/pytorch/pytorch/issues/1271",
    title="optimizer.step() in word_language_model example",
    sound=True,
)
def updates_without_an_optimizer(broken: bool) -> Setup:
    """The next of twenty characters, by a recurrent network that is updated by hand, at a large rate.

    Seen: no step of an optimizer is made anywhere; how can weights change? Answer: they are updated by hand, by the
    clipped gradient times a rate.
    """
    draw = np.random.default_rng(1077)
    rule = draw.integers(20, size=(20, 2))
    text = draw.integers(20, size=(2000, 7))
    text[:, 6] = rule[text[:, 5], text[:, 4] % 2]
    x, y = np.eye(20, dtype=np.float32)[text[:, :6]], text[:, 6].astype(np.int32)
    by_hand = optax.chain(optax.clip_by_global_norm(0.25), optax.scale(-4.0))
    data, others = (x[:1600], y[:1600]), (x[1600:], y[1600:])
    more = {"classes": 20, "batch": 64, "steps": 500, "timed": True}
    return recognised(leaky(1077, 20, 20), carried, data, others, by_hand if broken else optax.adam(5e-3), **more)
