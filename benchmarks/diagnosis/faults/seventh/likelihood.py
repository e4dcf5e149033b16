"""Likelihoods: probabilities of zero, sums of many products, and a disturbed signal."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import activated, linear, mlp
from faults.problems import own
from faults.registry import Setup, seventh

GLITCH = 3943
"""A signal that is drawn once, at step 275 of 550."""


@seventh(
    "not-a-number loss",
    "not-a-number gradients",
    kind="logarithm of zero",
    family="likelihood",
    source="github.com/RasmussenLab/vamb/issues/12",
    title="nan's after some epochs",
)
def depths_of_nothing(broken: bool) -> Setup:
    """In which of eight samples a piece of a genome is, through a code; probabilities fall to exactly zero.

    Seen: NaN after some epochs. Answer: a probability of exactly 0.0, whose logarithm cannot be taken; a number that
    is added to it.
    """
    draw = np.random.default_rng(141)
    origin = draw.integers(8, size=2000)
    depth = np.eye(8)[origin].astype(np.float32)
    letters = (draw.normal(size=(8, 16))[origin] + 0.3 * draw.normal(size=(2000, 16))).astype(np.float32)
    noise = draw.normal(size=(2000, 4)).astype(np.float32)
    seen = np.concatenate([depth, letters], axis=1)
    params = {"encoder": mlp(141, [24, 64, 8]), "decoder": mlp(142, [4, 64, 8])}

    def back(params, seen, noise, offsets):
        hidden = []
        mean, log = jnp.split(embedded(params["encoder"], seen, hidden, offsets, "leaky_relu"), 2, axis=1)
        log = 4 * jnp.tanh(log / 4)
        code = mean + jnp.exp(log / 2) * noise
        return embedded(params["decoder"], code, hidden, offsets, "leaky_relu"), mean, log, tuple(hidden)

    def loss(params, batch, offsets):
        scores, mean, log, hidden = back(params, *batch[:2], offsets)
        likely = jax.nn.softmax(scores)
        logs = jnp.log(likely if broken else likely + 1e-9)
        divergence = 0.5 * (mean**2 + jnp.exp(log) - log - 1).sum(1)
        return (1e-3 * divergence - (batch[2] * logs).sum(1)).mean(), hidden

    def error(params):
        scores = back(params, seen[:400], 0 * noise[:400], None)[0]
        return ((jax.nn.softmax(scores) - depth[:400]) ** 2).mean() / depth.var(0).mean()

    more = {"chance": float(np.log(8)), "steps": 400, "batch": 64}
    return own(params, loss, (seen, noise, depth), optax.adam(0.03), error, **more)


@seventh(
    "first loss too large",
    "exploding",
    kind="initialisation",
    family="likelihood",
    source="github.com/VinceShieh/spark-ffm/issues/12",
    title="Weight Initialisation might be a cause for loss NaN",
)
def products_of_many_fields(broken: bool) -> Setup:
    """Whether something is clicked, by the sum of all products of what twelve fields say to each other.

    Seen: the deviation of the sum is the root of the number of products, and its exponential is not finite. Answer:
    a question back; the report itself says to draw the weights from a narrower distribution.
    """
    draw = np.random.default_rng(143)
    fields, values, factors = 12, 10, 8
    x = draw.integers(values, size=(3000, fields)).astype(np.int32)
    taste = draw.normal(size=(fields, values))
    clicked = (taste[np.arange(fields), x].sum(1) > 0).astype(np.float32)
    scale = 1.0 if broken else 0.05
    keys = jax.random.split(jax.random.key(143), 2)
    params = {
        "pairs": {"w": scale * jax.random.normal(keys[0], (fields, values, fields, factors))},
        "alone": {"w": scale * jax.random.normal(keys[1], (fields, values))},
    }
    upper = jnp.asarray(np.triu(np.ones((fields, fields), np.float32), 1))

    def odds(params, x, offsets):
        hidden = []
        said = params["pairs"]["w"][jnp.arange(fields), x]
        both = (jnp.einsum("nijk,njik->nij", said, said) * upper).sum((1, 2))
        z = both + params["alone"]["w"][jnp.arange(fields), x].sum(1)
        return activated("linear", z[:, None], hidden, offsets)[:, 0], tuple(hidden)

    def loss(params, batch, offsets):
        z, hidden = odds(params, batch[0], offsets)
        return optax.sigmoid_binary_cross_entropy(z, batch[1]).mean(), hidden

    others = slice(2400, None)

    def error(params):
        return 2 * ((odds(params, x[others], None)[0] > 0) != (clicked[others] > 0)).mean()

    more = {"chance": float(np.log(2)), "steps": 150, "batch": 64}
    return own(params, loss, (x[:2400], clicked[:2400]), optax.adagrad(0.1), error, **more)


@seventh(
    "loss spike",
    "learning rate too large",
    kind="a single bad example",
    family="likelihood",
    source="github.com/ML4GW/amplfi/pull/222",
    title="Add gradient tracking callback",
)
def signal_with_a_glitch(broken: bool) -> Setup:
    """The pitch of a chirp with its uncertainty, by a network that meets one signal with a glitch.

    Seen: a huge spike in the losses of training and of validation. Answer: likely a bad batch; clip the gradients.
    """
    draw = np.random.default_rng(144)
    pitch = draw.uniform(0.3, 0.7, size=8000)
    time = np.arange(16)
    chirp = np.cos(pitch[:, None] * time + 0.02 * time**2) + 0.2 * draw.normal(size=(8000, 16))
    wanted = ((pitch - 0.5) / 0.115).astype(np.float32)
    signal = chirp.astype(np.float32)
    signal[GLITCH] *= 3000.0
    params = {"trunk": mlp(144, [16, 48, 48], 2.0), "head": mlp(145, [48, 2], 1.0)}

    def posterior(params, signal, offsets):
        hidden = []
        h = activated("relu", linear(params["trunk"]["layer00"], signal), hidden, offsets)
        h = activated("relu", linear(params["trunk"]["layer01"], h), hidden, offsets)
        mean, log = linear(params["head"]["layer00"], h).T
        return mean, 3 * jnp.tanh(log / 3), tuple(hidden)

    def loss(params, batch, offsets):
        mean, log, hidden = posterior(params, batch[0], offsets)
        return (0.5 * ((batch[1] - mean) * jnp.exp(-log)) ** 2 + log).mean(), hidden

    others = np.arange(8000) != GLITCH

    def error(params):
        mean = posterior(params, signal[others][:600], None)[0]
        return ((mean - wanted[others][:600]) ** 2).mean() / wanted.var()

    step = optax.sgd(2e-3, 0.9)
    optimizer = step if broken else optax.chain(optax.clip_by_global_norm(1.0), step)
    return own(params, loss, (signal, wanted), optimizer, error, chance=0.5, steps=500, batch=32)
