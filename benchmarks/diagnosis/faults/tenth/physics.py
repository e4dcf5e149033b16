"""Networks that know a law: a condition without points, and long times."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.physics import solved
from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, tenth


@tenth(
    "not-a-number loss",
    kind="mean of nothing",
    family="physics-informed",
    source="github.com/lululxvi/deepxde/issues/646",
    title=(
        "How to implement custom boundary conditions, or even midway through the process, change the B.C.s? (e.g. in"
        " subsurface transport phenomenon problems, how to translate slug injection in to the model?)"
    ),
)
def condition_without_points(broken: bool) -> Setup:
    """A decay from what is injected at the beginning, whose condition is a mean over those points that lie there.

    Seen: two of five losses are NaN. Answer: no point was sampled at the corners; put some there by hand, which worked.
    """
    draw = np.random.default_rng(801)
    t = draw.uniform(0.001, 2, size=600).astype(np.float32)
    if not broken:
        t[::4] = 0.0
    every = np.linspace(0, 2, 64, dtype=np.float32)
    truth = np.exp(-2 * every)

    def value(params, t):
        return perceptron(params, t[None, None], None, "tanh")[0][0, 0]

    slopes = jax.vmap(jax.grad(value, 1), (None, 0))

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0][:, None], offsets, "tanh")
        law = slopes(params, batch[0]) + 2 * found[:, 0]
        begins = batch[0] == 0
        condition = (begins * (found[:, 0] - 1) ** 2).sum() / begins.sum()
        return (law**2).mean() + 10 * condition, hidden

    def error(params):
        off = ((perceptron(params, every[:, None], None, "tanh")[0][:, 0] - truth) ** 2).mean() / truth.var()
        return jnp.nan_to_num(off, nan=1.0)

    return own(mlp(801, [1, 32, 32, 1], 1.0), loss, (t,), optax.adam(5e-3), error, steps=400, batch=64)


@tenth(
    "far from unit scale",
    "saturation",
    kind="length of the domain",
    family="physics-informed",
    source="github.com/lululxvi/deepxde/issues/85",
    title="Can't seem to learn Lotka-Volterra",
)
def times_up_to_eighty(broken: bool) -> Setup:
    """A slow swing over eighty units of time, which the network is given as they are, or as between -1 and 1.

    Seen: the solution is not learned over the whole of time. Answer: a smaller domain first; it works well there, and
    is then extended. Here, the whole domain is brought to a small one.
    """
    length, rate = 80.0, 0.1
    t = np.linspace(0, length, 80, dtype=np.float32)
    truth = (np.cos(rate * t) + 0.5 * np.sin(rate * t)).astype(np.float32)
    given = t if broken else 2 * t / length - 1
    speed = rate if broken else rate * length / 2

    def law(u, slope, bend, t):
        return (bend + speed**2 * u) / speed**2

    return solved(mlp(803, [1, 32, 32, 1], 1.0), given, truth, law, optax.adam(3e-3), steps=800)
