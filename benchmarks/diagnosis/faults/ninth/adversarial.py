"""Generators and critics: a critic that is sure, a step without a slope, and a norm before the end."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import mlp
from faults.problems import own
from faults.registry import Setup, ninth
from faults.seventh.adversarial import paced, rivals


@ninth(
    "saturated loss",
    kind="critic that is sure",
    family="adversarial",
    source="github.com/simontomaskarlsson/GAN-MRI/issues/11",
    title="Loss D goes to zero",
)
def critic_that_beats_the_generator(broken: bool) -> Setup:
    """Points on a bent line by a generator whose loss is one minus the share of the critic, which learns far faster.

    Seen: the loss of the critic goes to zero, and that of the generator up. Answer: the critic beats the generator,
    which prevents both from improving further; modify the rates above all, and the iterations of both.
    """

    def judge(true, false, shown):
        return (jax.nn.softplus(-true) + jax.nn.softplus(false) - jax.nn.softplus(shown)).mean()

    rates = {"critic": optax.adam(0.02 if broken else 5e-4, b1=0.5), "generator": optax.sgd(0.02)}
    optimizer = optax.multi_transform({**rates}, {"critic": "critic", "generator": "generator"})
    return rivals(641, judge, optimizer, place=4.0, steps=600, batch=64)


@ninth(
    "gradients exactly zero",
    kind="a step without a slope",
    family="adversarial",
    source="github.com/eriklindernoren/Keras-GAN/issues/61",
    title="argmax between generator and discriminator",
)
def mask_by_the_larger_of_two(broken: bool) -> Setup:
    """Masks of sixteen points, each of which is the larger of two scores, before a critic sees them.

    Seen: the largest of two has no derivative, so that the generator does not learn. Answer: none; the share of the
    second score is shown here.
    """
    draw = np.random.default_rng(643)
    noise = draw.normal(size=(1500, 6)).astype(np.float32)
    start, size = draw.integers(0, 4, size=1500), draw.integers(3, 6, size=1500)
    place = np.arange(16)
    real = ((place >= start[:, None]) & (place < (start + size)[:, None])).astype(np.float32)
    params = {"critic": mlp(643, [16, 32, 32, 1], 1.0), "generator": mlp(644, [6, 32, 32, 32], 1.0)}

    def made(params, noise, hidden, offsets):
        pair = embedded(params, noise, hidden, offsets, "leaky_relu").reshape(-1, 16, 2)
        if broken:
            return pair.argmax(-1).astype(jnp.float32)
        return jax.nn.softmax(pair)[..., 1]

    def loss(params, batch, offsets):
        hidden, held = [], jax.lax.stop_gradient
        fake = made(params["generator"], batch[0], hidden, offsets)
        true = embedded(params["critic"], batch[1], hidden, offsets, "leaky_relu")
        false = embedded(params["critic"], held(fake), hidden, offsets, "leaky_relu")
        shown = embedded(held(params["critic"]), fake, hidden, offsets, "leaky_relu")
        return (jax.nn.softplus(-true) + jax.nn.softplus(false) + jax.nn.softplus(-shown)).mean(), tuple(hidden)

    def error(params):
        fake = made(params["generator"], noise, [], None) > 0.5
        return ((fake.mean(0) - real.mean(0)) ** 2).mean() / ((real.mean(0) - 0.5) ** 2).mean()

    return own(params, loss, (noise, real), paced(1e-3, 2e-3), error, steps=500, batch=64)


@ninth(
    "what the generator gives is normalised before its last unit, so that no picture can be bright as a whole",
    kind="norm before the end",
    family="adversarial",
    source="github.com/naoto0804/chainer-cyclegan/pull/2",
    title="should not normalize input of tanh",
)
def picture_that_is_always_grey(broken: bool) -> Setup:
    """Bright pictures of eight points by a generator with a norm in front of the last hyperbolic tangent.

    Seen: the input of the last tangent is normalised, which restricts colours to a normal distribution; the original
    has no such layer. Answer: right, a critical bug; merged.
    """
    draw = np.random.default_rng(645)
    noise = draw.normal(size=(1000, 6)).astype(np.float32)
    real = np.tanh(1.0 + 0.3 * np.sin(np.arange(8) + draw.uniform(0, 6, size=(1000, 1)))).astype(np.float32)
    params = {"critic": mlp(645, [8, 32, 32, 1], 1.0), "generator": mlp(646, [6, 32, 32, 8], 1.0)}

    def made(params, noise, hidden, offsets):
        z = embedded(params, noise, hidden, offsets, "leaky_relu")
        if broken:
            z = (z - z.mean(1, keepdims=True)) / (z.std(1, keepdims=True) + 1e-3)
        return jnp.tanh(z)

    def loss(params, batch, offsets):
        hidden, held = [], jax.lax.stop_gradient
        fake = made(params["generator"], batch[0], hidden, offsets)
        true = embedded(params["critic"], batch[1], hidden, offsets, "leaky_relu")
        false = embedded(params["critic"], held(fake), hidden, offsets, "leaky_relu")
        shown = embedded(held(params["critic"]), fake, hidden, offsets, "leaky_relu")
        return ((true - 1) ** 2 + false**2 + (shown - 1) ** 2).mean(), tuple(hidden)

    def error(params):
        fake = made(params["generator"], noise, [], None)
        return ((fake.mean(0) - real.mean(0)) ** 2).mean() / (real.mean(0) ** 2).mean()

    return own(params, loss, (noise, real), paced(1e-3, 1e-3), error, steps=500, batch=64)
