"""Predictions of numbers: coordinates, several tasks at once, waves."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import curve, own, regression
from faults.registry import Setup, second


@second(
    "updates lost to rounding",
    "far from unit scale",
    kind="precision",
    family="regression",
    source="github.com/autowarefoundation/autoware_universe/issues/3090",
    title="`float` is not precise enough for UTM coordinates.",
)
def coordinates_of_a_country(broken: bool) -> Setup:
    """Positions in metres of a national grid, between which float32 has steps that are larger than the updates."""
    draw = np.random.default_rng(0)
    origin = np.array([3_880_960.0, 3_948_996.0]) if broken else np.zeros(2)
    beacons, sites = draw.uniform(-20, 20, (12, 2)), draw.uniform(-20, 20, (256, 2))
    ranges = np.linalg.norm(sites[:, None] - beacons, axis=-1).astype(np.float32)
    params = {"beacons": {"w": jnp.asarray(origin + beacons + draw.choice([-2.0, 2.0], (12, 2)), jnp.float32)}}

    def loss(params, batch, offsets):
        apart = batch[0][:, None] - params["beacons"]["w"]
        found = jnp.sqrt((apart**2).sum(-1) + 1e-6)
        return ((found - batch[1]) ** 2).mean(), ()

    def error(params):
        return ((params["beacons"]["w"] - jnp.asarray(origin + beacons, jnp.float32)) ** 2).mean() / 4

    data = ((origin + sites).astype(np.float32), ranges)
    return own(params, loss, data, optax.adam(0.02), error, chance=float(ranges.var(0).mean()), steps=400)


@second(
    "far from unit scale",
    "first loss too large",
    kind="scale of a loss",
    family="regression",
    source="github.com/vlfeat/matconvnet/issues/1146",
    title="Multi-task training",
)
def one_task_in_hundreds(broken: bool) -> Setup:
    """Two tasks whose targets differ by a factor of 300: the rate that one of them bears does not move the other."""
    x, small = curve(1)
    large = (np.cos(2 * x[:, 1]) + x[:, 0]).astype(np.float32)
    large = (300.0 if broken else 1.0) * (large - large.mean()) / large.std()
    targets = np.stack([large, small], 1)

    def loss(params, batch, offsets):
        answers, hidden = perceptron(params, batch[0], offsets, "tanh")
        return ((answers - batch[1]) ** 2).mean(0).sum(), hidden

    def error(params):
        return ((perceptron(params, x, None, "tanh")[0][:, 1] - small) ** 2).mean() / small.var()

    optimizer = optax.sgd(1e-5 if broken else 0.03, 0.9)
    chance = float(targets.var(0).sum())
    return own(mlp(0, [3, 64, 64, 2], 1.0), loss, (x, targets), optimizer, error, chance=chance, steps=600)


@second(
    "far from unit scale",
    kind="scale of the data",
    family="regression",
    source="github.com/vsitzmann/siren/issues/19",
    title="SIREN not converge",
)
def waves_over_pixels(broken: bool) -> Setup:
    """A network of sines over coordinates from 0 to 255, where it expects them between -1 and 1.

    It may fit the points that it is given; what it says between them, by which it is judged, is noise.
    """
    grid = np.linspace(-1, 1, 511, dtype=np.float32)[:, None]
    y = (np.sin(6 * grid) + 0.5 * np.cos(11 * grid + 1))[:, 0].astype(np.float32)
    x = (grid + 1) * 127.5 if broken else grid
    keys = jax.random.split(jax.random.key(0), 3)
    params = mlp(1, [1, 48, 48, 1], 1.0)
    params["layer00"]["w"] = 30 * jax.random.uniform(keys[0], (1, 48), minval=-1)
    params["layer01"]["w"] = jax.random.uniform(keys[1], (48, 48), minval=-1) * (6 / 48) ** 0.5
    between = jax.jit(lambda params: ((perceptron(params, x[1::2], None, "sine")[0][:, 0] - y[1::2]) ** 2).mean())

    setup = regression(params, optax.adam(1e-3), data=(x[::2], y[::2]), kind="sine")
    return Setup(**{**vars(setup), "error": lambda params: float(between(params)) / float(y.var())})
