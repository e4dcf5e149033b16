"""Generators and critics: a critic that is done, one that never steps, a potential that cannot be negative."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp
from faults.problems import own
from faults.registry import Setup, tenth
from faults.seventh.adversarial import paced, rivals, sigmoid_scores


@tenth(
    "saturated loss",
    kind="critic that is sure",
    family="adversarial",
    source="github.com/soumith/ganhacks/issues/36",
    title="Why Discriminator Loss 0 is a failure mode ?",
)
def critic_that_has_nothing_left_to_learn(broken: bool) -> Setup:
    """Points on a bent line by a generator that makes it less likely to be found out, as the paper has it.

    Seen: why is it a failure if the critic's loss is zero, if that is what the paper minimises? Answer: the critic does
    too good a job then, and no more learning happens; the losses have to balance out.
    """

    def judge(true, false, shown):
        both = jax.nn.softplus(-true) + jax.nn.softplus(false)
        return (both + (-jax.nn.softplus(shown) if broken else jax.nn.softplus(-shown))).mean()

    if broken:
        rates = {"critic": optax.adam(0.03, b1=0.5), "generator": optax.sgd(0.01)}
        optimizer = optax.multi_transform({**rates}, {"critic": "critic", "generator": "generator"})
    else:
        optimizer = paced(1e-3, 1e-3)
    return rivals(791, judge, optimizer, place=5.0, steps=600, batch=64)


@tenth(
    "frozen",
    "updates not applied",
    kind="optimizer that never steps",
    family="adversarial",
    source="github.com/zhaoyuzhi/deepfillv2/issues/6",
    title="Discriminator parameter not update?",
)
def critic_that_is_never_stepped(broken: bool) -> Setup:
    """Points on a bent line by a generator, against a critic whose gradients are computed, and never used.

    Seen: the step of the critic's optimizer is missing. Answer: right, it will be added.
    """
    rates = {
        "critic": optax.set_to_zero() if broken else optax.adam(1e-3, b1=0.5),
        "generator": optax.adam(1e-3, b1=0.5),
    }
    optimizer = optax.multi_transform({**rates}, {"critic": "critic", "generator": "generator"})
    return rivals(793, sigmoid_scores, optimizer, place=2.0, steps=700, batch=64)


@tenth(
    "dead units",
    "gradients exactly zero",
    kind="rectified answer",
    family="adversarial",
    source="github.com/mikigom/large-scale-OT-mapping-TF/issues/1",
    title="ReLU in final layer of NN_DUAL",
)
def potential_behind_a_rectifier(broken: bool) -> Setup:
    """How far two clouds of points are from each other, by two potentials whose sum is made large; they begin
    below zero.

    Seen: why is there a rectifier at the end of a potential, which may be negative? Answer: the author cannot remember
    it, and agrees; it will be changed.
    """
    draw = np.random.default_rng(795)
    first = (draw.normal(size=(1000, 2)) + np.array([1.5, 0.0])).astype(np.float32)
    second = (0.7 * draw.normal(size=(1000, 2)) - np.array([1.5, 0.5])).astype(np.float32)
    params = {name: mlp(795 + i, [2, 32, 32, 1], 1.0) for i, name in enumerate(("one", "two"))}
    for each in params.values():
        each["layer02"]["b"] = each["layer02"]["b"] - 1.0

    def potential(params, x, hidden, offsets):
        *layers, last = (params[name] for name in sorted(params))
        for layer in layers:
            x = activated("leaky_relu", linear(layer, x), hidden, offsets)
        return activated("relu" if broken else "linear", linear(last, x), hidden, offsets)[:, 0]

    def loss(params, batch, offsets):
        hidden = []
        u = potential(params["one"], batch[0], hidden, offsets)
        v = potential(params["two"], batch[1], hidden, offsets)
        cost = ((batch[0][:, None] - batch[1][None]) ** 2).sum(-1)
        over = jax.nn.relu(u[:, None] + v[None] - cost)
        return (over**2).mean() / 0.4 - u.mean() - v.mean(), tuple(hidden)

    def error(params):
        u = potential(params["one"], first[:400], [], None)
        v = potential(params["two"], second[:400], [], None)
        cost = ((first[:400, None] - second[None, :400]) ** 2).sum(-1)
        best = 9.25 + 2 * 0.3**2
        over = jnp.maximum(u[:, None] + v[None] - cost, 0.0)
        return 1 - (u.mean() + v.mean() - over.mean()) / best

    return own(params, loss, (first, second), optax.adam(2e-2), error, steps=500, batch=64)
