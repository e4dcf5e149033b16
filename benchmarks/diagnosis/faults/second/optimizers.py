"""Optimizers, schedules and decays that do not do what was meant."""

import jax
import jax.numpy as jnp
import optax

from faults.nets import mlp
from faults.problems import classification
from faults.registry import Setup, second

WIDE = [64, 48, 48, 10]


@second(
    "updates point uphill",
    kind="frozen in the wrong way",
    family="feed-forward",
    source="github.com/google-deepmind/optax/issues/159",
    title="What does optax.mask do?",
)
def masked_means_untouched(broken: bool) -> Setup:
    """A masked optimizer hands the gradients of the layers that should rest on as they are, and they are added."""
    params = mlp(0, WIDE)
    trained = {name: name == "layer02" for name in params}
    if broken:
        return classification(params, optax.masked(optax.adam(3e-3), trained))
    labels = {name: "head" if trained[name] else "rest" for name in params}
    return classification(
        params, optax.multi_transform({"head": optax.adam(3e-3), "rest": optax.set_to_zero()}, labels)
    )


@second(
    "learning rate too small",
    kind="default of another version",
    family="feed-forward",
    source="github.com/tensorflow/tensorflow/issues/32950",
    title="Tensorflow 2.0 AdaDelta Optimizer",
)
def adadelta_at_a_thousandth(broken: bool) -> Setup:
    """Adadelta, which scales its updates itself, at a learning rate of 0.001."""
    return classification(mlp(1, WIDE), optax.adadelta(1e-3 if broken else 1.0), steps=400)


@second(
    "learning rate too large",
    kind="rate of another optimizer",
    family="feed-forward",
    source="github.com/lucidrains/denoising-diffusion-pytorch/issues/170",
    title="Report on Lion Optimizer",
)
def rate_of_adam_for_lion(broken: bool) -> Setup:
    """Lion, whose updates all have the size of the rate, at a rate that suits Adam."""
    return classification(mlp(2, [64, 64, 64, 64, 64, 10], 1.0), optax.lion(0.05 if broken else 5e-4), kind="tanh")


@second(
    "learning rate too small",
    kind="constant of the optimizer",
    family="feed-forward",
    source="github.com/mlpnlp/mlpnlp-nmt/pull/4",
    title="Fix default eps value of the Adam optimizer",
)
def epsilon_above_the_gradients(broken: bool) -> Setup:
    """Adam with an epsilon of 0.1, far above the gradients, by which it divides."""
    return classification(mlp(3, WIDE, 1.0), optax.adam(1.5e-4, eps=0.1 if broken else 1e-8), kind="tanh")


@second(
    "learning rate too small",
    kind="clipping",
    family="feed-forward",
    source="github.com/wandb/senpai/pull/978",
    title="Gradient clip max_norm=5.0 (5x higher than current 1.0)",
)
def clipped_to_nothing(broken: bool) -> Setup:
    """Gradients that are all clipped, to a norm that moves nothing."""
    clip = optax.clip_by_global_norm(1e-3 if broken else 5.0)
    return classification(mlp(4, WIDE), optax.chain(clip, optax.sgd(0.1)))


@second(
    "learning rate too large",
    kind="gradient accumulation",
    family="feed-forward",
    source="github.com/karpathy/nanoGPT/issues/168",
    title="Should `loss` be divided by `gradient_accumulation_steps`?",
)
def summed_micro_batches(broken: bool) -> Setup:
    """Gradients of 64 micro-batches that are summed and not divided; the loss that is logged is the mean."""
    accumulated = optax.chain(optax.scale(64.0 if broken else 1.0), optax.sgd(0.3))
    return classification(mlp(5, [64, 64, 64, 64, 10], 1.0), accumulated, kind="tanh")


@second(
    "vanishing in training",
    "collapse",
    kind="weight decay",
    family="feed-forward",
    source="github.com/egg-west/AdamW-pytorch/issues/1",
    title="weight decay multiplied by learning rate",
)
def decay_without_the_rate(broken: bool) -> Setup:
    """A decoupled decay of 0.1 that is not multiplied by the learning rate, so that it outweighs every update."""
    adam = optax.scale_by_adam()
    step = optax.scale(-1e-3)
    decay = optax.add_decayed_weights(-0.1 if broken else -0.1 * 1e-3)
    return classification(mlp(6, [64, 48, 48, 48, 48, 10]), optax.chain(adam, step, decay), steps=300)


def scale_by_uncorrected_adam(b1: float = 0.9, b2: float = 0.999) -> optax.GradientTransformation:
    """Adam's ratio of moments, without the correction for moments that begin at zero."""

    def init(params):
        return jax.tree.map(jnp.zeros_like, (params, params))

    def update(updates, state, params=None):
        first = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state[0], updates)
        squares = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g**2, state[1], updates)
        return jax.tree.map(lambda m, v: m / (jnp.sqrt(v) + 1e-8), first, squares), (first, squares)

    return optax.GradientTransformation(init, update)


@second(
    "updates not applied",
    kind="updates that reach nothing",
    family="feed-forward",
    source="github.com/spro/practical-pytorch/issues/9",
    title="char-rnn-classification parameters update method confusion",
)
def optimizer_of_another_model(broken: bool) -> Setup:
    """A model that was made twice: the optimizer moves the first one, and the second one is trained."""

    def apply(params, updates):
        return params if broken else optax.apply_updates(params, updates)

    return classification(mlp(7, WIDE, 1.0), optax.sgd(0.05, 0.9), kind="tanh", apply=apply)
