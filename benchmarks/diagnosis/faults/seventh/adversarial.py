"""Generators and critics: weights that are drawn too large, and a critic that is sure."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import mlp
from faults.problems import own
from faults.registry import Setup, seventh


def rivals(seed: int, judge, optimizer, *, place: float, params=None, penalty=lambda params: 0.0, **more) -> Setup:
    """Points on a bent line around (place, place) to be imitated.

    `judge` makes a loss of the scores of true points, of false ones, and of those that the generator shows;
    `error` is how far the mean and the deviation of the points are from those of the line.
    """
    draw = np.random.default_rng(seed)
    noise = draw.normal(size=(768, 3)).astype(np.float32)
    along = draw.uniform(-1.5, 1.5, size=768)
    line = np.stack([along, along**2 - 0.75], axis=1)
    real = (place + line + 0.1 * draw.normal(size=line.shape)).astype(np.float32)
    given = {"critic": mlp(seed, [2, 32, 32, 1], 1.0), "generator": mlp(seed + 1, [3, 32, 32, 2], 1.0)}

    def loss(params, batch, offsets):
        hidden = []
        held = jax.lax.stop_gradient
        fake = embedded(params["generator"], batch[0], hidden, offsets, "leaky_relu")
        true = embedded(params["critic"], batch[1], hidden, offsets, "leaky_relu")
        false = embedded(params["critic"], held(fake), hidden, offsets, "leaky_relu")
        shown = embedded(held(params["critic"]), fake, hidden, offsets, "leaky_relu")
        return judge(true, false, shown) + penalty(params["generator"]), tuple(hidden)

    def error(params):
        fake = embedded(params["generator"], noise, [], None, "leaky_relu")
        far = (fake.mean(0) - real.mean(0)) ** 2 + (fake.std(0) - real.std(0)) ** 2
        return far.sum() / jnp.asarray(real.mean(0) ** 2 + real.std(0) ** 2).sum()

    return own(params or given, loss, (noise, real), optimizer, error, **more)


def paced(critic: float, generator: float) -> optax.GradientTransformation:
    """Adam with a rate for each of the two."""
    rates = {"critic": optax.adam(critic, b1=0.5), "generator": optax.adam(generator, b1=0.5)}
    return optax.multi_transform(rates, {"critic": "critic", "generator": "generator"})


def sigmoid_scores(true, false, shown):
    """The usual logistic losses of both, of which the generator's does not saturate."""
    return (jax.nn.softplus(-true) + jax.nn.softplus(false) + jax.nn.softplus(-shown)).mean()


@seventh(
    "exploding",
    "first loss too large",
    kind="initialisation",
    family="adversarial",
    source="github.com/sophiajw/HistAuGAN/pull/4",
    title='Fixing training crash caused by "inf"',
)
def weights_of_ten_times_the_size(broken: bool) -> Setup:
    """A generator and a critic of wide layers, whose weights are drawn ten times as large as it was meant.

    Seen: training crashes, since numbers become infinite. Answer: a typo; a deviation of 0.02, and not of 0.2.
    """
    sizes = {"critic": (2, 192, 192, 192, 1), "generator": (3, 192, 192, 192, 2)}
    params = {}
    for i, (name, shape) in enumerate(sizes.items()):
        params[name] = mlp(71 + i, shape)
        keys = jax.random.split(jax.random.key(73 + i), len(shape) - 1)
        for key, layer in zip(keys, params[name].values(), strict=True):
            layer["w"] = (0.6 if broken else 0.06) * jax.random.normal(key, layer["w"].shape)

    def squares(true, false, shown):
        return ((true - 1) ** 2 + false**2 + (shown - 1) ** 2).mean()

    optimizer = paced(3e-4, 3e-4)
    return rivals(71, squares, optimizer, place=1.5, params=params, steps=400, batch=64)


@seventh(
    "saturated loss",
    "vanishing",
    kind="critic that is sure",
    family="adversarial",
    source="github.com/iwtw/pytorch-TP-GAN/issues/6",
    title="Discriminator loss going to zero while training",
)
def critic_whose_loss_goes_to_zero(broken: bool) -> Setup:
    """A generator that makes it less likely to be found out, against a critic that is soon sure of everything.

    Seen: the critic's loss goes to zero rapidly, and all gradients vanish. Answer: none in the thread; the loss that
    does not saturate keeps a slope.
    """

    def saturating(true, false, shown):
        return (jax.nn.softplus(-true) + jax.nn.softplus(false) - jax.nn.softplus(shown)).mean()

    rates = {"critic": optax.adam(1e-2, b1=0.5), "generator": optax.sgd(0.01)}
    optimizer = optax.multi_transform(rates, {"critic": "critic", "generator": "generator"})
    return rivals(75, saturating if broken else sigmoid_scores, optimizer, place=4.0, steps=700, batch=64)
