"""Generators against critics."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp
from faults.problems import own
from faults.registry import Setup, third
from faults.second.adversarial import duel, perceptron


@third(
    "saturated loss",
    kind="loss that is flat",
    family="adversarial",
    source="github.com/guojunq/lsgan/issues/3",
    title="Vanishing gradients?",
)
def squares_of_a_sigmoid(broken: bool) -> Setup:
    """Least squares of a sigmoid of a critic that is sure: neither it nor the generator is moved.

    Seen: a loss that never goes down. Answer: the critic's output is linear, which has no flat part.
    """
    draw = np.random.default_rng(0)
    noise = draw.normal(size=(512, 2)).astype(np.float32)
    real = (2 + 0.5 * draw.normal(size=(512, 2))).astype(np.float32)
    size = 2.5 if broken else 0.25
    critic = {"layer00": {"w": jnp.full((2, 1), size), "b": jnp.full(1, -size)}}
    params = {"critic": critic, "generator": mlp(0, [2, 32, 32, 2], 1.0)}
    params["generator"]["layer02"]["b"] = jnp.array([-1.0, -1.0])
    squash = jax.nn.sigmoid if broken else lambda z: z

    def loss(params, batch, offsets):
        hidden = []
        held = jax.lax.stop_gradient
        fake = perceptron(params["generator"], batch[0], hidden, offsets)
        judged = perceptron(params["critic"], jnp.concatenate([batch[1], held(fake)]), hidden, offsets)[:, 0]
        true, false = jnp.split(squash(judged), 2)
        critic = 0.5 * ((true - 1) ** 2 + false**2).mean()
        shown = perceptron(held(params["critic"]), fake, hidden, offsets)[:, 0]
        return critic + 0.5 * ((squash(shown) - 1) ** 2).mean(), tuple(hidden)

    def error(params):
        fake = perceptron(params["generator"], noise, [], None)
        return ((fake.mean(0) - 2) ** 2).sum() / 18

    rates = {"critic": optax.adam(0.1), "generator": optax.sgd(0.05)}
    optimizer = optax.multi_transform(rates, {"critic": "critic", "generator": "generator"})
    return own(params, loss, (noise, real), optimizer, error, chance=0.375, steps=600, batch=128)


@third(
    "learning rate too small",
    kind="schedule",
    family="adversarial",
    source="github.com/Lornatang/SRGAN-PyTorch/issues/1",
    title="Learning rate scheduler is working incorrect",
)
def schedule_by_the_batch(broken: bool) -> Setup:
    """A schedule for epochs that is called at every batch: the learning rate is nothing after a few steps.

    Seen: the networks do not seem to train. Answer: call the scheduler once an epoch, and they do.
    """
    return duel(cut=False, rate=optax.exponential_decay(1e-3, 10 if broken else 1000, 0.1, staircase=True))
