"""A bound on a likelihood: variances that overflow."""

import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp
from faults.problems import own
from faults.registry import Setup, fifth


@fifth(
    "not-a-number loss",
    "not-a-number gradients",
    "first loss too large",
    "far from unit scale",
    kind="exponential that overflows",
    family="likelihood",
    source="github.com/vanderschaarlab/synthcity/issues/331",
    title="Numerical instability in VAE",
)
def variances_without_a_bound(broken: bool) -> Setup:
    """An autoencoder of tables with columns in hundreds, whose logarithms of variances are exponentiated as they are.

    Seen: NaN with some data. Answer: logarithms of variances explode when exponentiated; clamp them.
    """
    draw = np.random.default_rng(0)
    hidden_causes = draw.normal(size=(1500, 2))
    table = (np.tanh(hidden_causes @ draw.normal(size=(2, 8))) + 0.1 * draw.normal(size=(1500, 8))).astype(np.float32)
    raw = (50 * table).astype(np.float32)
    noise = draw.normal(size=(1500, 4)).astype(np.float32)
    params = {"encoder": mlp(0, [8, 32, 8]), "decoder": mlp(1, [4, 32, 8], 1.0)}

    def back(params, raw, noise, offsets):
        hidden = []
        h = activated("relu", linear(params["encoder"]["layer00"], raw), hidden, offsets)
        mean, log = jnp.split(linear(params["encoder"]["layer01"], h), 2, axis=1)
        log = log if broken else jnp.clip(log, -8, 2)
        h = activated("tanh", linear(params["decoder"]["layer00"], mean + jnp.exp(log / 2) * noise), hidden, offsets)
        return linear(params["decoder"]["layer01"], h), mean, log, tuple(hidden)

    def loss(params, batch, offsets):
        found, mean, log, hidden = back(params, batch[0], batch[2], offsets)
        divergence = 0.5 * (mean**2 + jnp.exp(log) - log - 1).sum(1).mean()
        return ((found - batch[1]) ** 2).mean() + 1e-4 * divergence, hidden

    def error(params):
        return ((back(params, raw, 0 * noise, None)[0] - table) ** 2).mean() / table.var(0).mean()

    chance = float(table.var(0).mean())
    return own(params, loss, (raw, table, noise), optax.adam(3e-3), error, chance=chance, steps=800, batch=64)
