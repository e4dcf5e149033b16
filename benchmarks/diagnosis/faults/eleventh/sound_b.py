"""Runs that are in order and look odd: nothing is wrong with them.

The one that is called broken is the odd one. The other is the same run carried on, or made in the usual way.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import mlp, perceptron
from faults.problems import digits, own
from faults.registry import Setup, eleventh
from faults.seventh.adversarial import paced, rivals

NOTHING = "nothing wrong"


@eleventh(
    NOTHING,
    kind="all pairs that are meant",
    family="value regression",
    source="github.com/Kchu/DeepRL_PyTorch/issues/1",
    title="A question about the codes",
    sound=True,
)
def quantiles_against_all_samples(broken: bool) -> Setup:
    """What states are worth, as eight quantiles, each of which is compared with all eight samples of the truth.

    Seen: a warning that sizes differ, so that results are likely wrong, due to broadcasting. Answer: it is no bug; see
    how the loss of quantiles is computed.
    """
    draw = np.random.default_rng(1171)
    x = draw.normal(size=(2000, 4)).astype(np.float32)
    middle = np.tanh(x[:, 0] + x[:, 1]) + 0.5 * x[:, 2]
    samples = (middle[:, None] + 0.3 * draw.normal(size=(2000, 8))).astype(np.float32)
    share = ((np.arange(8) + 0.5) / 8).astype(np.float32)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "relu")
        if broken:
            off = batch[1][:, None, :] - found[:, :, None]
        else:
            off = jnp.stack([batch[1] - found[:, i : i + 1] for i in range(8)], axis=1)
        size = jnp.where(jnp.abs(off) < 1, 0.5 * off**2, jnp.abs(off) - 0.5)
        return (jnp.abs(share[:, None] - (off < 0)) * size).sum(1).mean(), hidden

    def error(params):
        return ((perceptron(params, x, None, "relu")[0].mean(1) - middle) ** 2).mean() / middle.var()

    return own(mlp(1171, [4, 48, 48, 8]), loss, (x, samples), optax.adam(3e-3), error, steps=400, batch=64)


@eleventh(
    NOTHING,
    kind="density above one",
    family="likelihood",
    source="github.com/cpmpercussion/keras-mdn-layer/issues/42",
    title="Negative loss more clearly explanation",
    sound=True,
)
def mixtures_of_sharp_densities(broken: bool) -> Setup:
    """A number that is known to a hundredth, by a mixture of three normal densities, whose loss goes below zero.

    Seen: a density lies between zero and one, so that minus its logarithm should be positive; why is it negative?
    Answer: that is no right assumption; a density can be above one.
    """
    draw = np.random.default_rng(1173)
    x = draw.uniform(-2, 2, size=(2000, 2)).astype(np.float32)
    clean = 0.2 * np.sin(2 * x[:, 0]) + 0.1 * x[:, 1]
    y = (clean + 0.01 * draw.normal(size=2000)).astype(np.float32)

    def mixture(params, x, offsets):
        found, hidden = perceptron(params, x, offsets, "tanh")
        weight, mean, log = jnp.split(found, 3, axis=1)
        return jax.nn.log_softmax(weight), mean, jnp.maximum(log - 1, -5.0), hidden

    def loss(params, batch, offsets):
        weight, mean, log, hidden = mixture(params, batch[0], offsets)
        each = weight - 0.5 * ((batch[1][:, None] - mean) * jnp.exp(-log)) ** 2 - log - 0.92
        return -jax.nn.logsumexp(each, axis=1).mean(), hidden

    def error(params):
        weight, mean, _, _ = mixture(params, x, None)
        return (((jnp.exp(weight) * mean).sum(1) - clean) ** 2).mean() / clean.var()

    steps = 400 if broken else 800
    return own(mlp(1173, [2, 32, 32, 9], 1.0), loss, (x, y), optax.adam(3e-3), error, steps=steps, batch=64)


@eleventh(
    NOTHING,
    kind="another loss than that of the paper",
    family="adversarial",
    source="github.com/carpedm20/DCGAN-tensorflow/issues/33",
    title="Different loss than the original paper",
    sound=True,
)
def loss_of_the_sentence_below(broken: bool) -> Setup:
    """Points on a bent line by a generator that is to be taken for true, and not to be found out less.

    Seen: the loss of the generator is another one than the paper's. Answer: the paper says below its formula that the
    other one has the same fixed point, and much stronger gradients early on.
    """

    def judge(true, false, shown):
        return (jax.nn.softplus(-true) + jax.nn.softplus(false) + jax.nn.softplus(-shown)).mean()

    steps = 500 if broken else 1000
    return rivals(1175, judge, paced(1e-3, 1e-3), place=1.5, steps=steps, batch=64)


@eleventh(
    NOTHING,
    kind="minus before the logarithm of a share",
    family="contrastive",
    source="github.com/fiveai/on-episodes-fsl/issues/3",
    title="Question about sign of loss",
    sound=True,
)
def share_of_the_own_class(broken: bool) -> Setup:
    """Which others of a batch are of the same class, by minus the logarithm of their share among all, by distances.

    Seen: the loss is multiplied by minus one, so that what is above would be made small, and those are the distances of
    examples of one class. Answer: above are exponentials of minus the distances, which are to be large.
    """
    x, y, x_other, y_other = digits()

    def loss(params, batch, offsets):
        hidden = []
        z = embedded(params, batch[0], hidden, offsets, "tanh")
        square = ((z[:, None] - z[None]) ** 2).sum(-1)
        own_self = jnp.eye(len(z), dtype=bool)
        near = jnp.where(own_self, -1e9, -square)
        same = (batch[1][:, None] == batch[1][None]) & ~own_self
        share = jax.nn.logsumexp(jnp.where(same, near, -1e9), axis=1) - jax.nn.logsumexp(near, axis=1)
        paired = same.any(1)
        return -(share * paired).sum() / paired.sum(), tuple(hidden)

    def error(params):
        known, asked = (embedded(params, each, [], None, "tanh") for each in (x, x_other))
        nearest = ((asked[:, None] - known[None]) ** 2).sum(-1).argmin(1)
        return (jnp.asarray(y)[nearest] != y_other).mean() / 0.9

    steps = 200 if broken else 400
    return own(mlp(1177, [64, 48, 16], 1.0), loss, (x, y), optax.adam(3e-3), error, steps=steps, batch=64)
