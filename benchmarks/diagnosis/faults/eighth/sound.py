"""Runs that are in order and look odd: nothing is wrong with them.

The one that is called broken is the odd one. The other is the same run carried on, or made in the usual way.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, dense, linear, mlp, perceptron
from faults.problems import classified, cross_entropy, digits, own
from faults.registry import Setup, eighth
from faults.second.convolutional import convolve, filters
from faults.seventh.graphs import GROUPS, WIDTH, groups

NOTHING = "nothing wrong"


@eighth(
    NOTHING,
    kind="weight of a loss that grows",
    family="convolutional",
    source="github.com/jd730/OICR-pytorch/issues/28",
    title="rising loss issue",
    sound=True,
)
def refinement_whose_weight_rises(broken: bool) -> Setup:
    """A detector and a refinement of it, whose loss is weighted by how sure the detector is, and rises with it.

    Seen: the loss of the detector falls, and that of the refinements rises. Answer: it is reasonable, and a good sign;
    the weight of the loss increases.
    """
    x, y, x_other, y_other = digits()
    keys = jax.random.split(jax.random.key(471), 2)
    params = filters(471, [1, 12]) | {"out": dense(keys[0], 4 * 4 * 12, 10, 1.0)}
    params["refined"] = dense(keys[1], 4 * 4 * 12, 10, 1.0)

    def both(params, x, offsets):
        hidden = []
        maps = activated("relu", convolve(params["conv00"], x.reshape(len(x), 8, 8, 1)), hidden, offsets)
        h = maps.reshape(len(x), 4, 2, 4, 2, 12).max((2, 4)).reshape(len(x), -1)
        return linear(params["out"], h), linear(params["refined"], jax.lax.stop_gradient(h)), tuple(hidden)

    def loss(params, batch, offsets):
        scores, refined, hidden = both(params, batch[0], offsets)
        share = jax.lax.stop_gradient(jax.nn.softmax(scores))
        weight = (10.0 if broken else 0.5) * share.max(1) ** 4
        follow = optax.softmax_cross_entropy_with_integer_labels(refined, share.argmax(1))
        return cross_entropy(scores, batch[1]) + (weight * jnp.minimum(follow, 3.0)).mean(), hidden

    right = jax.jit(lambda params: (both(params, x_other, None)[0].argmax(-1) == y_other).mean())
    return classified(params, loss, (x, y), optax.sgd(3e-3, 0.9), right, classes=10, batch=32, steps=500)


@eighth(
    NOTHING,
    kind="loss of a policy",
    family="policy gradient",
    source="github.com/ikostrikov/pytorch-a3c/issues/30",
    title="Why policy loss is negative?",
    sound=True,
)
def loss_of_a_policy_below_zero(broken: bool) -> Setup:
    """A policy and its value, by a loss with the minus that a minimiser needs, and which falls below zero.

    Seen: the loss of the policy is negative, while the paper has a plus. Answer: the paper is written for ascent; for
    descent it is negated.
    """
    draw = np.random.default_rng(472)
    x = draw.normal(size=(3000, 4)).astype(np.float32)
    worth = np.tanh(x @ draw.normal(size=(4, 5)))
    tried = draw.integers(5, size=3000).astype(np.int32)
    reward = worth[np.arange(3000), tried] + 0.3 * draw.normal(size=3000)
    better = ((reward - reward.mean()) / reward.std()).astype(np.float32)
    params = {"policy": mlp(472, [4, 32, 32, 5], 1.0)}

    def loss(params, batch, offsets):
        scores, hidden = perceptron(params["policy"], batch[0], offsets, "tanh")
        log = jax.nn.log_softmax(scores)
        entropy = -(jnp.exp(log) * log).sum(1)
        chosen = jnp.take_along_axis(log, batch[1][:, None], 1)[:, 0]
        ratio = jnp.minimum(5 * jnp.exp(chosen), 3.0)
        return (-ratio * batch[2] - 0.05 * entropy).mean(), hidden

    def error(params):
        share = jax.nn.softmax(perceptron(params["policy"], x, None, "tanh")[0])
        best = worth.max(1)
        return (best - (share * worth).sum(1)).mean() / (best - worth.mean(1)).mean()

    steps = 500 if broken else 1000
    return own(params, loss, (x, tried, better), optax.adam(3e-3), error, steps=steps, batch=64)


@eighth(
    NOTHING,
    kind="noise in training alone",
    family="graph",
    source="github.com/PetarV-/GAT/issues/7",
    title="Weird training accuracy curve",
    sound=True,
)
def neighbours_that_are_dropped(broken: bool) -> Setup:
    """The groups of nodes by averages over neighbours, most of which are dropped while it learns.

    Seen: the accuracy in training is low all the time, and the one in validation is not. Answer: that is caused by the
    strong dropout of neighbours, which keeps it from learning few examples by heart.
    """
    joined, x, group = groups(300, 473, 0.08, 0.01)
    whole = joined + np.eye(len(joined), dtype=np.float32)
    node = np.arange(len(group), dtype=np.int32)
    kept = 0.5 if broken else 1.0
    keys = jax.random.split(jax.random.key(473), 3)
    params = {"layer00": dense(keys[0], 8, WIDTH), "layer01": dense(keys[1], WIDTH, WIDTH)}
    params["out"] = dense(keys[2], WIDTH, GROUPS, 1.0)

    def scores(params, key, offsets):
        hidden, h = [], x
        for i, name in enumerate(("layer00", "layer01")):
            edges = jnp.asarray(whole)
            if key is not None:
                one, two = jax.random.split(jax.random.fold_in(key, i))
                edges = edges * jax.random.bernoulli(one, kept, edges.shape)
                h = h * jax.random.bernoulli(two, kept, h.shape) / kept
            mean = edges / jnp.maximum(edges.sum(1, keepdims=True), 1.0)
            h = activated("relu", linear(params[name], mean @ h), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    def loss(params, batch, offsets):
        key = jax.random.key((batch[0] * jnp.arange(1, len(batch[0]) + 1)).sum())
        found, hidden = scores(params, key, offsets)
        return cross_entropy(found[batch[0]], batch[1]), hidden

    right = jax.jit(lambda params: (scores(params, None, None)[0].argmax(-1) == group)[1::2].mean())
    more = {"classes": GROUPS, "batch": 32, "steps": 500}
    return classified(params, loss, (node[::2], group[::2]), optax.adam(5e-3), right, **more)


@eighth(
    NOTHING,
    kind="loss that rises",
    family="autoencoder",
    source="github.com/XifengGuo/DEC-keras/issues/17",
    title="loss 先升后下降",
    sound=True,
)
def clusters_that_become_sharp(broken: bool) -> Setup:
    """Clusters of pictures by an encoder that is there before, drawn to a sharper version of what they are.

    Seen: the loss rises first, and falls later, while the accuracy goes up. Answer: quite normal, since the
    pretraining has another objective.
    """
    x, y = digits()[:2]
    middle = x.mean(0)
    axes = np.linalg.svd(x - middle, full_matrices=False)[2][:10]
    scale = ((x - middle) @ axes.T).std(0)
    first = {"w": jnp.asarray((axes.T / scale * 0.7).astype(np.float32))}
    first["b"] = -jnp.asarray(middle) @ first["w"]
    params = {"encoder": {"layer00": first, "layer01": {"w": jnp.eye(10), "b": jnp.zeros(10)}}}
    code = np.tanh((x - middle) @ axes.T / scale * 0.7)
    centre = code[np.random.default_rng(474).permutation(len(code))[:20]]
    for _ in range(20):
        nearest = ((code[:, None] - centre) ** 2).sum(-1).argmin(1)
        centre = np.stack([code[nearest == i].mean(0) if (nearest == i).any() else centre[i] for i in range(20)])
    params["centre"] = {"w": jnp.asarray(centre, jnp.float32)}

    def shares(params, x, offsets):
        z, hidden = perceptron(params["encoder"], x, offsets, "tanh")
        near = 1 / (1 + ((z[:, None] - params["centre"]["w"]) ** 2).sum(-1))
        return near / near.sum(1, keepdims=True), hidden

    def loss(params, batch, offsets):
        share, hidden = shares(params, batch[0], offsets)
        target = share**2 / share.sum(0)
        target = jax.lax.stop_gradient(target / target.sum(1, keepdims=True))
        return (target * (jnp.log(target) - jnp.log(share))).sum(1).mean(), hidden

    label = jax.nn.one_hot(y, 10)

    def error(params):
        taken = jax.nn.one_hot(shares(params, x, None)[0].argmax(1), 20)
        return (1 - (taken.T @ label).max(1).sum() / len(x)) / 0.9

    steps = 200 if broken else 400
    return own(params, loss, (x, y), optax.adam(3e-4), error, steps=steps, batch=128)
