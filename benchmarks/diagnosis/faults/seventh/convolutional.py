"""Convolutional networks: edges of blank places, rectified scores, rates and signs."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fourth.convolutional import seen
from faults.nets import activated, dense, linear, mlp
from faults.problems import classification, digits, own
from faults.registry import Setup, seventh
from faults.second.convolutional import convolve, filters


@seventh(
    "not-a-number gradients",
    "not-a-number loss",
    kind="slope at zero",
    family="convolutional",
    source="github.com/chaddy1004/sobel-operator-pytorch/issues/1",
    title="Add epsilon",
)
def edges_of_blank_places(broken: bool) -> Setup:
    """Pictures without their noise, judged by their edges, too; where nothing is, the length of an edge is zero.

    Seen: NaN values in the backward pass. Answer: none; the report itself says to add a small number to the root.
    """
    clean = np.maximum(digits()[0], 0).reshape(-1, 8, 8, 1)
    speckled = (clean * np.random.default_rng(101).uniform(0.2, 1.8, size=clean.shape)).astype(np.float32)
    across = jnp.array([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]]) / 8
    both = {"w": jnp.stack([across, across.T], axis=-1)[:, :, None], "b": jnp.zeros(2)}
    params = filters(101, [1, 12, 12]) | {"out": dense(jax.random.key(102), 12, 1, 1.0)}

    def edges(picture):
        return jnp.sqrt((convolve(both, picture) ** 2).sum(-1) + (0.0 if broken else 1e-6))

    def restored(params, x, offsets):
        maps, hidden = seen(params, x, offsets)
        return linear(params["out"], maps), hidden

    def loss(params, batch, offsets):
        found, hidden = restored(params, batch[0], offsets)
        far = jnp.abs(edges(found) - edges(batch[1])).mean()
        return ((found - batch[1]) ** 2).mean() + 0.3 * far, hidden

    def error(params):
        return ((restored(params, speckled[:300], None)[0] - clean[:300]) ** 2).mean() / clean.var()

    return own(params, loss, (speckled, clean), optax.adam(3e-3), error, steps=300, batch=32)


@seventh(
    "units that died",
    "dead units",
    "gradients exactly zero",
    kind="rectified answer",
    family="convolutional",
    source="github.com/WeiTang114/MVCNN-TensorFlow/issues/14",
    title="Class predicted always 0",
)
def scores_of_views_that_are_rectified(broken: bool) -> Setup:
    """Shapes that are seen from four sides, by a network whose last layer has a rectifier, too.

    Seen: soon all inputs are said to be of class 0. Answer: the rectifier behind the last layer was removed, and it
    works.
    """
    params = filters(105, [1, 16]) | {"middle": dense(jax.random.key(106), 16 * 16, 48)}
    params["out"] = dense(jax.random.key(107), 48, 10, 1.0)

    def net(params, x, offsets):
        views = x.reshape(len(x), 2, 4, 2, 4).transpose(0, 1, 3, 2, 4).reshape(len(x), 4, 4, 4)
        maps = jax.vmap(lambda view: convolve(params["conv00"], view[..., None]), 1, 1)(views)
        hidden = []
        pooled = activated("relu", maps, hidden, offsets).max(1).reshape(len(x), -1)
        h = activated("relu", linear(params["middle"], pooled), hidden, offsets)
        scores = linear(params["out"], h)
        return (activated("relu", scores, hidden, offsets) if broken else scores), tuple(hidden)

    return classification(params, optax.sgd(0.03, 0.9), net=net, batch=16, steps=400)


@seventh(
    "learning rate too large",
    "units that died",
    kind="rate",
    family="convolutional",
    source="github.com/dpressel/rude-carnie/issues/35",
    title="the traing loss won't decrease for LeviHassner",
)
def default_rate_of_another_task(broken: bool) -> Setup:
    """Two layers of filters, and two behind them, at a default rate that was raised for another task.

    Seen: the loss does not decrease at all. Answer: the default rate was increased since the documentation was
    written; set it back explicitly, and the loss decreases.
    """
    params = filters(108, [1, 16, 16])
    params["out"] = mlp(109, [8 * 8 * 16, 48, 10])

    def net(params, x, offsets):
        hidden = []
        maps = x.reshape(len(x), 8, 8, 1)
        for name in ("conv00", "conv01"):
            maps = activated("relu", convolve(params[name], maps), hidden, offsets)
        h = activated("relu", linear(params["out"]["layer00"], maps.reshape(len(x), -1)), hidden, offsets)
        return linear(params["out"]["layer01"], h), tuple(hidden)

    schedule = optax.exponential_decay(1.0 if broken else 0.005, 200, 0.5, staircase=True)
    return classification(params, optax.sgd(schedule, 0.9), net=net, batch=50, steps=400)


@seventh(
    "updates point uphill",
    kind="wrong sign",
    family="convolutional",
    source="github.com/pytorch/pytorch/issues/1871",
    title='Mistake in "Deep Learning with PyTorch: A 60 Minute Blitz"',
)
def rule_of_a_tutorial(broken: bool) -> Setup:
    """Filters and means of four pixels in turn, by a rule that adds the rate times the gradient to the weights.

    Seen: a tutorial says weight = weight + rate * gradient. Answer: it is fixed; it is a minus.
    """
    params = filters(110, [1, 8, 16])
    params["out"] = mlp(111, [2 * 2 * 16, 32, 10], 1.0)

    def net(params, x, offsets):
        hidden = []
        maps = x.reshape(len(x), 8, 8, 1)
        for name in ("conv00", "conv01"):
            maps = activated("tanh", convolve(params[name], maps), hidden, offsets)
            half = maps.shape[1] // 2
            maps = maps.reshape(len(x), half, 2, half, 2, -1).mean((2, 4))
        h = activated("tanh", linear(params["out"]["layer00"], maps.reshape(len(x), -1)), hidden, offsets)
        return linear(params["out"]["layer01"], h), tuple(hidden)

    return classification(params, optax.scale(3e-3 if broken else -0.2), net=net, batch=32, steps=500)
