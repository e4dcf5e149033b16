"""Likelihoods, and codes with a prior."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp
from faults.problems import digits, own, reconstruction
from faults.registry import Setup, third


@third(
    "not-a-number loss",
    "not-a-number gradients",
    kind="exponential that overflows",
    family="likelihood",
    source="github.com/scverse/scvi-tools/issues/441",
    title="Exploding library size after some iterations",
)
def size_of_a_library(broken: bool) -> Setup:
    """Counts whose rate is the exponential of a drawn number, the deviation of which is large and unbounded.

    Seen: the library size takes large values, and the rate is infinite. Answer: bound it, and begin near one.
    """
    draw = np.random.default_rng(0)
    group = draw.integers(4, size=1024)
    share = draw.dirichlet(np.full(24, 0.4), size=4)
    size = np.exp(draw.normal(5.0, 0.4, size=1024))
    rate = size[:, None] * (0.9 * share[group] + 0.1 / 24)
    counts = draw.poisson(rate).astype(np.float32)
    noise = draw.normal(size=1024).astype(np.float32)

    def rates(params, counts, noise, offsets):
        hidden = []
        h = activated("relu", linear(params["layer00"], jnp.log1p(counts)), hidden, offsets)
        h = activated("relu", linear(params["layer01"], h), hidden, offsets)
        out = linear(params["layer02"], h)
        mean, log = out[:, 24], out[:, 25]
        size = mean + jnp.exp(log) * noise if broken else 12 * jnp.tanh(mean / 12) + jax.nn.sigmoid(log) * noise
        return jnp.exp(size)[:, None] * jax.nn.softmax(out[:, :24]), tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = rates(params, *batch, offsets)
        return (found - batch[0] * jnp.log(found + 1e-8)).mean(), hidden

    def error(params):
        found = jnp.log1p(rates(params, counts, jnp.zeros_like(noise), None)[0])
        truth = np.log1p(rate)
        return ((found - truth) ** 2).mean() / truth.var()

    params = mlp(1, [24, 48, 48, 26])
    params["layer02"]["b"] = params["layer02"]["b"].at[25].set(5.0 if broken else 0.0)
    mean = counts.mean(0)
    chance = float((mean - mean * np.log(mean)).mean())
    return own(params, loss, (counts, noise), optax.adam(3e-3), error, chance=chance, steps=500, batch=64)


@third(
    "constant answer",
    kind="weight of a loss",
    family="autoencoder",
    source="github.com/Lightning-Universe/lightning-bolts/issues/328",
    title="On the VAE model, `kl_coeff` is never applied in the loss function",
)
def coefficient_without_effect(broken: bool) -> Setup:
    """A variational autoencoder whose coefficient of the divergence is stored and never used: the code says nothing.

    Seen: kl_coeff, which is there against posterior collapse, is not in the loss. Answer: multiply the term by it.
    """
    x = digits()[0]
    noise = np.random.default_rng(0).normal(size=(len(x), 12)).astype(np.float32)
    coefficient = 1.0 if broken else 0.01

    def forward(params, x, noise, offsets):
        hidden = []
        h = activated("tanh", linear(params["layer00"], x), hidden, offsets)
        mean, log = jnp.split(linear(params["layer01"], h), 2, axis=1)
        h = activated("tanh", linear(params["layer02"], mean + jnp.exp(log / 2) * noise), hidden, offsets)
        return linear(params["layer03"], h), mean, log, tuple(hidden)

    def loss(params, batch, offsets):
        back, mean, log, hidden = forward(params, *batch, offsets)
        divergence = 0.5 * (mean**2 + jnp.exp(log) - log - 1).sum(1).mean()
        return ((back - batch[0]) ** 2).mean() + coefficient * divergence, hidden

    def error(params):
        return ((forward(params, x, jnp.zeros_like(noise), None)[0] - x) ** 2).mean() / x.var(0).mean()

    layers = [*mlp(2, [64, 64, 24], 1.0).values(), *mlp(3, [12, 64, 64], 1.0).values()]
    params = {f"layer{i:02d}": layer for i, layer in enumerate(layers)}
    params["layer01"]["w"] = 0.1 * params["layer01"]["w"]
    chance = float(x.var(0).mean())
    return own(params, loss, (x, noise), optax.adam(3e-3), error, chance=chance, steps=500, batch=128)


@third(
    "learning rate too small",
    kind="default",
    family="autoencoder",
    source="github.com/msmbuilder/vde/issues/6",
    title="Default learning rate and other hyper params.",
)
def default_rate_of_an_autoencoder(broken: bool) -> Setup:
    """An autoencoder at a default learning rate that is fifty times too low for its number of steps.

    Seen: models of other sizes do not agree. Answer: 1e-4 is too low; 5e-3 or 1e-2 is better.
    """
    params = mlp(4, [64, 32, 10, 32, 64], 1.0)
    return reconstruction(params, optax.adam(1e-4 if broken else 5e-3), x=digits()[0], kind="tanh", steps=300)
