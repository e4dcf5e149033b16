"""Likelihoods: scales without a bound, a product that forgets its minus, and a logarithm that is left out."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, tenth


@tenth(
    "exploding",
    "not-a-number loss",
    "not-a-number gradients",
    kind="scale without a bound",
    family="likelihood",
    source="github.com/VincentStimper/normalizing-flows/issues/29",
    title="Negative KL divergence",
)
def scales_by_an_exponential(broken: bool) -> Setup:
    """A bent cloud of points by a flow of eight steps, whose scales are exponentials, or logistic functions.

    Seen: with the default of exponentials the divergence goes below zero, as it cannot. Answer: the report's own: with
    logistic scales the problem is gone.
    """
    draw = np.random.default_rng(783)
    first = draw.normal(size=(3000, 2))
    rest = np.stack([0.6 * first[:, 0] ** 2 + 0.5 * first[:, 1], np.sin(2 * first[:, 0])], axis=1)
    x = np.concatenate([first, rest + 0.1 * draw.normal(size=(3000, 2))], axis=1)
    x = ((x - x.mean(0)) / x.std(0)).astype(np.float32)
    params = {f"step{i}": mlp(783 + i, [2, 32, 32, 4]) for i in range(8)}
    for step in params.values():
        step["layer02"]["w"] = jnp.zeros((32, 4))

    def cost(params, x, offsets):
        hidden, total = [], 0.0
        for i in range(8):
            one, two = jnp.split(x, 2, axis=1)
            shift, scale = jnp.split(embedded(params[f"step{i}"], one, hidden, offsets), 2, axis=1)
            log = scale if broken else jax.nn.log_sigmoid(scale + 2)
            two, total = (two - shift) * jnp.exp(-log), total - log.sum(1)
            x = jnp.concatenate([two, one], axis=1)
        return (0.5 * (x**2).sum(1) - total).mean(), tuple(hidden)

    def loss(params, batch, offsets):
        return cost(params, batch[0], offsets)

    def error(params):
        found = cost(params, x[:600], None)[0]
        return jnp.nan_to_num(jnp.clip((found + 2.0) / (1.8 + 2.0), 0.0, 1e3), nan=1e3)

    return own(params, loss, (x,), optax.adam(2e-2), error, chance=1.8, steps=400, batch=64)


@jax.custom_vjp
def _product(shares):
    """The product over the last axis, with a slope that forgets the sign of what it is multiplied by."""
    return shares.prod(-1)


def _kept(shares):
    return shares.prod(-1), shares


def _slopes(shares, slope):
    del slope
    return (shares.prod(-1, keepdims=True) / shares / len(shares),)


_product.defvjp(_kept, _slopes)


@tenth(
    "updates point uphill",
    kind="slope that is not passed on",
    family="likelihood",
    source="github.com/pytorch/pytorch/issues/995",
    title="backward of -torch.prod(x) missing negative sign",
)
def product_that_forgets_its_minus(broken: bool) -> Setup:
    """Three marks of an example at once, by minus the product of their shares, whose slope ignores the minus.

    Seen: minus the product of 2 and 3 has the slopes 3 and 2, and not -3 and -2. Answer: what arrives from behind is
    not multiplied with; a bug of high priority.
    """
    draw = np.random.default_rng(789)
    x = draw.normal(size=(2000, 6)).astype(np.float32)
    marks = (x @ draw.normal(size=(6, 9))).reshape(-1, 3, 3).argmax(2).astype(np.int32)

    def scores(params, x, offsets):
        found, hidden = perceptron(params, x, offsets, "tanh")
        return found.reshape(len(x), 3, 3), hidden

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], offsets)
        shares = jnp.take_along_axis(jax.nn.softmax(found), batch[1][..., None], 2)[..., 0]
        return -(_product(shares) if broken else shares.prod(-1)).mean(), hidden

    def error(params):
        found = scores(params, x[1500:], None)[0].argmax(2)
        return (found != marks[1500:]).mean() / (2 / 3)

    data = (x[:1500], marks[:1500])
    return own(
        mlp(789, [6, 32, 32, 9], 1.0), loss, data, optax.sgd(0.3, 0.9), error, chance=-1 / 27, steps=300, batch=64
    )


@tenth(
    "the logarithm of the deviation is left out of the likelihood, so that the deviation grows without end",
    kind="term that is left out",
    family="likelihood",
    source="github.com/declare-lab/Multimodal-Infomax/issues/1",
    title="Question for Forward lld (gaussian prior) and entropy estimation in MMILB Module.",
)
def deviation_without_its_logarithm(broken: bool) -> Setup:
    """A number from five others, with a deviation of its own, by the likelihood of a normal distribution.

    Seen: the likelihood has the squared error over the variance, but no logarithm of the deviation. Answer: it was made
    like that of another method; another reader still asks where the logarithm is.
    """
    draw = np.random.default_rng(787)
    x = draw.normal(size=(1500, 5)).astype(np.float32)
    clean = np.sin(x[:, 0]) + 0.7 * x[:, 1] * x[:, 2] + 0.5 * x[:, 3]
    clean = ((clean - clean.mean()) / clean.std()).astype(np.float32)
    y = (clean + 0.2 * draw.normal(size=1500)).astype(np.float32)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "relu")
        log = found[:, 1]
        share = ((found[:, 0] - batch[1]) ** 2 / 2 * jnp.exp(-2 * log)).mean()
        return share if broken else share + log.mean(), hidden

    def error(params):
        found = perceptron(params, x[:500], None, "relu")[0][:, 0]
        return ((found - clean[:500]) ** 2).mean() / clean[:500].var()

    return own(mlp(787, [5, 48, 48, 2]), loss, (x, y), optax.sgd(0.03), error, steps=400, batch=32)
