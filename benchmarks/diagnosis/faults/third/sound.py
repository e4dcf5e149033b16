"""Runs that are in order and look odd: nothing is wrong with them.

The one that is called broken is the odd one. The other is the same run carried on, or made in the usual way.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp, perceptron
from faults.problems import classification, classified, cross_entropy, curve, digits, own
from faults.registry import Setup, third
from faults.second.adversarial import perceptron as shared
from faults.second.contrastive import unit
from faults.second.transformer import row_params, rows
from faults.third.contrastive import views

NOTHING = "nothing wrong"


@third(
    NOTHING,
    kind="loss with a floor",
    family="diffusion",
    source="github.com/hpcaitech/Open-Sora/issues/286",
    title="Loss question",
    sound=True,
)
def noise_that_stays_noise(broken: bool) -> Setup:
    """A denoiser whose loss stops falling early, far above zero: most of the noise cannot be known.

    Seen: for most of the training, the loss does not decrease. Answer: so it is with diffusion; the model improves.
    """
    draw = np.random.default_rng(0)
    corners = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], np.float32)
    clean = corners[draw.integers(4, size=8192)]
    level = draw.uniform(0.1, 0.95, size=(8192, 1)).astype(np.float32)
    noise = draw.normal(size=(8192, 2)).astype(np.float32)
    seen = np.sqrt(1 - level**2) * clean + level * noise
    inputs = np.concatenate([seen, level], axis=1).astype(np.float32)
    apart = seen[:, None] - np.sqrt(1 - level**2)[:, None] * corners
    likely = np.exp(-0.5 * (apart**2).sum(-1) / level**2)
    best = (likely[..., None] * apart).sum(1) / likely.sum(1, keepdims=True) / level

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "tanh")
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((perceptron(params, inputs[:2048], None, "tanh")[0] - best[:2048]) ** 2).mean() / best.var()

    params = mlp(0, [3, 64, 64, 2], 1.0)
    steps = 800 if broken else 2400
    return own(params, loss, (inputs, noise), optax.adam(3e-3), error, chance=1.0, steps=steps, batch=128)


@third(
    NOTHING,
    kind="loss below zero",
    family="adversarial",
    source="github.com/DegardinBruno/Kinetic-GAN/issues/1",
    title="Negative losses when training with ntu",
    sound=True,
)
def critic_below_zero(broken: bool) -> Setup:
    """A Wasserstein critic with a gradient penalty, whose losses are differences of means and lie below zero.

    Seen: losses of both networks below zero. Answer: so it is with Wasserstein losses; they settle later.
    """
    draw = np.random.default_rng(0)
    noise = draw.normal(size=(512, 2)).astype(np.float32)
    real = (2 + 0.7 * draw.normal(size=(512, 2))).astype(np.float32)
    params = {"critic": mlp(0, [2, 32, 32, 1], 1.0), "generator": mlp(1, [2, 32, 32, 2], 1.0)}

    def loss(params, batch, offsets):
        hidden = []
        held = jax.lax.stop_gradient
        fake = shared(params["generator"], batch[0], hidden, offsets)
        judged = shared(params["critic"], jnp.concatenate([batch[1], held(fake)]), hidden, offsets)[:, 0]
        true, false = jnp.split(judged, 2)
        shown = shared(held(params["critic"]), fake, hidden, offsets)[:, 0]
        if not broken:
            critic = (jax.nn.softplus(-true) + jax.nn.softplus(false)).mean()
            return critic + jax.nn.softplus(-shown).mean(), tuple(hidden)
        slope = jax.vmap(jax.grad(lambda point: shared(params["critic"], point[None], [], None)[0, 0]))
        size = jnp.sqrt((slope(0.5 * (batch[1] + held(fake))) ** 2).sum(1) + 1e-8)
        return false.mean() - true.mean() + 10 * ((size - 1) ** 2).mean() - shown.mean(), tuple(hidden)

    def error(params):
        fake = shared(params["generator"], noise, [], None)
        return ((fake.mean(0) - 2) ** 2).sum() / 8

    rates = {"critic": optax.adam(5e-3, b1=0.5), "generator": optax.adam(5e-4, b1=0.5)}
    optimizer = optax.multi_transform(rates, {"critic": "critic", "generator": "generator"})
    return own(params, loss, (noise, real), optimizer, error, steps=1000, batch=128)


@third(
    NOTHING,
    kind="advantages of one sign",
    family="policy gradient",
    source="github.com/Linear95/SPAG/issues/15",
    title="Is the ppo loss negative given the advantage is always positive?",
    sound=True,
)
def winners_alone(broken: bool) -> Setup:
    """A policy that is shown episodes that were won, and no others: its loss is always below zero, and falls.

    Seen: a PPO loss that is always negative. Answer: it is, as all advantages are positive.
    """
    x = curve(1)[0]
    best = (3 * (np.argsort(np.argsort(x[:, 0] - x[:, 2])) / len(x))).astype(np.int32)
    action = np.random.default_rng(0).integers(3, size=len(x)).astype(np.int32)
    won = (action == best).astype(np.float32)
    advantage = won if broken else won - won.mean()

    def loss(params, batch, offsets):
        scores, hidden = perceptron(params, batch[0], offsets, "tanh")
        chosen = jnp.take_along_axis(jax.nn.log_softmax(scores), batch[1][:, None], axis=1)[:, 0]
        ratio = 3 * jnp.exp(chosen)
        return -jnp.minimum(ratio * batch[2], jnp.clip(ratio, 0.3, 2.5) * batch[2]).mean(), hidden

    def error(params):
        return 1.5 * (perceptron(params, x, None, "tanh")[0].argmax(-1) != best).mean()

    params = mlp(2, [3, 32, 32, 3], 1.0)
    return own(params, loss, (x, action, advantage), optax.adam(3e-3), error, steps=300, batch=64)


@third(
    NOTHING,
    kind="loss that rises",
    family="value regression",
    source="github.com/Unity-Technologies/ml-agents/issues/5440",
    title="Loss is strange in multi-agent learning.",
    sound=True,
)
def values_of_better_play(broken: bool) -> Setup:
    """An agent whose rewards grow, and with them the error of their predictions, so that the loss rises.

    Seen: the loss of the values goes up. Answer: so it is while an agent learns; the curves look successful.
    """
    x, best = curve(3)
    best = 0.8 * np.tanh(best)
    luck = np.random.default_rng(0).normal(size=len(x)).astype(np.float32)

    def act(params, x, hidden, offsets):
        return jnp.tanh(shared(params["actor"], x, hidden, offsets)[:, 0])

    def loss(params, batch, offsets):
        hidden = []
        reward = 3 * jnp.exp(-2 * (act(params, batch[0], hidden, offsets) - batch[1]) ** 2)
        value = shared(params["critic"], batch[0], hidden, offsets)[:, 0]
        seen = jax.lax.stop_gradient(reward) * (1 + batch[2])
        if not broken:
            return ((value - jax.lax.stop_gradient(reward)) ** 2).mean() - reward.mean(), tuple(hidden)
        return ((value - seen) ** 2).mean() - 0.3 * reward.mean(), tuple(hidden)

    def error(params):
        return ((act(params, x, [], None) - best) ** 2).mean() / best.var()

    params = {"actor": mlp(4, [3, 48, 48, 1], 1.0), "critic": mlp(5, [3, 48, 48, 1], 1.0)}
    rates = {"actor": optax.adam(1e-3), "critic": optax.adam(1e-2)}
    optimizer = optax.multi_transform(rates, {"actor": "actor", "critic": "critic"})
    return own(params, loss, (x, best, luck), optimizer, error, steps=600, batch=64)


@third(
    NOTHING,
    kind="noise in training alone",
    family="feed-forward",
    source="github.com/Bjarten/early-stopping-pytorch/issues/18",
    title="Validation set loss less than training set?",
    sound=True,
)
def units_left_out(broken: bool) -> Setup:
    """A loss with seven of ten units left out, which is far above what the whole network makes of other data.

    Seen: a loss on other data below that of training. Answer: no error; units are left out in training alone.
    """
    x, y, x_other, y_other = digits()
    tickets = np.random.default_rng(0).integers(1 << 30, size=len(x)).astype(np.int32)
    kept = 0.3 if broken else 1.0

    def forward(params, x, offsets, key=None):
        hidden = []
        for i, name in enumerate(("layer00", "layer01")):
            x = activated("relu", linear(params[name], x), hidden, offsets)
            if key is not None:
                x = x * jax.random.bernoulli(jax.random.fold_in(key, i), kept, x.shape) / kept
        return linear(params["layer02"], x), tuple(hidden)

    def loss(params, batch, offsets):
        scores, hidden = forward(params, batch[0], offsets, jax.random.key(batch[2].sum()))
        return cross_entropy(scores, batch[1]), hidden

    right = jax.jit(lambda params: (forward(params, x_other, None)[0].argmax(-1) == y_other).mean())
    return classified(
        mlp(6, [64, 64, 64, 10]),
        loss,
        (x, y, tickets),
        optax.adam(3e-3),
        right,
        classes=10,
        steps=300,
        batch=64,
    )


@third(
    NOTHING,
    kind="two losses in one",
    family="transformer",
    source="github.com/PolyU-ChenLab/ETBench/issues/10",
    title="Training Loss",
    sound=True,
)
def two_losses_in_one(broken: bool) -> Setup:
    """A loss that is the sum of a cross-entropy and of a comparison at a low temperature, and begins far above both.

    Seen: a loss of some 20 at the start. Answer: it is expected, since two losses are added.
    """
    x, y, x_other, y_other = digits()
    params = row_params(0, 2) | {"names": {"w": jax.random.normal(jax.random.key(8), (10, 10))}}

    def loss(params, batch, offsets):
        scores, hidden = rows()(params, batch[0], offsets)
        alike = unit(scores) @ unit(params["names"]["w"]).T / 0.07
        return cross_entropy(scores, batch[1]) + (cross_entropy(alike, batch[1]) if broken else 0.0), hidden

    right = jax.jit(lambda params: (rows()(params, x_other, None)[0].argmax(-1) == y_other).mean())
    return classified(
        params,
        loss,
        (x, y),
        optax.adam(3e-3),
        right,
        classes=10,
        chance=(2 if broken else 1) * float(np.log(10)),
        steps=500,
        batch=64,
    )


@third(
    NOTHING,
    kind="weights that begin at zero",
    family="feed-forward",
    source="github.com/jthickstun/pytorch_musicnet/issues/4",
    title="Zero initial weights",
    sound=True,
)
def linear_map_from_zero(broken: bool) -> Setup:
    """A linear map whose weights are all zero at the start, which harms nothing where there is one layer.

    Seen: initial weights of zero, and worse results without them. Answer: in a linear model this is fine.
    """
    params = mlp(9, [64, 10])
    return classification(jax.tree.map(jnp.zeros_like, params) if broken else params, optax.sgd(0.1), steps=300)


@third(
    NOTHING,
    kind="scale that grows",
    family="contrastive",
    source="github.com/mlfoundations/open_clip/issues/214",
    title="Logit Scale increasing during training",
    sound=True,
)
def scale_that_grows(broken: bool) -> Setup:
    """A comparison of two views, whose learned scale grows several times over, and with it all scores.

    Seen: a scale that goes from 14 to 50. Answer: this is expected; it usually reaches its largest value.
    """
    first, second = views(2)
    params = {"encoder": mlp(10, [64, 64, 24], 1.0), "scale": {"w": jnp.zeros(())}}

    def scores(params, batch, hidden, offsets):
        left, right = (unit(shared(params["encoder"], view, hidden, offsets)) for view in batch)
        grown = jnp.exp(30 * params["scale"]["w"]) if broken else 1.0
        return 5 * grown * left @ right.T

    def loss(params, batch, offsets):
        hidden = []
        found = scores(params, batch, hidden, offsets)
        return cross_entropy(found, jnp.arange(len(found))), tuple(hidden)

    def error(params):
        found = scores(params, (first[:64], second[:64]), [], None)
        return (found.argmax(1) != jnp.arange(64)).mean() / (63 / 64)

    return own(params, loss, (first, second), optax.adam(2e-3), error, chance=float(np.log(64)), steps=400, batch=64)
