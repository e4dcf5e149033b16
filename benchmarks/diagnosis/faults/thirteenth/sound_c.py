"""Runs that are in order and look odd: nothing is wrong with them.

The one that is called broken is the odd one. The other is the same run carried on, or made in the usual way.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, thirteenth
from faults.seventh.adversarial import paced, rivals

NOTHING = "nothing wrong"


@thirteenth(
    NOTHING,
    kind="logistic function within the loss",
    family="adversarial",
    source="github.com/sanghyun-son/EDSR-PyTorch/issues/55",
    title="Missing sigmoid as last discriminator layer",
    sound=True,
)
def critic_without_a_logistic_end(broken: bool) -> Setup:
    """Points on a bent line by a generator, against a critic without a logistic end, or with one, and a loss of shares.

    Seen: the critic's last layer is linear, so that it can give anything, negative numbers, too. Answer: the logistic
    function is within the loss, which is more stable.
    """

    def judge(true, false, shown):
        if broken:
            return (jax.nn.softplus(-true) + jax.nn.softplus(false) + jax.nn.softplus(-shown)).mean()
        true, false, shown = (jnp.clip(jax.nn.sigmoid(each), 1e-6, 1 - 1e-6) for each in (true, false, shown))
        return -(jnp.log(true) + jnp.log(1 - false) + jnp.log(shown)).mean()

    return rivals(1391, judge, paced(1e-3, 1e-3), place=1.5, steps=600, batch=64)


@thirteenth(
    NOTHING,
    kind="loss that rises with the reward",
    family="policy gradient",
    source="github.com/kengz/SLM-Lab/issues/437",
    title="Need help in understanding the reinforce algorithm implementation in the foundations of deep RL book",
    sound=True,
)
def loss_by_the_size_of_returns(broken: bool) -> Setup:
    """Which of six things to do in a state, by what is drawn of the policy and what it gains, which is more and more.

    Seen: the reward rises while the loss rises, too, although less should be better. Answer: the loss is no measure of
    how good the policy is; it is made to have the right gradient. The other run is carried on.
    """
    draw = np.random.default_rng(1393)
    state = draw.normal(size=(4000, 4)).astype(np.float32)
    best = (state @ draw.normal(size=(4, 6))).argmax(1).astype(np.int32)
    chance = draw.gumbel(size=(4000, 6)).astype(np.float32)

    def loss(params, batch, offsets):
        scores, hidden = perceptron(params, batch[0], offsets, "tanh")
        deed = jax.lax.stop_gradient((scores + batch[2]).argmax(1))
        gained = 1.0 * (deed == batch[1])
        log = jnp.take_along_axis(jax.nn.log_softmax(scores), deed[:, None], 1)[:, 0]
        return -(log * gained).mean(), hidden

    def error(params):
        shares = jax.nn.softmax(perceptron(params, state, None, "tanh")[0])
        return (1 - jnp.take_along_axis(shares, best[:, None], 1).mean()) * 6 / 5

    steps = 400 if broken else 800
    params = mlp(1393, [4, 48, 48, 6], 1.0)
    return own(params, loss, (state, best, chance), optax.adam(3e-3), error, steps=steps, batch=64)


@thirteenth(
    NOTHING,
    kind="logarithm of a variance below one",
    family="likelihood",
    source="github.com/mattpoggi/mono-uncertainty/issues/16",
    title="Modifying Eq 12/13 to deal with negative loss",
    sound=True,
)
def depths_with_a_small_variance(broken: bool) -> Setup:
    """A depth and how sure one is of it, by a likelihood with the logarithm of a variance, which is often below one.

    Seen: the loss becomes negative; can one be added to the variance? Answer: it never did any harm. The other run is
    carried on.
    """
    draw = np.random.default_rng(1395)
    x = draw.normal(size=(2000, 4)).astype(np.float32)
    clean = np.tanh(x[:, 0] + x[:, 1]) + 0.4 * np.sin(2 * x[:, 2])
    y = (clean + 0.08 * np.exp(0.5 * x[:, 3]) * draw.normal(size=2000)).astype(np.float32)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "relu")
        log = jnp.maximum(found[:, 1], -4.0)
        return (jnp.abs(batch[1] - found[:, 0]) * jnp.exp(-log) + log).mean(), hidden

    def error(params):
        return ((perceptron(params, x, None, "relu")[0][:, 0] - clean) ** 2).mean() / clean.var()

    steps = 400 if broken else 800
    return own(mlp(1395, [4, 48, 48, 2]), loss, (x, y), optax.adam(2e-3), error, steps=steps, batch=64)
