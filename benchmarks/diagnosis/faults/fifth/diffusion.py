"""Denoisers of curves: one bad example, and sixteen bits."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, fifth

BROKEN = 2705
"""An example that is drawn once, at step 602 of 770."""


def curves(count: int = 20_000):
    """Noisy curves of eight points with the level of their noise, and the noise itself."""
    draw = np.random.default_rng(0)
    rate, phase = draw.uniform(0.3, 0.9, size=(2, count, 1))
    clean = np.sqrt(2) * np.sin(rate * np.arange(8) + 6 * phase)
    level = draw.uniform(0.3, 0.9, size=(count, 1))
    noise = draw.normal(size=(count, 8)).astype(np.float32)
    noisy = np.sqrt(1 - level**2) * clean + level * noise
    return np.concatenate([noisy, level], axis=1).astype(np.float32), noise


def denoised(params, data, optimizer, *, others, kind: str = "relu") -> Setup:
    """The noise, found in curves; `error` is the squared error on `others` over the variance of noise."""

    def found(params, inputs, offsets):
        single = params["layer00"]["w"].dtype
        noise, hidden = perceptron(params, inputs.astype(single), offsets, kind)
        return noise.astype(jnp.float32), hidden

    def loss(params, batch, offsets):
        noise, hidden = found(params, batch[0], offsets)
        return ((noise - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((found(params, others[0], None)[0] - others[1]) ** 2).mean()

    return own(params, loss, data, optimizer, error, chance=1.0, steps=700, batch=64)


@fifth(
    "loss spike",
    "learning rate too large",
    "units that died",
    kind="a single bad example",
    family="diffusion",
    source="github.com/mosaicml/diffusion/issues/30",
    title="NaN loss after 6K steps with batch size 2048",
)
def denoiser_that_meets_a_broken_file(broken: bool) -> Setup:
    """A denoiser that has learned its curves when it meets one that was stored thirty times too large.

    Seen: after 6,000 steps the loss is gone. Answer: gradient clipping avoids it.
    """
    inputs, noise = curves()
    others = inputs[:1000], noise[:1000]
    inputs = inputs.copy()
    inputs[BROKEN, :8] *= 30
    step = optax.sgd(0.1, 0.9)
    optimizer = step if broken else optax.chain(optax.clip_by_global_norm(1.0), step)
    return denoised(mlp(0, [9, 64, 64, 8]), (inputs, noise), optimizer, others=others)


@fifth(
    "not-a-number loss",
    "not-a-number gradients",
    kind="epsilon that rounds to zero",
    family="diffusion",
    source="github.com/afiaka87/glide-finetune/pull/6",
    title="Fixed half precision optimizer bug",
)
def moments_in_float16(broken: bool) -> Setup:
    """A denoiser in float16 under Adam, whose epsilon of 1e-8 is zero there, as are the squares of small gradients.

    Seen: NaN after the first step, whatever the data and the gradients. Answer: an epsilon of 1e-4.
    """
    data = curves()
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.float16), mlp(1, [9, 64, 64, 8], 1.0))
    optimizer = optax.adam(3e-3, eps=1e-8 if broken else 1e-4)
    return denoised(params, data, optimizer, others=(data[0][:1000], data[1][:1000]), kind="tanh")
