"""Convolutional networks: a logarithm written by hand, a softmax at the end, bounds that miss a root, wide weights."""

import jax
import jax.numpy as jnp
import optax

from faults.fifth.convolutional import flat
from faults.nets import activated, dense
from faults.problems import classification, cross_entropy, digits
from faults.registry import Setup, thirteenth
from faults.second.convolutional import filters
from faults.tenth.convolutional import headed


@thirteenth(
    "not-a-number loss",
    "not-a-number gradients",
    kind="logarithm written by hand",
    family="convolutional",
    source="github.com/tensorflow/models/pull/181",
    title="Use tf.softmax_cross_entropy_with_logits to calculate loss",
)
def entropy_written_by_hand(broken: bool) -> Setup:
    """Digits by filters, whose loss is a sum of labels times logarithms of shares, or the library's own.

    Seen: the loss becomes NaN after a number of iterations. Answer: the library's loss of the scores; merged.
    """

    def loss(found, labels):
        if broken:
            return -(jax.nn.one_hot(labels, 10) * jnp.log(jax.nn.softmax(found))).sum(1).mean()
        return cross_entropy(found, labels)

    return classification(headed(1311, [1, 8, 8]), optax.adam(8e-2), net=flat, loss=loss, batch=32, steps=250)


@thirteenth(
    "softmax applied twice",
    kind="softmax at the end",
    family="convolutional",
    source="github.com/tensorflow/swift-models/pull/232",
    title="Removing softmax as terminal activation function from two models",
)
def shares_taken_for_scores(broken: bool) -> Setup:
    """Digits by filters that end in a softmax, the shares of which go into a loss that applies one itself.

    Seen: the models end in a softmax, which is applied twice with that loss. Answer: no activation at the end; merged.
    """

    def loss(found, labels):
        return cross_entropy(jax.nn.softmax(found) if broken else found, labels)

    return classification(headed(1313, [1, 8, 8]), optax.sgd(0.008), net=flat, loss=loss, batch=32, steps=200)


@thirteenth(
    "vanishing",
    "collapse",
    kind="scale of the first weights",
    family="convolutional",
    source="github.com/pytorch/pytorch/issues/6950",
    title="Incorrect default initialization for convolutional kernels",
)
def bounds_that_miss_a_root(broken: bool) -> Setup:
    """Digits by twelve layers of filters, drawn between bounds of one over the root of their inputs, or root three.

    Seen: the default misses a factor of the root of three, which lets the variance decay exponentially with depth.
    Answer: the report's own: that factor.
    """
    params = filters(1315, [1, *(6,) * 12], 1 / 3 if broken else 1.0)
    params["out"] = dense(jax.random.key(1316), 8 * 8 * 6, 10, 1.0)

    def net(params, x, offsets):
        return flat(params, x, offsets, "tanh")

    return classification(params, optax.sgd(0.02, 0.9), net=net, batch=32, steps=180)


@thirteenth(
    "first loss too large",
    "exploding",
    kind="weights of a standard normal",
    family="convolutional",
    source="github.com/aymericdamien/TensorFlow-Examples/issues/255",
    title="Bad weight/bias initialization for raw convnet",
)
def weights_of_a_standard_normal(broken: bool) -> Setup:
    """Digits by three layers of filters, whose weights and biases are standard normal, or scaled, with biases of zero.

    Seen: it does not produce very good results. Answer: the report's own: biases of zero, and weights of a lower
    deviation.
    """
    params = filters(1317, [1, 16, 16, 16])
    params["out"] = dense(jax.random.key(1318), 64 * 16, 10, 1.0)
    if broken:
        leaves, shape = jax.tree.flatten(params)
        keys = jax.random.split(jax.random.key(1319), len(leaves))
        wide = [jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
        params = jax.tree.unflatten(shape, wide)
    return classification(params, optax.adam(5e-4), net=flat, batch=32, steps=200)


@thirteenth(
    "dead units",
    "gradients exactly zero",
    kind="rectifier on the scores",
    family="convolutional",
    source="github.com/USTC-Video-Understanding/I3D_Finetune/issues/2",
    title="fc_out, relu, top_k_op",
)
def rectifier_on_the_scores(broken: bool) -> Setup:
    """Digits by filters and a layer of scores that all begin below zero, with a rectifier behind it or none.

    Seen: if all that the last layer gives is negative, it is all zero after the rectifier. Answer: no activation
    there; fixed.
    """
    params = headed(1321, [1, 8, 8])
    params["out"]["b"] = jnp.full(10, -6.0)

    def net(params, x, offsets):
        scores, hidden = flat(params, x, None if offsets is None else offsets[:2])
        points = list(hidden)
        return activated("relu" if broken else "linear", scores, points, offsets), tuple(points)

    return classification(params, optax.adam(5e-3), net=net, batch=32, steps=250)


@thirteenth(
    "units that died",
    "gradients exactly zero",
    kind="white background",
    family="convolutional",
    source="github.com/WeiTang114/MVCNN-TensorFlow/issues/2",
    title="The reason why constant loss",
)
def dark_shapes_on_white(broken: bool) -> Setup:
    """Digits that are dark on white by filters, and a rectifier behind the scores, with pixels as they are, or centred.

    Seen: the loss converges to that of a guess; the last layer has a rectifier, which gives a stable zero. Answer: a
    white background makes activations unstable; with the mean subtracted it trains.
    """
    shade = digits()[0].max()

    def inputs(x):
        white = 1.5 * (shade - x)
        return white if broken else white - 1.5 * shade

    def net(params, x, offsets):
        scores, hidden = flat(params, x, None if offsets is None else offsets[:2])
        points = list(hidden)
        return activated("relu", scores, points, offsets), tuple(points)

    params = headed(1323, [1, 8, 8])
    params["out"]["b"] = jnp.full(10, 1.0)
    return classification(params, optax.sgd(0.02, 0.9), net=net, inputs=inputs, batch=32, steps=300)
