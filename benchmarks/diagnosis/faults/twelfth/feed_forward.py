"""Perceptrons: layers in an array, big numbers, logistic units of the first draw, biases far below zero."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, dense, linear, mlp
from faults.problems import classification, curve, own, regression
from faults.registry import Setup, twelfth


@twelfth(
    "frozen",
    kind="layers in an array",
    family="feed-forward",
    source="github.com/dotnet/TorchSharp/issues/532",
    title="Why does storing module layers in arrays break the learning process?",
)
def layers_kept_in_an_array(broken: bool) -> Setup:
    """What a function of three numbers is, by three narrow layers that are kept in an array, and an output layer.

    Seen: with layers in arrays learning is broken. Answer: what is in arrays or lists is not registered, so that its
    parameters are not among those that are trained.
    """
    params = mlp(1201, [3, 4, 3, 3, 1], 1.0)
    names = {name: "array" if name < "layer03" else "field" for name in params}
    rates = {"array": optax.set_to_zero() if broken else optax.adam(1e-2), "field": optax.adam(1e-2)}
    optimizer = optax.multi_transform({**rates}, names)
    return regression(params, optimizer, data=curve(1201, 600), steps=800, batch=64)


@twelfth(
    "learning rate too large",
    "units that died",
    kind="rate",
    family="feed-forward",
    source="github.com/uxlfoundation/oneDAL/issues/16",
    title="another failed test case with BIG numbers in weights and biases",
)
def big_numbers_in_weights(broken: bool) -> Setup:
    """Digits by three layers of rectifiers, at a rate that is too large, or at a small part of it.

    Seen: weights and biases become very big numbers. Answer: after reducing the rate, the problem is gone.
    """
    params = mlp(1203, [64, 48, 48, 10])
    return classification(params, optax.sgd(1.2 if broken else 0.03, 0.9), steps=300, batch=32)


@twelfth(
    "saturation",
    "vanishing",
    kind="scale of the first weights",
    family="feed-forward",
    source="github.com/workofart/ml-by-hand/pull/3",
    title="Add mnist example",
)
def logistic_units_of_the_first_draw(broken: bool) -> Setup:
    """Digits by five layers of logistic units, whose weights are drawn with a large deviation, or one like Xavier's.

    Seen: with weights that are simply random no rate leads to a good place. Answer: the report's own: those of Xavier,
    since logistic units saturate; merged.
    """
    params = mlp(1205, [64, *(32,) * 5, 10], 1.0 if broken else 8.0)
    if broken:
        params = jax.tree.map(lambda w: 40 * w, params) | {"layer05": params["layer05"]}
    return classification(params, optax.adam(5e-3), kind="sigmoid", steps=400, batch=64)


@twelfth(
    "dead units",
    "gradients exactly zero",
    kind="biases at the start",
    family="feed-forward",
    source="github.com/facebookresearch/dlrm/pull/358",
    title="switched bias initialization to initialize to zeros per standard Xavi…",
)
def biases_far_below_zero(broken: bool) -> Setup:
    """Which of two things a visitor does, from twelve numbers and two words, by rectifiers whose biases may be low.

    Seen: a bias may begin as a large negative number, whereby the rectifier never opens and all derivatives are zero.
    Answer: zeros, as is the standard; open.
    """
    draw = np.random.default_rng(1207)
    count = 1500
    x = draw.normal(size=(count, 12)).astype(np.float32)
    words = draw.integers(20, size=(count, 2))
    worth = draw.normal(size=20)
    liked = x @ draw.normal(size=12) / 2 + worth[words].sum(1)
    y = (liked > np.median(liked)).astype(np.float32)
    keys = jax.random.split(jax.random.key(1207), 4)
    bias = -8.0 if broken else 0.0
    params = {"words": {"w": jax.random.normal(keys[0], (20, 4))}, "top": dense(keys[1], 20, 32, 1.0, bias)}
    params |= {"over": dense(keys[2], 32, 16, 1.0, bias), "out": dense(keys[3], 16, 1, 1.0)}

    def found(params, x, words, offsets):
        hidden = []
        h = jnp.concatenate([x, params["words"]["w"][words].reshape(len(x), -1)], axis=1)
        for name in ("top", "over"):
            h = activated("relu", linear(params[name], h), hidden, offsets)
        return linear(params["out"], h)[:, 0], tuple(hidden)

    def loss(params, batch, offsets):
        score, hidden = found(params, batch[0], batch[1], offsets)
        return optax.sigmoid_binary_cross_entropy(score, batch[2]).mean(), hidden

    def error(params):
        score = found(params, x[1200:], words[1200:], None)[0]
        return ((score > 0) != (y[1200:] > 0)).mean() / 0.5

    data = (x[:1200], words[:1200], y[:1200])
    return own(params, loss, data, optax.adam(5e-3), error, chance=float(np.log(2)), steps=300, batch=64)
