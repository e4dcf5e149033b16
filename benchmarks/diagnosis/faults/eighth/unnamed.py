"""Faults whose cause no finding names."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import activated, mlp, perceptron
from faults.problems import own
from faults.registry import Setup, eighth
from faults.seventh.adversarial import paced, sigmoid_scores


@eighth(
    "the gradients of all earlier steps are added to that of each step",
    kind="gradients that add up",
    family="regression",
    source="github.com/fastai/course22/issues/58",
    title="Possible Error",
)
def parabola_of_three_numbers(broken: bool) -> Setup:
    """Three numbers of a parabola, by a loop that is written out, and that never sets the gradient to zero.

    Seen: after ten steps the loss grows again, which is said to be due to the rate. Answer: none but the report's own:
    gradients add up; with zero in their place it converges.
    """
    draw = np.random.default_rng(461)
    x = np.linspace(-2, 2, 60, dtype=np.float32)
    y = (3 * x**2 + 2 * x + 1 + 0.3 * draw.normal(size=60)).astype(np.float32)
    params = {"a": jnp.array(-1.5), "b": jnp.array(-1.5), "c": jnp.array(-1.5)}

    def found(params, x, offsets):
        hidden = []
        z = params["a"] * x**2 + params["b"] * x + params["c"]
        return activated("linear", z[:, None], hidden, offsets)[:, 0], tuple(hidden)

    def loss(params, batch, offsets):
        answer, hidden = found(params, batch[0], offsets)
        return jnp.abs(answer - batch[1]).mean(), hidden

    def error(params):
        return ((found(params, x, None)[0] - y) ** 2).mean() / y.var()

    def add(updates, state, params=None):
        total = jax.tree.map(jnp.add, state, updates)
        return total, total

    summed = optax.GradientTransformation(lambda params: jax.tree.map(jnp.zeros_like, params), add)
    step = optax.sgd(0.05)
    optimizer = optax.chain(summed, step) if broken else step
    chance = float(np.abs(y - np.median(y)).mean())
    return own(params, loss, (x, y), optimizer, error, chance=chance, steps=300)


def _bandit(seed: int):
    """States, actions that were tried, how much better than others each was, and the best action of each state."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(3000, 4)).astype(np.float32)
    worth = np.tanh(x @ draw.normal(size=(4, 5)))
    tried = draw.integers(5, size=3000).astype(np.int32)
    reward = worth[np.arange(3000), tried] + 0.3 * draw.normal(size=3000)
    return x, tried, ((reward - reward.mean()) / reward.std()).astype(np.float32), worth


def _regret(params, x, worth):
    """What is lost by the likely actions beside the best, over what is lost by a guess."""
    share = jax.nn.softmax(perceptron(params, x, None, "tanh")[0])
    best = worth.max(1)
    return (best - (share * worth).sum(1)).mean() / (best - worth.mean(1)).mean()


@eighth(
    "the entropy of the policy is made small, where it should be kept large",
    kind="sign of the entropy",
    family="policy gradient",
    source="github.com/google-deepmind/open_spiel/issues/962",
    title="A question of BatchA2CLoss",
)
def policy_that_is_soon_decided(broken: bool) -> Setup:
    """A policy with a bonus for its entropy, which is added to the loss once more where it should be taken from it.

    Seen: the total is the loss of the policy plus the entropy's, not minus. Answer: at first, that it is right; then,
    that it is indeed a bug, which is being fixed.
    """
    x, tried, better, worth = _bandit(462)
    weight = 0.5
    meant = jax.nn.softmax((worth - worth.mean()) / worth.std() / weight)

    def loss(params, batch, offsets):
        scores, hidden = perceptron(params, batch[0], offsets, "tanh")
        log = jax.nn.log_softmax(scores)
        entropy = -(jnp.exp(log) * log).sum(1)
        chosen = jnp.take_along_axis(log, batch[1][:, None], 1)[:, 0]
        return (-5 * jnp.exp(chosen) * batch[2] + (weight if broken else -weight) * entropy).mean(), hidden

    def error(params):
        share = jax.nn.softmax(perceptron(params, x, None, "tanh")[0])
        return ((share - meant) ** 2).mean() / ((meant - 0.2) ** 2).mean()

    params = mlp(462, [4, 32, 32, 5], 1.0)
    return own(params, loss, (x, tried, better), optax.adam(3e-3), error, steps=500, batch=64)


