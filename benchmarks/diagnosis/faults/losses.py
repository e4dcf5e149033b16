"""Losses that do not say what is meant."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import classification, cross_entropy, curve, own, regression
from faults.registry import Setup, fault


def _spirals():
    t = np.linspace(0.5, 2.2, 200) * 2 * np.pi
    arm = np.stack([t * np.cos(t), t * np.sin(t)], 1) / 10
    return np.concatenate([arm, -arm]).astype(np.float32), np.repeat([0.0, 1.0], 200).astype(np.float32)


def _binary(examples: int = 256):
    x = np.random.default_rng(3).uniform(size=(examples, 2)).astype(np.float32)
    return x, (x.sum(1) > 1).astype(np.float32)


@fault("constant answer", family="regression", source="jax-ml/jax #2697", shown=True)
def broadcast_shapes(broken: bool) -> Setup:
    """Predictions (N, 1) minus targets (N,)."""

    def loss(p, y):
        return ((p if broken else p[:, 0]) - y).__pow__(2).mean()

    return regression(mlp(0, [2, 64, 64, 64, 1]), optax.adam(3e-3), data=_spirals(), kind="relu", loss=loss, steps=600)


@fault("gradients exactly zero", family="feed-forward", source="keras-team/keras #126", shown=True)
def softmax_of_one(broken: bool) -> Setup:
    """A softmax over a single unit."""
    squash = (lambda z: jax.nn.softmax(z, axis=1)) if broken else jax.nn.sigmoid

    def loss(z, y):
        return ((squash(z)[:, 0] - y) ** 2).mean()

    return regression(
        mlp(0, [2, 64, 64, 1], 1.0), optax.sgd(0.1, 0.9), data=_binary(), loss=loss, truth=loss, steps=300
    )


@fault("not-a-number gradients", family="feed-forward", source="jax-ml/jax #5798", shown=True)
def root_behind_where(broken: bool) -> Setup:
    """The root of a distance of zero behind `where`."""

    def distances(points, broken):
        square = ((points[:, None] - points[None]) ** 2).sum(-1)
        off = ~jnp.eye(len(points), dtype=bool)
        return jnp.where(off, jnp.sqrt(square if broken else jnp.where(off, square, 1.0)), 0.0)

    wanted = distances(jax.random.normal(jax.random.key(1), (12, 2)), False)
    x = jax.random.normal(jax.random.key(0), (12, 6))

    def loss(params, batch, offsets):
        points, hidden = perceptron(params, batch[0], offsets, "tanh")
        return ((distances(points, broken) - wanted) ** 2).mean(), hidden

    def error(params):
        return ((distances(perceptron(params, x, None, "tanh")[0], False) - wanted) ** 2).mean() / wanted.var()

    params = mlp(2, [6, 32, 32, 2], 1.0)
    return own(params, loss, (x,), optax.adam(1e-2), error, chance=float(wanted.var()))


@fault("softmax applied twice", family="feed-forward", source="epcsirmaz.blogspot.com/2019")
def softmax_twice(broken: bool) -> Setup:
    """A softmax before a cross-entropy that has its own; the loss that is left is what it costs."""

    def loss(z, y):
        return cross_entropy(jax.nn.softmax(z) if broken else z, y)

    setup = classification(mlp(0, [64, 64, 64, 10]), optax.adam(3e-3), loss=loss, steps=300)

    def left(params):
        return float(setup.loss(params, setup.data, None)[0]) / 2.302585

    return Setup(**{**vars(setup), "error": left})


@fault("first loss too large", "learning rate too large", family="feed-forward", source="jax-ml/jax #3113")
def summed_loss(broken: bool) -> Setup:
    """A sum over the batch where a mean is meant."""

    def loss(z, y):
        return cross_entropy(z, y) * (128 if broken else 1)

    return classification(mlp(0, [64, 64, 64, 10]), optax.sgd(0.1), loss=loss)


@fault(
    "gradients exactly zero",
    "dead units",
    "units that died",
    family="regression",
    source="ProteomicsML/ProteomicsML #203",
)
def rectified_output(broken: bool) -> Setup:
    """A rectifier behind the last layer, which is negative for every example."""
    x, y = curve()
    y = y - y.min() + 0.5
    params = mlp(0, [3, 32, 32, 1])
    params["layer02"]["b"] = params["layer02"]["b"] - (8.0 if broken else 0.0)

    def loss(p, y):
        return ((jax.nn.relu(p[:, 0]) if broken else p[:, 0]) - y).__pow__(2).mean()

    return regression(params, optax.adam(3e-3), data=(x, y), kind="relu", loss=loss, truth=loss)


@fault("saturated loss", "saturation", family="regression", source="stackoverflow.com 61392480")
def wrong_side_of_tanh(broken: bool) -> Setup:
    """A tanh at the output under a squared error, which saturates at the wrong sign."""
    x, y = _binary()
    params = mlp(1, [2, 32, 32, 1], 1.0)
    scale = 400.0 if broken else 1.0
    params["layer02"]["w"] = params["layer02"]["w"] * scale

    def loss(z, y):
        return ((jnp.tanh(z[:, 0]) - (2 * y - 1)) ** 2).mean() / 4

    return regression(params, optax.sgd(0.3), data=(x, y), loss=loss, truth=loss, steps=300)


@fault("not-a-number loss", "not-a-number gradients", family="likelihood", source="hwalsuklee/tensorflow-mnist-VAE #4")
def logarithm_of_zero(broken: bool) -> Setup:
    """A binary cross-entropy whose probabilities round to zero and one."""
    x, y = _binary()

    def loss(z, y):
        z = 3 * z[:, 0]
        p = jax.nn.sigmoid(z)
        plain = -(y * jnp.log(p) + (1 - y) * jnp.log(1 - p)).mean()
        return plain if broken else optax.sigmoid_binary_cross_entropy(z, y).mean()

    def truth(z, y):
        return ((z[:, 0] > 0) != (y > 0.5)).mean() * 0.5

    return regression(
        mlp(0, [2, 32, 32, 1]),
        optax.adam(0.02),
        data=(x, y),
        kind="relu",
        loss=loss,
        truth=truth,
        chance=0.6931,
        steps=800,
    )


@fault("not-a-number gradients", "not-a-number loss", family="likelihood", source="mkocabas/focal-loss-keras #17")
def focal_at_one(broken: bool) -> Setup:
    """A focal loss with an exponent below one, whose derivative is infinite where an answer is wholly right."""
    epsilon = 0.0 if broken else 1e-6

    def loss(z, labels):
        p = jnp.take_along_axis(jax.nn.softmax(20 * z), labels[:, None], axis=1)[:, 0]
        return -((1 - p + epsilon) ** 0.5 * jnp.log(p + epsilon)).mean()

    return classification(mlp(0, [64, 64, 64, 10]), optax.adam(3e-3), loss=loss, steps=300)


@fault("not-a-number gradients", family="regression", source="jax-ml/jax #3058")
def norm_of_zero(broken: bool) -> Setup:
    """A penalty on the norm of a layer that starts at zero."""
    params = mlp(0, [3, 32, 32, 1], 1.0)
    params["layer02"] = jax.tree.map(jnp.zeros_like, params["layer02"])
    x, y = curve()

    def loss(given, batch, offsets):
        p, hidden = perceptron(given, batch[0], offsets, "tanh")
        w = given["layer02"]["w"]
        size = jnp.linalg.norm(w) if broken else jnp.sqrt((w**2).sum() + 1e-6)
        return ((p[:, 0] - batch[1]) ** 2).mean() + 1e-4 * size, hidden

    def error(given):
        return ((perceptron(given, x, None, "tanh")[0][:, 0] - y) ** 2).mean() / y.var()

    return own(params, loss, (x, y), optax.adam(1e-2), error, chance=float(y.var()), steps=400)


@fault("not-a-number loss", family="feed-forward", source="prs-eth/Marigold #111")
def missing_values(broken: bool) -> Setup:
    """Inputs that hold a NaN."""
    setup = classification(mlp(0, [64, 48, 48, 10]), optax.adam(1e-3))
    x = np.array(setup.data[0])
    x[::7, 5] = np.nan if broken else 0.0
    return Setup(**{**vars(setup), "data": (x, setup.data[1])})


@fault("not-a-number loss", family="feed-forward", source="evandowning/deepreflect #11")
def constant_column(broken: bool) -> Setup:
    """Inputs divided by the deviation of each column, one of which is constant."""
    setup = classification(mlp(0, [64, 48, 48, 10], 1.0), optax.adam(1e-3), kind="tanh")
    x = np.array(setup.data[0])
    x[:, 0] = 0
    with np.errstate(invalid="ignore"):
        x = (x - x.mean(0)) / (x.std(0) + (0.0 if broken else 1.0))
    return Setup(**{**vars(setup), "data": (x, setup.data[1])})
