"""Embeddings that are learned by comparison: partners in other places."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import mlp
from faults.problems import own
from faults.registry import Setup, eleventh
from faults.second.contrastive import unit
from faults.third.contrastive import views


@eleventh(
    "constant answer",
    kind="partners in other places",
    family="contrastive",
    source="github.com/Spijkervet/SimCLR/pull/46",
    title="Fix mask issue in distributed nt_xent loss",
)
def partners_of_two_workers(broken: bool) -> Setup:
    """Which of all others is the second view of a picture, where two workers have given theirs one behind the other.

    Seen: what is gathered has the first views of one worker, its second ones, and then those of the other worker, while
    the mask expects all first ones before all second ones. Answer: put into that order; merged.
    """
    first, second = views(1145)
    params = mlp(1145, [64, 64, 32], 1.0)

    def loss(params, batch, offsets):
        hidden = []
        half = len(batch[0]) // 2
        one, two = (unit(embedded(params, view, hidden, offsets, "tanh")) for view in batch)
        order = (one[:half], two[:half], one[half:], two[half:]) if broken else (one, two)
        z = jnp.concatenate(order)
        near = jnp.where(jnp.eye(len(z), dtype=bool), -1e9, z @ z.T / 0.2)
        partner = (jnp.arange(len(z)) + len(z) // 2) % len(z)
        return -jax.nn.log_softmax(near)[jnp.arange(len(z)), partner].mean(), tuple(hidden)

    def error(params):
        one, two = (unit(embedded(params, view[:400], [], None, "tanh")) for view in (first, second))
        return ((one @ two.T).argmax(1) != jnp.arange(400)).mean()

    chance = float(np.log(127))
    return own(params, loss, (first, second), optax.adam(2e-3), error, chance=chance, steps=300, batch=64)
