"""Generators and critics: a logarithm of what is no share, true frames in the place of made ones, and a sure critic."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from faults.registry import Setup, eleventh
from faults.seventh.adversarial import paced, rivals


def _within(params: Any, updates: Any) -> Any:
    """An update, behind which the weights of the critic are kept within bounds."""
    moved: Any = optax.apply_updates(params, updates)
    return moved | {"critic": jax.tree.map(lambda w: jnp.clip(w, -0.2, 0.2), moved["critic"])}


@eleventh(
    "not-a-number loss",
    kind="logarithm of what may be negative",
    family="adversarial",
    source="github.com/marian42/shapegan/issues/2",
    title="Error in fake_loss, line 110 of train_hybrid_wgan.py",
)
def logarithm_of_a_score(broken: bool) -> Setup:
    """Points on a bent line by a generator, against a critic whose scores have no bounds, and of which a logarithm
    is taken.

    Seen: the loss of what is made has a logarithm of the critic's answer. Answer: minus its mean; fixed.
    """

    def judge(true, false, shown):
        return (false - true + (-jnp.log(shown) if broken else -shown)).mean()

    rates = {"critic": optax.rmsprop(2e-3), "generator": optax.rmsprop(5e-4)}
    optimizer = optax.multi_transform({**rates}, {"critic": "critic", "generator": "generator"})
    return rivals(1111, judge, optimizer, place=1.5, steps=600, batch=64, apply=_within)


@eleventh(
    "frozen",
    "gradients exactly zero",
    kind="true examples in the place of made ones",
    family="adversarial",
    source="github.com/SunnerLi/RecycleGAN/issues/2",
    title="Bugs on calling updateGenerator?",
)
def generator_that_is_judged_by_true_frames(broken: bool) -> Setup:
    """Points on a bent line by a generator, whose loss is what the critic says of the true points.

    Seen: the loss has to be computed with what the generator made, and not with the truth. Answer: a mistake, since the
    gradient comes from there; revised.
    """

    def squares(true, false, shown):
        judged = jax.lax.stop_gradient(true) if broken else shown
        return ((true - 1) ** 2 + false**2 + (judged - 1) ** 2).mean()

    return rivals(1113, squares, paced(1e-3, 1e-3), place=2.0, steps=600, batch=64)


@eleventh(
    "saturated loss",
    kind="critic that is sure",
    family="adversarial",
    source="github.com/MathiasGruber/SRGAN-Keras/issues/3",
    title="Discriminator loss is zero for generated images",
)
def critic_without_smooth_labels(broken: bool) -> Setup:
    """Points on a bent line by a generator that makes it less likely to be found out, against a critic whose labels
    are zero and one, or less sure.

    Seen: the critic's loss of made images is zero after the first epoch. Answer: the report's own: labels have to be
    smooth, to keep it from zero; there is no other one.
    """
    smooth = 0.0 if broken else 0.1

    def judge(true, false, shown):
        soft = jax.nn.softplus
        critic = (1 - smooth) * (soft(-true) + soft(false)) + smooth * (soft(true) + soft(-false))
        return (critic - soft(shown)).mean()

    rates = {"critic": optax.adam(1e-2, b1=0.5), "generator": optax.sgd(0.02)}
    optimizer = optax.multi_transform({**rates}, {"critic": "critic", "generator": "generator"})
    return rivals(1115, judge, optimizer, place=8.0, steps=900, batch=64)
