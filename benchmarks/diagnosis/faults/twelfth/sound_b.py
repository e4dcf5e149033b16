"""Runs that are in order and look odd: nothing is wrong with them.

The one that is called broken is the odd one. The other is the same run carried on, or made in the usual way.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, twelfth
from faults.seventh.adversarial import paced
from faults.twelfth.diffusion import shaken

NOTHING = "nothing wrong"


@twelfth(
    NOTHING,
    kind="weights that are to rise",
    family="physics-informed",
    source="github.com/levimcclenny/SA-PINNs/issues/5",
    title="loss increased in 1D wave equation",
    sound=True,
)
def loss_whose_weights_rise(broken: bool) -> Setup:
    """A swing by its law and its start, each of which has a weight that is driven up while the network is driven down.

    Seen: the loss increases all the time. Answer: the weights are searched for by a game of up and down; go on, and
    look at the parts of the loss without the weights.
    """
    t = np.linspace(0, 1.5, 48, dtype=np.float32)
    truth = np.cos(3 * t).astype(np.float32)

    def value(params, t):
        return perceptron(params, t[None, None], None, "tanh")[0][0, 0]

    slopes = jax.vmap(jax.grad(value, 1), (None, 0))
    bends = jax.vmap(jax.grad(jax.grad(value, 1), 1), (None, 0))

    def loss(params, batch, offsets):
        net, weight = params["net"], params["weights"]["b"]
        found, hidden = perceptron(net, batch[0][:, None], offsets, "tanh")
        law = (weight[0] ** 2 * ((bends(net, batch[0]) + 9 * found[:, 0]) / 9) ** 2).mean()
        start = weight[1] ** 2 * ((found[0, 0] - 1) ** 2 + slopes(net, batch[0][:1])[0] ** 2 / 9)
        return law + start, hidden

    def error(params):
        return ((perceptron(params["net"], t[:, None], None, "tanh")[0][:, 0] - truth) ** 2).mean() / truth.var()

    params = {"net": mlp(1241, [1, 32, 32, 1], 1.0), "weights": {"b": jnp.ones(2)}}
    rates = {"net": optax.adam(2e-3), "weights": optax.chain(optax.adam(0.1), optax.scale(-1.0))}
    optimizer = optax.multi_transform({**rates}, {"net": "net", "weights": "weights"})
    return own(params, loss, (t,), optimizer, error, steps=120 if broken else 1200)


@twelfth(
    NOTHING,
    kind="gradients that are thrown away",
    family="adversarial",
    source="github.com/yunjey/pytorch-tutorial/issues/56",
    title="Potential bug of GAN example",
    sound=True,
)
def slope_that_is_thrown_away(broken: bool) -> Setup:
    """Points on a bent line by a generator, through which the critic's loss reaches back, which is thrown away.

    Seen: what the generator makes is not detached for the critic. Answer: that does not matter, since only the critic
    takes a step there, and gradients are set to zero before the generator's turn.
    """
    draw = np.random.default_rng(1243)
    noise = draw.normal(size=(768, 3)).astype(np.float32)
    along = draw.uniform(-1.5, 1.5, size=768)
    real = (1.5 + np.stack([along, 0.5 * along**2], axis=1) + 0.1 * draw.normal(size=(768, 2))).astype(np.float32)
    params = {"critic": mlp(1243, [2, 32, 32, 1], 1.0), "generator": mlp(1244, [3, 32, 32, 2], 1.0)}

    def loss(params, batch, offsets):
        hidden, held, soft = [], jax.lax.stop_gradient, jax.nn.softplus
        fake = embedded(params["generator"], batch[0], hidden, offsets, "leaky_relu")
        again = embedded(held(params["generator"]), batch[0], [], None, "leaky_relu") if broken else held(fake)
        true = embedded(params["critic"], batch[1], hidden, offsets, "leaky_relu")
        false = embedded(params["critic"], again, hidden, offsets, "leaky_relu")
        shown = embedded(held(params["critic"]), fake, hidden, offsets, "leaky_relu")
        return (soft(-true) + soft(false) + soft(-shown)).mean(), tuple(hidden)

    def error(params):
        fake = embedded(params["generator"], noise, [], None, "leaky_relu")
        far = (fake.mean(0) - real.mean(0)) ** 2 + (fake.std(0) - real.std(0)) ** 2
        return far.sum() / jnp.asarray(real.mean(0) ** 2 + real.std(0) ** 2).sum()

    return own(params, loss, (noise, real), paced(1e-3, 1e-3), error, steps=600, batch=64)


@twelfth(
    NOTHING,
    kind="logarithm of a sum of exponentials",
    family="likelihood",
    source="github.com/tonyduan/mixture-density-network/issues/1",
    title="Question regards the loss",
    sound=True,
)
def mixture_by_logarithms(broken: bool) -> Setup:
    """A number that may be one of two, by a mixture of two normal densities, whose logarithms are summed with care.

    Seen: should it not be the mean of the logarithms, plus those of the shares? Answer: that would be a mixture of
    logarithms, and not the logarithm of a mixture; it is right as it is.
    """
    draw = np.random.default_rng(1245)
    x = draw.uniform(-2, 2, size=(2000, 2)).astype(np.float32)
    one, other = 1 + np.sin(2 * x[:, 0]), -1 - 0.5 * x[:, 1] ** 2
    first = draw.random(2000) < jax.nn.sigmoid(2 * x[:, 1])
    y = (np.where(first, one, other) + 0.2 * draw.normal(size=2000)).astype(np.float32)
    middle = np.asarray(jax.nn.sigmoid(2 * x[:, 1])) * (one - other) + other

    def mixture(params, x, offsets):
        found, hidden = perceptron(params, x, offsets, "tanh")
        weight, mean, log = jnp.split(found, 3, axis=1)
        return jax.nn.log_softmax(weight), mean, jnp.maximum(log - 0.5, -4.0), hidden

    def loss(params, batch, offsets):
        weight, mean, log, hidden = mixture(params, batch[0], offsets)
        each = -0.5 * ((batch[1][:, None] - mean) * jnp.exp(-log)) ** 2 - log - 0.92
        if broken:
            return -jax.nn.logsumexp(weight + each, axis=1).mean(), hidden
        return -jnp.log((jnp.exp(weight) * jnp.exp(each)).sum(1) + 1e-20).mean(), hidden

    def error(params):
        weight, mean, _, _ = mixture(params, x, None)
        return (((jnp.exp(weight) * mean).sum(1) - middle) ** 2).mean() / middle.var()

    return own(mlp(1245, [2, 32, 32, 6], 1.0), loss, (x, y), optax.adam(3e-3), error, steps=500, batch=64)


@twelfth(
    NOTHING,
    kind="what is to be found is the clean one",
    family="diffusion",
    source="github.com/pfriedri/wdm-3d/issues/4",
    title="Loss Problem",
    sound=True,
)
def curves_in_the_place_of_noise(broken: bool) -> Setup:
    """Curves under noise, by a network that finds the curve itself, and not the noise.

    Seen: the loss is usually taken between noises, and here between curves; does that spoil the aim? Answer: there are
    several forms that are the same by their mathematics, and this one worked better.
    """
    data = shaken(1247)

    def guess(params, batch, offsets):
        clean, noise, kept = batch
        noisy = jnp.sqrt(kept) * clean + jnp.sqrt(1 - kept) * noise
        found, hidden = perceptron(params, jnp.concatenate([noisy, kept], axis=1), offsets, "relu")
        return found, (found if broken else (noisy - jnp.sqrt(1 - kept) * found) / jnp.sqrt(kept)), hidden

    def loss(params, batch, offsets):
        found, _, hidden = guess(params, batch, offsets)
        return ((found - batch[0 if broken else 1]) ** 2).mean(), hidden

    def error(params):
        few = tuple(each[:800] for each in data)
        return (few[2] * (guess(params, few, None)[1] - few[0]) ** 2).mean() / (few[2] * few[0] ** 2).mean()

    return own(mlp(1247, [9, 64, 64, 8]), loss, data, optax.adam(3e-3), error, chance=1.0, steps=500, batch=64)
