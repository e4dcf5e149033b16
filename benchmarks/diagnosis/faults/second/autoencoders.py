"""Networks that give back what they are given."""

import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp
from faults.problems import digits, own, reconstruction
from faults.registry import Setup, second


@second(
    "constant answer",
    kind="wrong reduction",
    family="autoencoder",
    source="github.com/AppliedDataSciencePartners/WorldModels/issues/12",
    title="VAE performance is bad (with standard parameters)",
)
def mean_against_sum(broken: bool) -> Setup:
    """An error that is averaged over the pixels beside a divergence that is summed: the code says nothing."""
    x = digits()[0]
    noise = np.random.default_rng(0).normal(size=(len(x), 8)).astype(np.float32)

    def forward(params, x, noise, offsets):
        hidden = []
        h = activated("relu", linear(params["layer00"], x), hidden, offsets)
        mean, log = jnp.split(linear(params["layer01"], h), 2, axis=1)
        h = activated("relu", linear(params["layer02"], mean + jnp.exp(log / 2) * noise), hidden, offsets)
        return linear(params["layer03"], h), mean, log, tuple(hidden)

    def loss(params, batch, offsets):
        back, mean, log, hidden = forward(params, *batch, offsets)
        lost = ((back - batch[0]) ** 2).sum(1).mean() / (64 if broken else 1)
        divergence = 0.5 * (mean**2 + jnp.exp(log) - log - 1).sum(1).mean()
        return lost + divergence, hidden

    def error(params):
        return ((forward(params, x, jnp.zeros_like(noise), None)[0] - x) ** 2).mean() / x.var(0).mean()

    parts = [mlp(0, [64, 64, 16], 2.0), mlp(1, [8, 64, 64], 2.0)]
    layers = [layer for part in parts for layer in part.values()]
    params = {f"layer{i:02d}": layer for i, layer in enumerate(layers)}
    chance = float(x.var(0).mean()) * (1 if broken else 64)
    return own(params, loss, (x, noise), optax.adam(3e-3), error, chance=chance, steps=400, batch=128)


@second(
    "dead units",
    "gradients exactly zero",
    kind="dead units",
    family="autoencoder",
    source="github.com/MollyZhang/Multi-task-TCGA-learning/issues/16",
    title="Explore what happens when using relu as activation funciton in AE",
)
def code_below_zero(broken: bool) -> Setup:
    """A rectified code that is negative before the rectifier for every input, and a mean image behind it."""
    x = 0.305 + 0.376 * digits()[0]
    params = mlp(2, [64, 64, 24, 64, 64])
    if broken:
        params["layer01"]["w"] = -jnp.abs(params["layer01"]["w"])
    return reconstruction(params, optax.adam(5e-3), x=x, kind="relu", steps=400)
