"""Denoisers: pictures of many shades, a norm in sixteen bits, and weights in sixteen bits."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp, perceptron
from faults.problems import own
from faults.registry import Setup, eleventh
from faults.tenth.diffusion import swings


def levels(draw, count: int):
    """Shares of the clean one that are kept, and noise."""
    kept = draw.uniform(0.05, 0.95, size=(count, 1)).astype(np.float32)
    return kept, draw.normal(size=(count, 8)).astype(np.float32)


@eleventh(
    "far from unit scale",
    "first loss too large",
    kind="scale of the data",
    family="diffusion",
    source="github.com/DeweiHu/OCT_DDPM/issues/3",
    title="about grayscale range of data",
)
def shades_up_to_255(broken: bool) -> Setup:
    """The noise in curves of shades between 0 and 255, or between minus one and one.

    Seen: is there a requirement for the range of the shades? Answer: it should be that of the noise; otherwise noise of
    its usual size is not enough.
    """
    clean, draw = swings(1131, 6000)
    clean = (clean / np.abs(clean).max()).astype(np.float32)
    if broken:
        clean = (127.5 * (clean + 1)).astype(np.float32)
    kept, noise = levels(draw, 6000)

    def inputs(batch):
        noisy = jnp.sqrt(batch[2]) * batch[0] + jnp.sqrt(1 - batch[2]) * batch[1]
        return jnp.concatenate([noisy, batch[2]], axis=1)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, inputs(batch), offsets, "relu")
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return loss(params, (clean[:800], noise[:800], kept[:800]), None)[0]

    data = (clean, noise, kept)
    return own(mlp(1131, [9, 64, 64, 8]), loss, data, optax.adam(3e-3), error, chance=1.0, steps=400, batch=64)


@eleventh(
    "not-a-number gradients",
    "not-a-number loss",
    kind="precision",
    family="diffusion",
    source="github.com/lucidrains/denoising-diffusion-pytorch/issues/61",
    title="getting NaN loss",
)
def standard_weights_in_float16(broken: bool) -> Setup:
    """The noise in curves, in float16, by layers whose weights are brought to unit variance with a small number that
    keeps a division from zero.

    Seen: the loss is NaN in mixed precision. Answer: readers report that a later version works, which takes a larger
    number for sixteen bits.
    """
    clean, draw = swings(1133, 6000)
    kept, noise = levels(draw, 6000)
    params = mlp(1133, [9, 64, 64, 8])
    for layer in params.values():
        layer["w"] = 0.01 * layer["w"]

    def standard(layer):
        w = layer["w"].astype(jnp.float16)
        mean = w.mean(0)
        spread = ((w - mean) ** 2).mean(0)
        w = (w - mean) * jax.lax.rsqrt(spread + jnp.float16(1e-5 if broken else 1e-3))
        return {"w": 2 * w / len(w) ** 0.5, "b": layer["b"].astype(jnp.float16)}

    def noted(params, batch, offsets):
        hidden = []
        noisy = jnp.sqrt(batch[2]) * batch[0] + jnp.sqrt(1 - batch[2]) * batch[1]
        x = jnp.concatenate([noisy, batch[2]], axis=1).astype(jnp.float16)
        *layers, last = (params[name] for name in sorted(params))
        for layer in layers:
            x = activated("relu", linear(standard(layer), x), hidden, offsets)
        return linear(standard(last), x).astype(jnp.float32), tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = noted(params, batch, offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return jnp.nan_to_num(loss(params, (clean[:800], noise[:800], kept[:800]), None)[0], nan=1.0)

    data = (clean, noise, kept)
    return own(params, loss, data, optax.adam(3e-3), error, chance=1.0, steps=400, batch=64)


def _in_full(optimizer):
    """The same with gradients and moments in float32."""

    def full(tree):
        return jax.tree.map(lambda w: w.astype(jnp.float32), tree)

    def update(updates, state, params=None):
        del params
        return optimizer.update(full(updates), state)

    return optax.GradientTransformation(lambda params: optimizer.init(full(params)), update)


def _stored(params, updates):
    return jax.tree.map(lambda w, u: (w.astype(jnp.float32) + u.astype(jnp.float32)).astype(w.dtype), params, updates)


@eleventh(
    "updates lost to rounding",
    kind="precision of the weights",
    family="diffusion",
    source="github.com/huggingface/diffusers/pull/1916",
    title="[dreambooth] low precision guard",
)
def weights_in_sixteen_bits_alone(broken: bool) -> Setup:
    """The noise in curves, by weights that are kept in sixteen bits, here bfloat16, with steps that are less than it
    tells apart.

    Seen: nobody should train with weights in float16, since small steps are lost when they are added. Answer: an error
    that says so, and weights in float32; merged.
    """
    clean, draw = swings(1135, 6000)
    kept, noise = levels(draw, 6000)
    stored = jnp.bfloat16 if broken else jnp.float32
    keys = jax.random.split(jax.random.key(1135), 3)
    sizes = [(9, 96), (96, 96), (96, 8)]
    params = {
        f"layer{i:02d}": {"w": (4 * jax.random.normal(key, size)).astype(stored)}
        for i, (key, size) in enumerate(zip(keys, sizes, strict=True))
    }

    def noted(params, batch, offsets):
        hidden = []
        noisy = jnp.sqrt(batch[2]) * batch[0] + jnp.sqrt(1 - batch[2]) * batch[1]
        x = jnp.concatenate([noisy, batch[2]], axis=1)
        *layers, last = (params[name]["w"].astype(jnp.float32) for name in sorted(params))
        for w in layers:
            x = activated("relu", x @ w * (2 / len(w)) ** 0.5 / 4, hidden, offsets)
        return x @ last / len(last) ** 0.5 / 4, tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = noted(params, batch, offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return loss(params, (clean[:800], noise[:800], kept[:800]), None)[0]

    data, more = (clean, noise, kept), {"chance": 1.0, "steps": 500, "batch": 64, "apply": _stored}
    return own(params, loss, data, _in_full(optax.adam(4e-3)), error, **more)
