"""Denoisers: a rate, and an average in sixteen bits."""

import jax
import jax.numpy as jnp
import optax

from faults.eleventh.diffusion import levels
from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, twelfth
from faults.tenth.diffusion import swings


def shaken(seed: int, count: int = 6000):
    """Curves, noise of their size, and how much of each curve is kept."""
    clean, draw = swings(seed, count)
    kept, noise = levels(draw, count)
    return clean, noise, kept


def noise_of(params, batch, offsets):
    """The noise that a network finds in curves, and what it has inside."""
    clean, noise, kept = batch
    noisy = jnp.sqrt(kept) * clean + jnp.sqrt(1 - kept) * noise
    return perceptron(params, jnp.concatenate([noisy, kept], axis=1), offsets, "relu")


@twelfth(
    "learning rate too large",
    "units that died",
    "exploding",
    kind="rate",
    family="diffusion",
    source="github.com/ivanvovk/WaveGrad/issues/3",
    title="loss explode question",
)
def rate_by_default(broken: bool) -> Setup:
    """The noise in curves, at a rate that is too large for them, or at a smaller one.

    Seen: the loss is NaN at the default rate, and explodes at half of it. Answer: let it fall faster; with half of the
    rate and a faster fall, it is fine.
    """
    data = shaken(1219)

    def loss(params, batch, offsets):
        found, hidden = noise_of(params, batch, offsets)
        return jnp.abs(found - batch[1]).mean(), hidden

    def error(params):
        found, _ = noise_of(params, tuple(each[:800] for each in data), None)
        return ((found - data[1][:800]) ** 2).mean()

    rate = 0.5 if broken else 3e-3
    optimizer = optax.adam(optax.exponential_decay(rate, 100, 0.95 if broken else 0.9))
    return own(mlp(1219, [9, 64, 64, 64, 8]), loss, data, optimizer, error, steps=400, batch=64)


@twelfth(
    "updates lost to rounding",
    kind="precision of an average",
    family="diffusion",
    source="github.com/d8ahazard/sd_dreambooth_extension/pull/1415",
    title="Use float32 for EMA model",
)
def average_in_sixteen_bits(broken: bool) -> Setup:
    """The noise in curves, by a running average of weights, which is kept in bfloat16, or in float32.

    Seen: sixteen bits cannot tell apart changes of a thousandth, so that almost all updates of the average are rounded
    to nothing. Answer: float32 for it, always; closed for another request that was merged.
    """
    data = shaken(1221)
    start = mlp(1221, [9, 64, 64, 8])
    stored = jnp.bfloat16 if broken else jnp.float32
    params = {"online": start, "average": jax.tree.map(lambda w: w.astype(stored), start)}

    def loss(params, batch, offsets):
        held = jax.lax.stop_gradient
        found, hidden = noise_of(params["online"], batch, offsets)
        near = jax.tree.map(lambda w, new: ((w.astype(jnp.float32) - held(new)) ** 2).sum(), *_pair(params))
        pull = 0.5 * sum(jax.tree.leaves(near))
        return ((found - batch[1]) ** 2).mean() + pull - held(pull), hidden

    def error(params):
        average = jax.tree.map(lambda w: w.astype(jnp.float32), params["average"])
        found, _ = noise_of(average, tuple(each[:800] for each in data), None)
        return ((found - data[1][:800]) ** 2).mean()

    rates = {"online": optax.adam(3e-3), "average": optax.sgd(0.005)}
    optimizer = optax.multi_transform({**rates}, {"online": "online", "average": "average"})
    return own(params, loss, data, optimizer, error, chance=1.0, steps=1000, batch=64)


def _pair(params):
    return params["average"], params["online"]
