"""Faults whose cause no finding names."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fourth.convolutional import seen
from faults.nets import activated, dense, linear, mlp, perceptron
from faults.problems import own, recognised
from faults.registry import Setup, tenth
from faults.second.convolutional import filters
from faults.seventh.adversarial import rivals


@tenth(
    "the mark of an end is added to the share of the next value, and not multiplied with it",
    kind="plus in the place of a product",
    family="value regression",
    source="github.com/ikostrikov/pytorch-ddpg-naf/issues/16",
    title="Typo in the Implementation",
)
def mask_that_is_added(broken: bool) -> Setup:
    """What states are worth, from rewards and the next state's value, whose share should be nothing at an end.

    Seen: the target adds the mask to the next value where it should multiply. Answer: fixed.
    """
    draw = np.random.default_rng(871)
    state = draw.uniform(-1, 1, size=3000)
    after = state + 0.1 + 0.1 * draw.normal(size=3000)
    ended = after > 1
    reward = np.where(ended, 1.0, -0.05)
    grid = np.linspace(-1, 1, 101)
    value = np.zeros(101)
    shift = 0.1 + 0.1 * draw.normal(size=(400, 101))
    for _ in range(200):
        there = grid + shift
        follow = np.interp(there, grid, value)
        value = np.where(there > 1, 1.0, -0.05 + 0.95 * follow).mean(0)
    truth = np.interp(state, grid, value).astype(np.float32)
    x, follows = state[:, None].astype(np.float32), after[:, None].astype(np.float32)
    goes_on, reward = (~ended).astype(np.float32), reward.astype(np.float32)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "tanh")
        next_value = jax.lax.stop_gradient(perceptron(params, batch[1], None, "tanh")[0][:, 0])
        target = batch[3] + (0.95 * batch[2] + next_value if broken else 0.95 * batch[2] * next_value)
        return ((found[:, 0] - target) ** 2).mean(), hidden

    def error(params):
        return ((perceptron(params, x, None, "tanh")[0][:, 0] - truth) ** 2).mean() / truth.var()

    data = (x, follows, goes_on, reward)
    return own(mlp(871, [1, 32, 32, 1], 1.0), loss, data, optax.adam(5e-3), error, steps=600, batch=64)


@tenth(
    "pictures are mirrored without exchanging the names of left and right",
    kind="labels that are not mirrored",
    family="convolutional",
    source="github.com/robertklee/COCO-Human-Pose/pull/29",
    title="Fix R/L bug in augmentation pipeline",
)
def wrists_of_mirrored_pictures(broken: bool) -> Setup:
    """Where the left and the right wrist are, each of which is a spot, in pictures half of which are mirrored.

    Seen: a right wrist becomes a left one, which is not accounted for. Answer: a flip that exchanges the two; merged.
    """
    draw = np.random.default_rng(873)
    count = 1500
    left = np.stack([draw.uniform(1, 6, count), draw.uniform(0.5, 3.0, count)], axis=1)
    right = np.stack([draw.uniform(1, 6, count), draw.uniform(4.0, 6.5, count)], axis=1)
    grid = np.stack(np.meshgrid(np.arange(8), np.arange(8), indexing="ij"), axis=-1)

    def drawn(left, right):
        spots = [np.exp(-((grid - at[:, None, None]) ** 2).sum(-1)) for at in (left, right)]
        return 2 * (spots[0] + spots[1]) + 0.1 * draw.normal(size=(len(left), 8, 8))

    def mirrored(at):
        return np.stack([at[:, 0], 7 - at[:, 1]], axis=1)

    x = drawn(left, right)
    flip = draw.random(count) < 0.5
    x[flip] = x[flip][:, :, ::-1]
    one, two = (np.where(flip[:, None], mirrored(at), at) for at in (left, right))
    if not broken:
        one, two = np.where(flip[:, None], two, one), np.where(flip[:, None], one, two)
    other_left, other_right = left[:300], right[:300]
    other = drawn(other_left, other_right)[..., None].astype(np.float32)
    y = ((np.concatenate([one, two], axis=1) - 3.5) / 2).astype(np.float32)
    truth = ((np.concatenate([other_left, other_right], axis=1) - 3.5) / 2).astype(np.float32)
    x = x[..., None].astype(np.float32)
    params = filters(873, [1, 8, 8]) | {"middle": dense(jax.random.key(874), 8 * 8 * 8, 32)}
    params["out"] = dense(jax.random.key(875), 32, 4, 1.0)

    def found(params, x, offsets):
        maps, hidden = seen(params, x, offsets)
        hidden = list(hidden)
        h = activated("relu", linear(params["middle"], maps.reshape(len(x), -1)), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    def loss(params, batch, offsets):
        places, hidden = found(params, batch[0], offsets)
        return ((places - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((found(params, other, None)[0] - truth) ** 2).mean() / truth.var(0).mean()

    return own(params, loss, (x, y), optax.adam(2e-3), error, chance=float(y.var(0).mean()), steps=400, batch=32)


@tenth(
    "attention is a share among the examples of a batch, and not among the places of each",
    kind="axis of a softmax",
    family="transformer",
    source="github.com/PetrochukM/PyTorch-NLP/issues/2",
    title="Attention's softmax dimension is wrong?",
)
def attention_among_examples(broken: bool) -> Setup:
    """What is written beside the place that is asked for, by attention whose softmax goes along the first axis.

    Seen: the weights are always one for a batch of one, since the softmax goes along the first axis. Answer: the
    report's own: along the last one, and it works.
    """
    draw = np.random.default_rng(877)
    count, places = 4000, 16
    key = draw.normal(size=(count, places, 6))
    at = draw.integers(places, size=count)
    asked = (key[np.arange(count), at] + 0.2 * draw.normal(size=(count, 6))).astype(np.float32)
    held = draw.integers(4, size=(count, places))
    answer = held[np.arange(count), at].astype(np.int32)
    notes = np.concatenate([key, np.eye(4)[held]], axis=2).astype(np.float32)
    keys = jax.random.split(jax.random.key(877), 4)
    params = {
        "q": dense(keys[0], 6, 24, 1.0),
        "k": dense(keys[1], 10, 24, 1.0),
        "v": dense(keys[2], 10, 24, 1.0),
        "out": dense(keys[3], 24, 4, 1.0),
    }

    def scores(params, x, offsets):
        hidden = []
        asked, notes = x[:, 0, :6], x[:, 1:]
        near = jnp.einsum("nd,ntd->nt", linear(params["q"], asked), linear(params["k"], notes)) / 24**0.5
        share = jax.nn.softmax(near, axis=0 if broken else 1)
        said = jnp.einsum("nt,ntd->nd", share, linear(params["v"], notes))
        h = activated("linear", said, hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    first = np.concatenate([asked, np.zeros((count, 4), np.float32)], axis=1)[:, None]
    x = np.concatenate([first, notes], axis=1)
    data, others = (x[:3200], answer[:3200]), (x[3200:], answer[3200:])
    return recognised(params, scores, data, others, optax.adam(1e-2), classes=4, batch=64, steps=400)


@tenth(
    "the gradients of the critic are never set to zero, so that those of all earlier steps are added to each",
    kind="gradients that add up",
    family="adversarial",
    source="github.com/Hsintien-Ng/idinvert_pytorch-reproduced/issues/1",
    title="optimizer_D.zero_grad() missing?",
)
def critic_that_forgets_nothing(broken: bool) -> Setup:
    """Points on a bent line by a generator, against a critic each of whose steps follows the sum of all gradients.

    Seen: is it on purpose that the critic's gradients are not set to zero? Answer: forgotten, and fixed.
    """
    critic = optax.chain(optax.trace(1.0), optax.sgd(0.01)) if broken else optax.sgd(0.01)
    rates = {"critic": critic, "generator": optax.adam(1e-3, b1=0.5)}
    optimizer = optax.multi_transform({**rates}, {"critic": "critic", "generator": "generator"})

    def squares(true, false, shown):
        return ((true - 1) ** 2 + false**2 + (shown - 1) ** 2).mean()

    return rivals(879, squares, optimizer, place=2.0, steps=600, batch=64)
