"""What to do, and what it is worth: a deed that carries a slope, and a target that is the network itself."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, twelfth


@twelfth(
    "gradients exactly zero",
    kind="deed that carries a slope",
    family="policy gradient",
    source="github.com/HorizonRobotics/alf/pull/34",
    title="Fix a bug of OnPolicyDriver for continuous action space",
)
def deed_that_carries_a_slope(broken: bool) -> Setup:
    """How far to turn in a state, by a normal policy and the rewards of what it did; what it did depends on its mean.

    Seen: the gradient of the deed's likelihood is zero, since none is stopped at the deed. Answer: stop it; merged.
    """
    draw = np.random.default_rng(1233)
    state = draw.normal(size=(3000, 4)).astype(np.float32)
    best = (np.tanh(state[:, 0] + state[:, 1]) + 0.5 * state[:, 2]).astype(np.float32)
    shake = draw.normal(size=3000).astype(np.float32)

    def loss(params, batch, offsets):
        held = jax.lax.stop_gradient
        found, hidden = perceptron(params, batch[0], offsets, "tanh")
        mean = found[:, 0]
        deed = mean + 0.3 * batch[2]
        reward = held(-((deed - batch[1]) ** 2))
        log = -0.5 * (((deed if broken else held(deed)) - mean) / 0.3) ** 2
        return -(log * (reward - reward.mean())).mean(), hidden

    def error(params):
        return ((perceptron(params, state, None, "tanh")[0][:, 0] - best) ** 2).mean() / best.var()

    data, params = (state, best, shake), mlp(1233, [4, 32, 32, 1], 1.0)
    return own(params, loss, data, optax.adam(3e-3), error, steps=600, batch=128)


@twelfth(
    "exploding",
    kind="target that is the network itself",
    family="value regression",
    source="github.com/danijar/dreamer/issues/20",
    title="Have you meet value function explosion when developing?",
)
def worth_by_its_own_guess(broken: bool) -> Setup:
    """What states are worth, by rewards and what the network says of the next states, or what a slow copy says.

    Seen: the value sometimes explodes, in spite of clipped gradients. Answer: it can be unstable; a slow copy helps.
    """
    draw = np.random.default_rng(1235)
    state = draw.normal(size=(3000, 4)).astype(np.float32)
    reward = (np.sin(2 * state[:, 0]) + state[:, 1] + 0.1 * draw.normal(size=3000)).astype(np.float32)
    after = (3 * np.roll(state, 1, axis=1) + draw.normal(size=(3000, 4))).astype(np.float32)
    start = mlp(1235, [4, 48, 48, 1])
    params = {"online": start, "copy": jax.tree.map(lambda w: 0.1 * w, start)}

    def loss(params, batch, offsets):
        held = jax.lax.stop_gradient
        found, hidden = perceptron(params["online"], batch[0], offsets, "relu")
        guess = held(perceptron(params["online" if broken else "copy"], batch[2], None, "relu")[0][:, 0])
        cost = ((found[:, 0] - batch[1] - 0.95 * guess) ** 2).mean()
        near = jax.tree.map(lambda old, new: ((old - held(new)) ** 2).sum(), params["copy"], params["online"])
        pull = 0.5 * sum(jax.tree.leaves(near))
        return cost + pull - held(pull), hidden

    def error(params):
        found = perceptron(params["online"], state, None, "relu")[0][:, 0]
        right = jnp.corrcoef(found, reward)[0, 1]
        return 1 - jnp.nan_to_num(right) ** 2

    rates = {"online": optax.adam(3e-3), "copy": optax.sgd(5e-4)}
    optimizer = optax.multi_transform({**rates}, {"online": "online", "copy": "copy"})
    return own(params, loss, (state, reward, after), optimizer, error, steps=500, batch=64)
