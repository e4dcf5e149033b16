"""Likelihoods: densities that round to zero, and an event that is not like others."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, ninth

ROOT = float(np.log(2 * np.pi)) / 2
STRAY = 850
"""An event that is drawn once, late in the run."""


@ninth(
    "not-a-number loss",
    "not-a-number gradients",
    kind="logarithm of a density that rounds to zero",
    family="likelihood",
    source="github.com/motokimura/PyTorch_Gaussian_YOLOv3/issues/23",
    title="Got NaN loss when use the Gaussian idea to regression TASK.",
)
def densities_of_a_narrow_box(broken: bool) -> Setup:
    """Where something is, with how sure the network is of it, by the logarithm of a density of small deviations.

    Seen: the loss is NaN, and clipping and a small rate delay it only. Answer: a constant of 0.3 that is added to the
    deviations, which made it stable.
    """
    draw = np.random.default_rng(601)
    x = draw.normal(size=(1500, 4)).astype(np.float32)
    spread = 0.02 + 0.4 * (x[:, 3] > 0.5)
    y = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + spread * draw.normal(size=1500)
    y = (y / y.std()).astype(np.float32)

    def parts(params, x, offsets):
        found, hidden = perceptron(params, x, offsets, "relu")
        return found[:, 0], jax.nn.sigmoid(found[:, 1]) + (1e-4 if broken else 0.3), hidden

    def loss(params, batch, offsets):
        mean, deviation, hidden = parts(params, batch[0], offsets)
        density = jnp.exp(-0.5 * ((batch[1] - mean) / deviation) ** 2) / deviation / (2 * np.pi) ** 0.5
        return -jnp.log(density).mean(), hidden

    def error(params):
        return ((parts(params, x[:500], None)[0] - y[:500]) ** 2).mean() / y.var()

    optimizer = optax.chain(optax.clip_by_global_norm(5.0), optax.adam(3e-3))
    params = mlp(601, [4, 48, 48, 2])
    params["layer02"]["w"] = 0.2 * params["layer02"]["w"]
    return own(params, loss, (x, y), optimizer, error, steps=500, batch=32)


@ninth(
    "loss spike",
    "exploding",
    kind="a single bad example",
    family="likelihood",
    source="github.com/ML4GW/amplfi/pull/222",
    title="Add gradient tracking callback",
)
def event_in_a_bad_batch(broken: bool) -> Setup:
    """What made a signal, by a flow of one step that depends on it, and one event that is far larger.

    Seen: a huge spike in both losses, probably due to a bad batch. Answer: clip gradients; the callback that tracks
    them was merged.
    """
    draw = np.random.default_rng(602)
    x = draw.normal(size=(6000, 6)).astype(np.float32)
    y = np.tanh(x[:, 0] + x[:, 1]) + 0.5 * x[:, 2] * x[:, 3] + 0.3 * draw.normal(size=6000)
    y = (y / y.std()).astype(np.float32)
    others = np.arange(6000) != STRAY
    clean = y.copy()
    y[STRAY] = 300.0

    def parts(params, x, offsets):
        found, hidden = perceptron(params, x, offsets, "tanh")
        return found[:, 0], jnp.tanh(found[:, 1]), hidden

    def loss(params, batch, offsets):
        mean, log, hidden = parts(params, batch[0], offsets)
        return (ROOT + log + 0.5 * ((batch[1] - mean) * jnp.exp(-log)) ** 2).mean(), hidden

    def error(params):
        kept = x[others][:800]
        return ((parts(params, kept, None)[0] - clean[others][:800]) ** 2).mean() / clean.var()

    step = optax.sgd(0.01, 0.9)
    optimizer = step if broken else optax.chain(optax.clip_by_global_norm(1.0), step)
    chance = ROOT + 0.5
    return own(mlp(602, [6, 32, 32, 2], 1.0), loss, (x, y), optimizer, error, chance=chance, steps=500, batch=16)
