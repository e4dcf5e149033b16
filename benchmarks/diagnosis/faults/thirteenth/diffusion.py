"""Denoisers: levels of noise as they are, a rate, and gradients that are cleared too early."""

import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, thirteenth
from faults.tenth.diffusion import swings
from faults.twelfth.diffusion import noise_of, shaken


def trained(seed: int, optimizer, steps: int = 400) -> Setup:
    """The noise in curves, found by a perceptron under some optimizer."""
    data = shaken(seed)

    def loss(params, batch, offsets):
        found, hidden = noise_of(params, batch, offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return loss(params, tuple(each[:800] for each in data), None)[0]

    return own(mlp(seed, [9, 64, 64, 8], 1.0), loss, data, optimizer, error, chance=1.0, steps=steps, batch=64)


@thirteenth(
    "saturation",
    "far from unit scale",
    kind="scale of the level",
    family="diffusion",
    source="github.com/Kinyugo/consistency_models/issues/7",
    title="Rescale of sigmas",
)
def levels_as_they_are(broken: bool) -> Setup:
    """The noise in curves at levels, which are given without a scale, or as a quarter of their logarithm.

    Levels of up to eighty before an embedding are stood for by numbers of up to 8000 before a small network.

    Seen: other works scale the logarithm of the level before the network, and this one does not. Answer: the aim is a
    range that works well for the embedding; it is usual to scale values.
    """
    clean, draw = swings(1431, 6000)
    level = np.exp(draw.uniform(np.log(0.3), np.log(80), size=(6000, 1))).astype(np.float32)
    noise = draw.normal(size=clean.shape).astype(np.float32)

    def loss(params, batch, offsets):
        clean, noise, level = batch
        noisy = (clean + level * noise) / jnp.sqrt(1 + level**2)
        given = 100 * level if broken else jnp.log(level) / 4
        found, hidden = perceptron(params, jnp.concatenate([noisy, given], axis=1), offsets, "tanh")
        return ((found - noise) ** 2).mean(), hidden

    def error(params):
        return loss(params, tuple(each[:800] for each in data), None)[0]

    data = (clean, noise, level)
    return own(mlp(1431, [9, 64, 64, 8], 1.0), loss, data, optax.adam(3e-3), error, chance=1.0, steps=400, batch=64)


@thirteenth(
    "learning rate too small",
    kind="rate",
    family="diffusion",
    source="github.com/TheLastBen/fast-stable-diffusion/issues/1210",
    title="more options for UNet_Learning_Rate",
)
def rate_from_an_article(broken: bool) -> Setup:
    """The noise in curves at a rate that is much too small, or at a usual one.

    Seen: several articles suggest 1e-6; could there be more options? Answer: it is much much slower; with 2e-5, there
    are results in less than 700 steps.
    """
    return trained(1433, optax.adam(2e-6 if broken else 3e-3))


@thirteenth(
    "updates not applied",
    kind="gradients that are cleared too early",
    family="diffusion",
    source="github.com/cloneofsimo/lora/issues/263",
    title="the `optimizer.zero_grad()` is called after loss backward",
)
def gradients_that_are_cleared_too_early(broken: bool) -> Setup:
    """The noise in curves, by an optimizer whose gradients are cleared before the step, or behind it.

    Seen: gradients are cleared when they have just been made. Answer: the report's own: they are to be cleared before
    the backward pass.
    """
    return trained(1435, optax.set_to_zero() if broken else optax.adam(3e-3))
