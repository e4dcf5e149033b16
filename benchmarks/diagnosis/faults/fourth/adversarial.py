"""A generator against a critic that is sure."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp
from faults.problems import own
from faults.registry import Setup, fourth
from faults.second.adversarial import perceptron


@fourth(
    "saturated loss",
    "gradients exactly zero",
    kind="probability that rounds to one",
    family="adversarial",
    source="github.com/soumith/ganhacks/issues/67",
    title="> @KrnTneja : Thanks for your tricks. Could you provide any code to do it? "
    "I also meet the problem of loss D goes to zero",
)
def probabilities_of_a_sure_critic(broken: bool) -> Setup:
    """A critic whose probabilities are kept off zero and one by 1e-7: where it is sure, nothing has a slope.

    Seen: the critic's loss goes to zero, and no more is learned. Answer: no sigmoid, and the entropy of its scores.
    """
    draw = np.random.default_rng(0)
    noise = draw.normal(size=(512, 1)).astype(np.float32)
    real = (3 + 0.5 * draw.normal(size=(512, 1))).astype(np.float32)
    critic = {
        "layer00": {"w": jnp.ones((1, 8)), "b": -jnp.linspace(-1, 5, 8)},
        "layer01": {"w": jnp.full((8, 1), 12.0), "b": jnp.zeros(1)},
    }
    params = {"critic": critic, "generator": mlp(1, [1, 32, 32, 1], 1.0)}
    params["generator"]["layer02"]["b"] = jnp.full(1, -1.0)

    def surprise(score, sign):
        if not broken:
            return jax.nn.softplus(-sign * score)
        return -jnp.log(jnp.clip(jax.nn.sigmoid(sign * score), 1e-7, 1 - 1e-7))

    def loss(params, batch, offsets):
        hidden = []
        held = jax.lax.stop_gradient
        fake = perceptron(params["generator"], batch[0], hidden, offsets)
        true = perceptron(params["critic"], batch[1], hidden, offsets)
        false = perceptron(params["critic"], held(fake), hidden, offsets)
        shown = perceptron(held(params["critic"]), fake, hidden, offsets)
        critic = surprise(true, 1).mean() + surprise(false, -1).mean()
        return critic + surprise(shown, 1).mean(), tuple(hidden)

    def error(params):
        return (perceptron(params["generator"], noise, [], None).mean() - 3) ** 2 / 16

    rates = {"critic": optax.adam(0.1, b1=0.5), "generator": optax.adam(2e-3, b1=0.5)}
    optimizer = optax.multi_transform(rates, {"critic": "critic", "generator": "generator"})
    return own(params, loss, (noise, real), optimizer, error, chance=3 * float(np.log(2)), steps=600, batch=128)
