"""Generators and critics: a judgement that is cut off, and squares of shares."""

import jax
import optax

from faults.registry import Setup, twelfth
from faults.seventh.adversarial import paced, rivals


@twelfth(
    "gradients exactly zero",
    "frozen",
    kind="judgement that is cut off",
    family="adversarial",
    source="github.com/wangle53/CSA-CDGAN/issues/5",
    title="The problem of the GAN implementation",
)
def judgement_that_is_cut_off(broken: bool) -> Setup:
    """Points on a bent line by a generator, whose loss is what the critic says, with or without a way back.

    Seen: the critic's answer is detached in the generator's step, so that its loss cannot update anything. Answer: the
    critic must not be updated there, says the author; here, it is held, and its answer is not.
    """

    def judge(true, false, shown):
        judged = jax.lax.stop_gradient(shown) if broken else shown
        return (jax.nn.softplus(-true) + jax.nn.softplus(false) + jax.nn.softplus(-judged)).mean()

    return rivals(1211, judge, paced(1e-3, 1e-3), place=2.0, steps=600, batch=64)


@twelfth(
    "saturated loss",
    "vanishing",
    kind="squares of shares",
    family="adversarial",
    source="github.com/hwalsuklee/tensorflow-generative-model-collections/issues/19",
    title="Question about LSGAN",
)
def squares_of_shares(broken: bool) -> Setup:
    """Points on a bent line by a generator, against a critic whose squares are taken of a logistic function, or not.

    Seen: with the logistic function the gradient still vanishes. Answer: you are right, a mistake; the scores must be
    used.
    """

    def judge(true, false, shown):
        true, false, shown = ((jax.nn.sigmoid(each) if broken else each) for each in (true, false, shown))
        return ((true - 1) ** 2 + false**2 + (shown - 1) ** 2).mean()

    rates = {"critic": optax.adam(1e-2, b1=0.5), "generator": optax.sgd(0.02)}
    optimizer = optax.multi_transform({**rates}, {"critic": "critic", "generator": "generator"})
    return rivals(1213, judge, optimizer, place=8.0, steps=900, batch=64)
