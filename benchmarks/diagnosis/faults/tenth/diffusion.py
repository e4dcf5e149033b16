"""Denoisers: a schedule of few levels, and a module that no optimizer holds."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, dense, linear, mlp, perceptron
from faults.problems import own
from faults.registry import Setup, tenth


def swings(seed: int, count: int):
    """Curves of eight points, of unit variance."""
    draw = np.random.default_rng(seed)
    rate, phase = draw.uniform(0.3, 0.9, size=(2, count, 1))
    return (np.sqrt(2) * np.sin(rate * np.arange(8) + 6 * phase)).astype(np.float32), draw


@tenth(
    "not-a-number loss",
    "not-a-number gradients",
    kind="value outside of the domain",
    family="diffusion",
    source="github.com/lucidrains/imagen-pytorch/issues/161",
    title="NaN error with low number of timesteps",
)
def ten_levels_of_noise(broken: bool) -> Setup:
    """The noise in curves, at ten levels whose steps are scaled by a thousand over ten, so that the last exceed one.

    Seen: roots of negative numbers, since some of the steps are larger than one. Answer: the report's own: more than
    twenty levels, or a bound on the scale; the schedule has been left for another one since.
    """
    clean, draw = swings(811, 6000)
    levels = 10 if broken else 40
    scale = 1000 / levels
    step = np.linspace(scale * 1e-4, scale * 0.02, levels)
    kept = np.cumprod(1 - step)
    level = draw.integers(levels, size=6000)
    noise = draw.normal(size=clean.shape).astype(np.float32)

    def noisy(clean, noise, kept):
        return jnp.sqrt(kept)[:, None] * clean + jnp.sqrt(1 - kept)[:, None] * noise

    def inputs(batch):
        return jnp.concatenate([noisy(batch[0], batch[1], batch[2]), jnp.sqrt(jnp.abs(batch[2]))[:, None]], axis=1)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, inputs(batch), offsets, "relu")
        return ((found - batch[1]) ** 2).mean(), hidden

    share = kept[level].astype(np.float32)

    def error(params):
        some = tuple(each[:600] for each in (clean, noise, np.abs(share)))
        return jnp.nan_to_num(((perceptron(params, inputs(some), None, "relu")[0] - some[1]) ** 2).mean(), nan=1.0)

    data = (clean, noise, share)
    return own(mlp(811, [9, 64, 64, 8]), loss, data, optax.adam(3e-3), error, chance=1.0, steps=400, batch=64)


@tenth(
    "frozen",
    kind="optimizer of nothing",
    family="diffusion",
    source="github.com/jwohlwend/boltz/issues/204",
    title='About parameter updating of "out_token_feat_update"?',
)
def features_that_no_optimizer_holds(broken: bool) -> Setup:
    """The places of eight residues freed of noise, from the noisy ones and a feature of each of sixty kinds.

    Seen: the module of the features is not among what the optimizer gets, so that it will not be updated. Answer:
    right; it had been put right elsewhere, and was lost in what was published.
    """
    draw = np.random.default_rng(813)
    kinds = 60
    kind = draw.integers(kinds, size=(4000, 8)).astype(np.int32)
    clean = draw.normal(size=kinds)[kind].astype(np.float32)
    level = draw.uniform(0.8, 0.98, size=(4000, 1))
    noisy = (np.sqrt(1 - level**2) * clean + level * draw.normal(size=clean.shape)).astype(np.float32)
    keys = jax.random.split(jax.random.key(813), 3)
    params = {"features": {"w": jax.random.normal(keys[0], (kinds, 1))}}
    params |= {"middle": dense(keys[1], 2, 24, 1.0), "out": dense(keys[2], 24, 1, 1.0)}

    def judged(params, kind, noisy, offsets):
        hidden = []
        x = jnp.concatenate([params["features"]["w"][kind], noisy[..., None]], axis=-1)
        h = activated("tanh", linear(params["middle"], x), hidden, offsets)
        return linear(params["out"], h)[..., 0], tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = judged(params, batch[0], batch[1], offsets)
        return ((found - batch[2]) ** 2).mean(), hidden

    chance = float(clean.var())

    def error(params):
        return loss(params, (kind[:600], noisy[:600], clean[:600]), None)[0] / chance

    held = optax.set_to_zero() if broken else optax.adam(2e-2)
    groups = {name: "features" if name == "features" else "rest" for name in params}
    optimizer = optax.multi_transform({"features": held, "rest": optax.adam(5e-3)}, groups)
    return own(params, loss, (kind, noisy, clean), optimizer, error, chance=chance, steps=400, batch=64)