@eighth(
    "the objective is negated twice, so that good actions become rarer",
    kind="sign of the objective",
    family="policy gradient",
    source="github.com/fla-org/flash-linear-attention/issues/1073",
    title="[Bug] grpo_loss_with_old_logps double-negates the loss (wrong sign)",
)
def advantages_with_two_signs(broken: bool) -> Setup:
    """A policy that is compared with the one that acted, by a loss that has a minus of each word, and one of the sum.

    Seen: minimising it pushes the policy away from actions of a high advantage. Answer: drop the second sign.
    """
    x, tried, better, worth = _bandit(463)

    def loss(params, batch, offsets):
        scores, hidden = perceptron(params, batch[0], offsets, "tanh")
        log = jnp.take_along_axis(jax.nn.log_softmax(scores), batch[1][:, None], 1)[:, 0]
        ratio = 5 * jnp.exp(log)
        each = -jnp.minimum(ratio * batch[2], jnp.clip(ratio, 0.3, 3.0) * batch[2])
        return (-each if broken else each).mean(), hidden

    def error(params):
        return _regret(params, x, worth)

    params = mlp(463, [4, 32, 32, 5], 1.0)
    return own(params, loss, (x, tried, better), optax.adam(3e-3), error, steps=400, batch=64)


@eighth(
    "true pictures lie between zero and one, and what is generated is read as between minus one and one",
    kind="range of the data",
    family="adversarial",
    source="github.com/voletiv/self-attention-GAN-pytorch/issues/6",
    title="Wrong Normalization Setting in Dataloader",
)
def pictures_of_low_contrast(broken: bool) -> Setup:
    """A generator that ends with a tangent, whose pictures are shown as such, while true ones are not normalised.

    Seen: poor results, of a low contrast. Answer: true pictures into the range of the generator; very good then.
    """
    draw = np.random.default_rng(464)
    noise = draw.normal(size=(768, 3)).astype(np.float32)
    angle = draw.uniform(0, 2 * np.pi, size=768)
    pixels = 0.3 + 0.4 * np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.03 * draw.normal(size=(768, 2))
    meant = np.clip(2 * pixels - 1, -0.95, 0.95).astype(np.float32)
    real = ((meant + 1) / 2 if broken else meant).astype(np.float32)
    params = {"critic": mlp(464, [2, 32, 32, 1], 1.0), "generator": mlp(465, [3, 32, 32, 2], 1.0)}

    def drawn(params, noise, hidden, offsets):
        z = embedded(params["generator"], noise, hidden, offsets, "leaky_relu")
        return activated("tanh", z, hidden, offsets)

    def loss(params, batch, offsets):
        hidden, held = [], jax.lax.stop_gradient
        fake = drawn(params, batch[0], hidden, offsets)
        true = embedded(params["critic"], batch[1], hidden, offsets, "leaky_relu")
        false = embedded(params["critic"], held(fake), hidden, offsets, "leaky_relu")
        shown = embedded(held(params["critic"]), fake, hidden, offsets, "leaky_relu")
        return sigmoid_scores(true, false, shown), tuple(hidden)

    def error(params):
        fake = drawn(params, noise, [], None)
        far = (fake.mean(0) - meant.mean(0)) ** 2 + (fake.std(0) - meant.std(0)) ** 2
        return far.sum() / jnp.asarray(meant.mean(0) ** 2 + meant.std(0) ** 2).sum()

    return own(params, loss, (noise, real), paced(1e-3, 1e-3), error, steps=800, batch=64)
