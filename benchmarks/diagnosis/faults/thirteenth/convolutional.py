"""Convolutional networks: entropy by hand, shares for scores, first weights, rectifiers at the end, rates, states."""

import jax
import jax.numpy as jnp
import optax

from faults.fifth.convolutional import flat
from faults.nets import activated, dense
from faults.problems import classification, cross_entropy, digits
from faults.registry import Setup, thirteenth
from faults.second.convolutional import convolve, filters
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
    """Digits that are dark on white, by filters with a rectifier behind the scores, or centred and without it.

    Seen: the loss converges to that of a guess; the last layer has a rectifier, which gives a stable zero. Answer: a
    white background makes activations unstable; with the mean subtracted, and without that rectifier, it trains.
    """
    shade = 1.5 * digits()[0].max()

    def inputs(x):
        return shade - 1.5 * x if broken else -1.5 * x

    def net(params, x, offsets):
        scores, hidden = flat(params, x, None if offsets is None else offsets[:2])
        points = list(hidden)
        return activated("relu" if broken else "linear", scores, points, offsets), tuple(points)

    return classification(headed(1323, [1, 6, 6]), optax.sgd(0.1, 0.9), net=net, inputs=inputs, batch=32, steps=200)


@thirteenth(
    "updates not applied",
    kind="optimizer of another object",
    family="convolutional",
    source="github.com/kitzeslab/opensoundscape/issues/351",
    title="Continuing training of CNN from loaded model may not be working",
)
def optimizer_of_another_object(broken: bool) -> Setup:
    """Digits by filters that are loaded, while the optimizer has the weights of the object before, or these.

    Seen: a model that was loaded may not be trained further. Answer: the list of parameters that the optimizer was
    given with the loaded state belongs to the old object, and has to be made again.
    """

    def apply(params, updates):
        return params if broken else optax.apply_updates(params, updates)

    return classification(headed(1325, [1, 6]), optax.adam(3e-3), net=flat, batch=32, steps=200, apply=apply)


@thirteenth(
    "learning rate too large",
    "units that died",
    kind="default rate",
    family="convolutional",
    source="github.com/DeepLabCut/DeepLabCut/pull/2960",
    title="lower default LR to 5e-4 for ResNets and CSPNeXt",
)
def default_rate_of_a_backbone(broken: bool) -> Setup:
    """Digits by filters, at a default rate that is too aggressive, or a lower one.

    Seen: for some data the rate is too aggressive, and prevents the model from learning. Answer: a lower default;
    merged. Here, the filters are fewer, and rates differ by more.
    """

    rate = 0.6 if broken else 0.006
    return classification(headed(1327, [1, 6, 6]), optax.adam(rate), net=flat, batch=32, steps=200)


@thirteenth(
    "exploding",
    "first loss too large",
    kind="sums of all states",
    family="convolutional",
    source="github.com/quark0/darts/issues/36",
    title="Only apply softmax to alpha on operations leads to state explosion.",
)
def sums_of_all_states(broken: bool) -> Setup:
    """Digits by five cells, each of three states that add up all states before them, with a norm behind each or none.

    Seen: each state is a sum over all before it, and not a mean, so that states grow exponentially. Answer: norms of
    the batch bring them to unit variance.
    """
    params = headed(1329, [1, *(4,) * 15])

    def net(params, x, offsets):
        hidden = []
        h = x.reshape(len(x), 8, 8, 1)
        names = sorted(name for name in params if name != "out")
        for cell in range(5):
            before = [h]
            for name in names[3 * cell : 3 * cell + 3]:
                if before[0].shape[-1] == 1:
                    before = [jnp.repeat(before[0], 4, axis=3)]
                    params = params | {name: params[name] | {"w": jnp.repeat(params[name]["w"], 4, axis=2) / 2}}
                state = sum((jax.nn.leaky_relu(convolve(params[name], each)) + each for each in before), jnp.zeros(()))
                if not broken:
                    state = (state - state.mean((0, 1, 2))) / jnp.sqrt(state.var((0, 1, 2)) + 1e-5)
                before.append(state)
            h = activated("linear", before[-1], hidden, offsets)
        return h.reshape(len(h), -1) @ params["out"]["w"] + params["out"]["b"], tuple(hidden)

    return classification(params, optax.adam(4e-4), net=net, batch=32, steps=150)
