"""Denoisers: weights of zero by zero, steps that are not taken, sixteen bits."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.diffusion import curves, denoised
from faults.nets import activated, mlp, perceptron
from faults.problems import own
from faults.registry import Setup, sixth

LEVELS = 20


@sixth(
    "not-a-number loss",
    "not-a-number gradients",
    kind="zero by zero",
    family="diffusion",
    source="github.com/TiankaiHang/Min-SNR-Diffusion-Training/pull/4",
    title="Fix zero / infinite weight position when using rescaled betas for zero-terminal SNR",
)
def weight_of_the_last_level(broken: bool) -> Setup:
    """Clean curves from noisy ones, weighted by the ratio of signal to noise, which is zero at the last level.

    Seen: the loss goes to NaN, and the model is broken. Answer: another weight where the ratio is zero.
    """
    draw = np.random.default_rng(1)
    rate, phase = draw.uniform(0.3, 0.9, size=(2, 4000, 1))
    clean = (np.sqrt(2) * np.sin(rate * np.arange(8) + 6 * phase)).astype(np.float32)
    level = draw.integers(LEVELS, size=4000)
    kept = np.linspace(0.95, 0.0, LEVELS)[level, None]
    noisy = np.sqrt(kept) * clean + np.sqrt(1 - kept) * draw.normal(size=clean.shape)
    inputs = np.concatenate([noisy, kept], axis=1).astype(np.float32)
    ratio = (kept / (1 - kept))[:, 0].astype(np.float32)

    def weight(ratio):
        if broken:
            return jnp.minimum(ratio, 5.0) / ratio
        return jnp.where(ratio == 0, 1.0, jnp.minimum(ratio, 5.0) / jnp.where(ratio == 0, 1.0, ratio))

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "tanh")
        return (weight(batch[2]) * ((found - batch[1]) ** 2).mean(1)).mean(), hidden

    high = level < LEVELS // 2

    def error(params):
        found = perceptron(params, inputs[high], None, "tanh")[0]
        return ((found - clean[high]) ** 2).mean() / clean[high].var()

    params = mlp(2, [9, 48, 48, 8], 1.0)
    return own(params, loss, (inputs, clean, ratio), optax.adam(3e-3), error, steps=500, batch=64)


@sixth(
    "updates not applied",
    kind="updates that reach nothing",
    family="diffusion",
    source="github.com/tedlasai/learn2refocus/issues/5",
    title="Training script potential bug",
)
def denoiser_whose_optimizer_never_steps(broken: bool) -> Setup:
    """A denoiser whose schedule is stepped and whose gradients are set to zero, without a step of the optimizer.

    Seen: a line is missing without which the weights are never updated. Answer: it was added.
    """
    inputs, noise = curves(4000)
    schedule = optax.cosine_decay_schedule(5e-3, 700)
    setup = denoised(mlp(3, [9, 48, 48, 8]), (inputs, noise), optax.adam(schedule), others=(inputs[:500], noise[:500]))
    return Setup(**{**vars(setup), "apply": lambda params, updates: params}) if broken else setup


@sixth(
    "updates lost to rounding",
    "learning rate too small",
    kind="precision",
    family="diffusion",
    source="github.com/tianweiy/CausVid/issues/19",
    title="training use bf16",
)
def generator_that_is_cast_to_bfloat16(broken: bool) -> Setup:
    """A denoiser whose weights are of unit size, and scaled in use; cast to bfloat16, its small updates are lost.

    Seen: with all parameters in bfloat16 the generator does not converge; with mixed precision it does. Answer:
    expected; all updates suffer from the cast.
    """
    inputs, noise = curves(4000)
    stored = jnp.bfloat16 if broken else jnp.float32

    def unit(key, shape):
        size, sign = jax.random.split(key)
        w = jax.random.uniform(size, shape, minval=0.6, maxval=1.4) * jax.random.rademacher(sign, shape)
        return {"w": w.astype(stored)}

    keys = jax.random.split(jax.random.key(4), 3)
    params = {"in": unit(keys[0], (9, 64)), "middle": unit(keys[1], (64, 64)), "out": unit(keys[2], (64, 8))}

    def found(params, x, offsets):
        hidden = []
        w = {name: params[name]["w"].astype(jnp.float32) for name in params}
        h = activated("tanh", x @ w["in"] / 3, hidden, offsets)
        h = activated("tanh", h @ w["middle"] / 8, hidden, offsets)
        return h @ w["out"] / 8, tuple(hidden)

    def loss(params, batch, offsets):
        noise, hidden = found(params, batch[0], offsets)
        return ((noise - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((found(params, inputs[:500], None)[0] - noise[:500]) ** 2).mean()

    def apply(params, updates):
        return jax.tree.map(lambda w, u: (w.astype(jnp.float32) + u).astype(w.dtype), params, updates)

    more = {"chance": 1.0, "steps": 1500, "batch": 64, "apply": apply}
    return own(params, loss, (inputs, noise), optax.adam(1e-3), error, **more)
