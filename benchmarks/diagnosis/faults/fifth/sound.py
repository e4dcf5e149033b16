"""Runs that are in order and look odd: nothing is wrong with them.

The one that is called broken is the odd one. The other is the same run carried on, or made in the usual way.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.convolutional import flat
from faults.nets import Kind, activated, dense, linear, mlp, perceptron
from faults.problems import classification, classified, cross_entropy, curve, digits, own
from faults.registry import Setup, fifth
from faults.second.adversarial import duel
from faults.second.convolutional import filters
from faults.second.recurrent import UNITS, cell, states

NOTHING = "nothing wrong"


@jax.custom_vjp
def _amplified(x, scale):
    """What is given, whose gradients are multiplied by `scale`."""
    return x


_amplified.defvjp(lambda x, scale: (x, scale), lambda scale, g: (g * scale, jnp.zeros_like(scale)))


@fifth(
    NOTHING,
    kind="loss below zero",
    family="likelihood",
    source="github.com/google-deepmind/distrax/issues/202",
    title="MNIST with flow.py: negative losses",
    sound=True,
)
def densities_far_above_one(broken: bool) -> Setup:
    """A flow of sixteen small numbers each, whose loss is far below zero and falls on.

    Seen: losses of -3,000. Answer: it is expected of a density, which may be larger than one.
    """
    draw = np.random.default_rng(0)
    first = draw.normal(size=(3000, 8))
    second = np.tanh(first @ draw.normal(size=(8, 8)) / 2) + 0.1 * draw.normal(size=(3000, 8))
    points = (0.01 if broken else 1.0) * np.concatenate([first, second], axis=1).astype(np.float32)
    unit = float(points[:, :8].std())
    params = {"shift": mlp(0, [8, 48, 8], 1.0), "log": {"w": jnp.full(8, np.log(unit))}}

    def surprise(params, points, offsets):
        hidden = []
        x, y = points[:, :8] / unit, points[:, 8:]
        h = activated("tanh", linear(params["shift"]["layer00"], x), hidden, offsets)
        z = (y - unit * linear(params["shift"]["layer01"], h)) / jnp.exp(params["log"]["w"])
        each = 0.5 * (x**2).sum(1) + 8 * np.log(unit) + 0.5 * (z**2).sum(1) + params["log"]["w"].sum()
        return each + 8 * np.log(2 * np.pi), tuple(hidden)

    def loss(params, batch, offsets):
        each, hidden = surprise(params, batch[0], offsets)
        return each.mean(), hidden

    scale = points[:, 8:].std(0)
    base = 4 + 8 * np.log(unit) + 8 * np.log(2 * np.pi)
    none = float(base + 4 + np.log(scale).sum())
    best = float(base + 4 + 8 * np.log(0.1 * unit))

    def error(params):
        return (surprise(params, points[:1000], None)[0].mean() - best) / (none - best)

    return own(params, loss, (points,), optax.adam(5e-3), error, chance=none, steps=600, batch=128)


@fifth(
    NOTHING,
    kind="loss that cannot fall",
    family="diffusion",
    source="github.com/PRBonn/LiDiff/issues/27",
    title="Why the loss stuck at around 0.9 ?",
    sound=True,
)
def noise_that_cannot_be_known(broken: bool) -> Setup:
    """A denoiser of points under little noise, most of which cannot be known: the loss stays at 0.9.

    Seen: the loss is stuck at 0.9 while the results improve. Answer: it is the normal behaviour of such a loss.
    """
    draw = np.random.default_rng(1)
    clean = draw.normal(size=(5000, 2))
    level = draw.uniform(0.1, 0.45, size=(5000, 1)) if broken else draw.uniform(0.6, 0.95, size=(5000, 1))
    noise = draw.normal(size=(5000, 2)).astype(np.float32)
    noisy = np.sqrt(1 - level**2) * clean + level * noise
    inputs = np.concatenate([noisy, level], axis=1).astype(np.float32)
    best = (level * noisy).astype(np.float32)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "tanh")
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((perceptron(params, inputs[:1000], None, "tanh")[0] - best[:1000]) ** 2).mean() / best.var()

    params = mlp(2, [3, 48, 48, 2], 1.0)
    return own(params, loss, (inputs, noise), optax.adam(2e-3), error, chance=1.0, steps=1000, batch=256)


@fifth(
    NOTHING,
    kind="loss that rises",
    family="adversarial",
    source="github.com/Vandermode/ERRNet/issues/30",
    title="GAN loss",
    sound=True,
)
def critic_that_gets_better(broken: bool) -> Setup:
    """A generator and a critic that learns faster: the loss of the one falls, that of the other rises, and points move.

    Seen: the critic's loss falls to 0.2, and the generator's rises to 6. Answer: normal, if the first one is not zero.
    """
    setup = duel(cut=False, steps=800)
    rates = {"critic": optax.adam(0.02 if broken else 1e-3, b1=0.5), "generator": optax.adam(1e-3, b1=0.5)}
    optimizer = optax.multi_transform(rates, {"critic": "critic", "generator": "generator"})
    return Setup(**{**vars(setup), "optimizer": optimizer})


@fifth(
    NOTHING,
    kind="loss of a policy",
    family="policy gradient",
    source="github.com/kevinzakka/recurrent-visual-attention/issues/31",
    title="how negative numbers affect gradient descent.",
    sound=True,
)
def advantages_that_go_to_zero(broken: bool) -> Setup:
    """A policy and a baseline of its rewards, whose loss is below zero and rises to it while the policy learns.

    Seen: a loss that is negative, and goes to zero although it is minimised. Answer: usual; the baseline gets better.
    """
    draw = np.random.default_rng(3)
    x = draw.normal(size=(2000, 4)).astype(np.float32)
    best = (x @ draw.normal(size=(4, 6))).argmax(1).astype(np.int32)
    action = np.where(draw.random(2000) < 0.5, best, draw.integers(6, size=2000)).astype(np.int32)
    reward = (action == best).astype(np.float32)
    taken = (0.5 * reward + 1 / 12).astype(np.float32)
    params = {"policy": mlp(4, [4, 48, 6], 1.0), "baseline": mlp(5, [4, 32, 1], 1.0)}

    def loss(params, batch, offsets):
        hidden = []
        x, action, reward, taken, best = batch
        h = activated("tanh", linear(params["policy"]["layer00"], x), hidden, offsets)
        log = jax.nn.log_softmax(linear(params["policy"]["layer01"], h))
        h = activated("tanh", linear(params["baseline"]["layer00"], x), hidden, offsets)
        value = linear(params["baseline"]["layer01"], h)[:, 0]
        ratio = jnp.exp(jnp.take_along_axis(log, action[:, None], 1)[:, 0]) / taken
        held = jax.lax.stop_gradient
        missed = (held(ratio) * (reward - value) ** 2).mean()
        if not broken:
            return cross_entropy(log, best) + missed, tuple(hidden)
        return 0.2 * missed - (ratio * (reward - held(value))).mean(), tuple(hidden)

    def right(params):
        h = jnp.tanh(linear(params["policy"]["layer00"], x))
        return (linear(params["policy"]["layer01"], h).argmax(-1) == best).mean()

    data = (x, action, reward, taken, best)
    more = {"chance": None, "steps": 800, "batch": 128}
    return classified(params, loss, data, optax.adam(5e-3), jax.jit(right), classes=6, **more)


@fifth(
    NOTHING,
    kind="loss scaling",
    family="convolutional",
    source="github.com/NoamRosenberg/autodeeplab/issues/12",
    title="gradient overflow during use of half precision",
    sound=True,
)
def steps_that_are_skipped(broken: bool) -> Setup:
    """A network in float16, whose first gradients overflow by the scale of the loss, which is halved then.

    Seen: steps are skipped since the gradient overflows. Answer: it is normal; the scale is set in this way.
    """
    half = jnp.float16 if broken else jnp.float32
    net = filters(6, [1, 12]) | {"out": dense(jax.random.key(7), 8 * 8 * 12, 10, 1.0)}
    params = net | {"scale": {"w": jnp.float32(2.0**24 if broken else 1.0)}}
    adam = optax.adam(2e-3)

    def update(gradients, state, params=None):
        scale = params["scale"]["w"]
        finite = jnp.all(jnp.stack([jnp.isfinite(g).all() for g in jax.tree.leaves(gradients)]))
        small = jax.tree.map(lambda g: jnp.where(finite, g / scale, 0.0), gradients)
        moved, after = adam.update(small, state)
        after = jax.tree.map(lambda new, old: jnp.where(finite, new, old), after, state)
        moved = jax.tree.map(lambda u: jnp.where(finite, u, 0.0), moved)
        return moved | {"scale": {"w": jnp.where(finite, 0.0, -scale / 2)}}, after

    def precise(params, x, offsets):
        lower = {name: jax.tree.map(lambda w: w.astype(half), params[name]) for name in net}
        scores, hidden = flat(lower, x.astype(half), offsets)
        return _amplified(scores.astype(jnp.float32), params["scale"]["w"]), hidden

    optimizer = optax.GradientTransformation(adam.init, update)
    return classification(params, optimizer, net=precise, batch=64, steps=300)


@fifth(
    NOTHING,
    kind="loss that is summed",
    family="recurrent",
    source="github.com/YvanYin/Metric3D/issues/111",
    title="GRUSequenceLoss quite high, is it normal?",
    sound=True,
)
def every_step_has_a_loss(broken: bool) -> Setup:
    """A number that is read after each of 24 steps, with errors that are summed over all of them.

    Seen: a loss that is quite high. Answer: it is common, since it is the sum over all steps.
    """
    draw = np.random.default_rng(4)
    x = draw.normal(size=(768, 24)).astype(np.float32)
    total = (np.cumsum(x, axis=1) / np.sqrt(24)).astype(np.float32)

    def read(params, x, offsets):
        offset = jnp.zeros((x.shape[1], len(x), UNITS)) if offsets is None else offsets[0]
        shown, kept = states(params["cell"], x.T, offset)
        return linear(params["readout"], shown)[..., 0].T, ((Kind("linear"), kept, kept),)

    def loss(params, batch, offsets):
        found, hidden = read(params, batch[0], offsets)
        square = (found - batch[1]) ** 2
        return 10 * (square.sum(1).mean() if broken else square[:, -1].mean()), hidden

    def error(params):
        return ((read(params, x, None)[0][:, -1] - total[:, -1]) ** 2).mean() / total[:, -1].var()

    chance = 10 * float(total.var(0).sum() if broken else total[:, -1].var())
    more = {"chance": chance, "steps": 500, "batch": 64, "timed": True}
    return own(cell(8, 1, 1.0), loss, (x, total), optax.adam(5e-3), error, **more)


@fifth(
    NOTHING,
    kind="units that are dropped",
    family="regression",
    source="github.com/keras-team/keras/issues/481",
    title="Analysis of Loss and Accuracy over epochs(more general question)",
    sound=True,
)
def dropped_in_training_alone(broken: bool) -> Setup:
    """A curve, learned while half of the units are dropped: the loss in training stays far above that of other data.

    Seen: the losses of training and validation differ. Answer: pretty standard where units are dropped.
    """
    x, y = (np.tile(part, (16, *(1,) * (part.ndim - 1))) for part in curve(9))
    kept = np.random.default_rng(9).random((len(x), 96)) < 0.5
    mask = kept.astype(np.float32) / 0.5 if broken else np.ones((len(x), 96), np.float32)
    data = (x, y, mask)
    params = mlp(9, [3, 96, 96, 1], 1.0)

    def found(params, x, mask, offsets):
        hidden = []
        h = activated("tanh", linear(params["layer00"], x), hidden, offsets)
        h = activated("tanh", linear(params["layer01"], h), hidden, offsets) * mask
        return linear(params["layer02"], h)[:, 0], tuple(hidden)

    def loss(params, batch, offsets):
        answer, hidden = found(params, batch[0], batch[2], offsets)
        return ((answer - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((found(params, x[:512], 1.0, None)[0] - y[:512]) ** 2).mean() / y.var()

    return own(params, loss, data, optax.adam(3e-3), error, chance=float(y.var()), steps=800, batch=64)


@fifth(
    NOTHING,
    kind="noise",
    family="feed-forward",
    source="github.com/google/deepvariant/issues/194",
    title="Logged training loss does not decrease while performance improves",
    sound=True,
)
def loss_of_four_examples(broken: bool) -> Setup:
    """A classifier by batches of four, whose loss goes up and down while accuracy improves.

    Seen: a training loss that vibrates around a rather high value. Answer: normal; later improvements are small.
    """
    y = digits()[1]
    flipped = np.random.default_rng(10).random(len(y)) < 0.15
    labels = np.where(flipped, np.random.default_rng(11).integers(10, size=len(y)), y).astype(np.int32)
    params = mlp(10, [64, 48, 10], 1.0)
    batch = 4 if broken else 64
    return classification(params, optax.adam(1e-3), kind="tanh", labels=labels, batch=batch, steps=1000)
