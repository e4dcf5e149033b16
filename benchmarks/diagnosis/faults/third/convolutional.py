"""Convolutional networks: initialisation, depth, rates, probabilities, exponentials."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, dense, linear
from faults.problems import classification, classified, digits
from faults.registry import Setup, third
from faults.second.convolutional import convolve, filters, normalised


def plain(params, x, offsets, kind: str = "relu"):
    """Filters one behind another, an average over the map, and the scores."""
    hidden = []
    x = x.reshape(len(x), 8, 8, 1)
    for name in sorted(name for name in params if name.startswith("conv")):
        x = activated(kind, convolve(params[name], x), hidden, offsets)
    return linear(params["out"], x.mean((1, 2))), tuple(hidden)


@third(
    "vanishing",
    "collapse",
    kind="initialisation",
    family="convolutional",
    source="github.com/adambielski/siamese-triplet/issues/17",
    title="Why vanilla ReLU cannot train at all.",
)
def rectifiers_with_a_third_of_the_variance(broken: bool) -> Setup:
    """Ten layers of rectifiers whose weights have the variance 1 / (3 fan_in), the default of a framework.

    Seen: a loss that stays at 2.3 once PReLU is exchanged for ReLU. Answer: Kaiming's initialisation.
    """
    params = filters(0, [1] + [8] * 10, 1 / 3 if broken else 2.0)
    return classification(params, optax.sgd(0.05, 0.9), net=plain, batch=64, steps=200)


@third(
    "exploding",
    "learning rate too large",
    "first loss too large",
    kind="clipping",
    family="convolutional",
    source="github.com/tbung/pytorch-revnet/issues/1",
    title="loss = NAN with revnet models on Cifar dataset",
)
def reversible_without_clipping(broken: bool) -> Setup:
    """Reversible blocks, each half of which is added to the other, at the learning rate of a residual network.

    Seen: a loss of NaN and an accuracy of 10 %. Answer: the gradients explode; clip their norm to 0.25.
    """
    depth, width = 10, 6
    keys = jax.random.split(jax.random.key(1), 2 * depth + 2)
    halves = [f"{half}{i:02d}" for i in range(depth) for half in ("one", "two")]
    params = {half: _filter(key, width, width) for half, key in zip(halves, keys, strict=False)}
    params |= {"stem": _filter(keys[-2], 1, 2 * width), "out": dense(keys[-1], 2 * width, 10, 1.0)}

    def net(params, x, offsets):
        hidden = []
        one, two = jnp.split(convolve(params["stem"], x.reshape(len(x), 8, 8, 1)), 2, axis=3)
        for i in range(depth):
            one = one + convolve(params[f"one{i:02d}"], jax.nn.relu(two))
            two = activated("linear", two + convolve(params[f"two{i:02d}"], jax.nn.relu(one)), hidden, offsets)
        return linear(params["out"], jnp.concatenate([one, two], axis=3).mean((1, 2))), tuple(hidden)

    step = optax.sgd(0.1, 0.9)
    optimizer = step if broken else optax.chain(optax.clip_by_global_norm(0.25), step)
    return classification(params, optimizer, net=net, batch=32, steps=300)


def _filter(key, before: int, after: int):
    w = jax.random.normal(key, (3, 3, before, after)) * (1.5 / (9 * before)) ** 0.5
    return {"w": w, "b": jnp.zeros(after)}


@third(
    "learning rate too large",
    kind="rate of another batch",
    family="convolutional",
    source="github.com/PaddlePaddle/PaddleOCR/issues/3254",
    title="Accuracy suddenly drops to 0% during training",
)
def rate_of_eight_cards(broken: bool) -> Setup:
    """A learning rate for batches of eight cards, fifty times that for the batches of one.

    Seen: an accuracy that falls to zero. Answer: 0.01 is too large for this batch; 0.0002 suits it.
    """
    rate = 1.0 if broken else 0.02

    def net(params, x, offsets):
        return plain(params, x, offsets, "leaky_relu")

    return classification(filters(2, [1, 8, 12, 16]), optax.adam(rate), net=net, batch=32, steps=200)


@third(
    "learning rate too large",
    kind="rate of another optimizer",
    family="convolutional",
    source="github.com/cfzd/Ultra-Fast-Lane-Detection/issues/36",
    title="Training would be not convergence for backbone res34",
)
def rate_of_sgd_for_lanes(broken: bool) -> Setup:
    """A residual network under Adam with the learning rate of gradient descent, 250 times what Adam bears.

    Seen: a loss that does not fall in 50 epochs. Answer: 0.025 is too large for Adam; take 1e-4.
    """
    depth, width = 4, 8
    params = filters(3, [1] + [width] * (depth + 1), 1.0)

    def net(params, x, offsets):
        hidden = []
        x = convolve(params["conv00"], x.reshape(len(x), 8, 8, 1))
        for i in range(1, depth + 1):
            x = x + activated("tanh", convolve(params[f"conv{i:02d}"], normalised(x, (1, 2, 3))), hidden, offsets)
        return linear(params["out"], normalised(x.mean((1, 2)), 1)), tuple(hidden)

    return classification(params, optax.adam(5.0 if broken else 0.02), net=net, batch=32, steps=120)


@third(
    "softmax applied twice",
    kind="softmax before a softmax",
    family="convolutional",
    source="github.com/amdegroot/ssd.pytorch/issues/218",
    title="Why don't use softmax before cross entropy in multibox loss?",
)
def probabilities_taken_for_scores(broken: bool) -> Setup:
    """A softmax before a cross-entropy that has one of its own; the loss that is left is what it costs.

    Seen: with the softmax it converges slowly, and to worse. Answer: the cross-entropy has a softmax in it.
    """

    def loss(z, y):
        scores = jax.nn.softmax(z) if broken else z
        return optax.softmax_cross_entropy_with_integer_labels(scores, y).mean()

    setup = classification(filters(4, [1, 12, 16]), optax.adam(1e-2), net=plain, loss=loss, batch=64, steps=400)

    def left(params):
        return float(setup.loss(params, setup.data, None)[0]) / 2.302585

    return Setup(**{**vars(setup), "error": left})


@third(
    "not-a-number gradients",
    "not-a-number loss",
    kind="clipping after the fact",
    family="convolutional",
    source="github.com/megvii-model/YOLOF/issues/51",
    title="About NAN during training",
)
def clipped_after_the_exponential(broken: bool) -> Setup:
    """Scores of objects, whose exponentials are clipped where they are infinite already.

    Seen: NaN in training. Answer: clip the score, and take the exponential of that.
    """
    most = 1e8
    x, y, x_other, y_other = digits()
    x = np.where(np.arange(len(x))[:, None] % 300 == 0, 250 * x, x).astype(np.float32)

    def limited(z):
        return jnp.minimum(jnp.exp(z), most) if broken else jnp.exp(jnp.minimum(z, np.log(most)))

    def forward(params, x, offsets):
        z, hidden = plain(params, x, offsets)
        kind, there = z, linear(params["object"], hidden[-1][2].mean((1, 2)))
        return kind + there - jnp.log(1 + limited(kind) + limited(there)), hidden

    def loss(params, batch, offsets):
        z, hidden = forward(params, batch[0], offsets)
        return optax.sigmoid_binary_cross_entropy(z, jax.nn.one_hot(batch[1], 10)).mean(), hidden

    params = filters(5, [1, 12, 16]) | {"object": dense(jax.random.key(6), 16, 1, 1.0)}
    right = jax.jit(lambda params: (forward(params, x_other, None)[0].argmax(-1) == y_other).mean())
    share = 0.1 * np.log(10) + 0.9 * np.log(10 / 9)
    return classified(
        params,
        loss,
        (x, y),
        optax.adam(1e-2),
        right,
        classes=10,
        chance=float(share),
        steps=400,
        batch=64,
    )
