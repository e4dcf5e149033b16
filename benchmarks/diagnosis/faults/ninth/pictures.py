"""More convolutional networks: few pictures, layers at rest, residues, large weights."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fourth.convolutional import seen
from faults.nets import activated, dense, linear
from faults.problems import cross_entropy, digits, own, recognised
from faults.registry import Setup, ninth
from faults.second.convolutional import convolve, filters


@ninth(
    "learned by heart",
    kind="too few examples",
    family="convolutional",
    source="github.com/keras-team/keras/issues/4325",
    title="Avoid or mitigate overfitting in Image categorization using CNN",
)
def ten_categories_of_few_pictures(broken: bool) -> Setup:
    """Ten categories of noisy pictures, of which there are a hundred in all, or as many as augmentation makes.

    Seen: 90 of 100 right in training, and 30 in validation. Answer: there are too few pictures; augmentation, a simpler
    model, regularisation.
    """
    x, y, x_other, y_other = digits()
    draw = np.random.default_rng(541)
    count, copies = 100, 1 if broken else 60
    x, y = x[:count], y[:count]

    def disturbed(x):
        moved = np.stack([np.roll(each, draw.integers(-1, 2, size=2), (0, 1)) for each in x.reshape(-1, 8, 8)])
        return (moved.reshape(len(x), -1) + 0.8 * draw.normal(size=x.shape)).astype(np.float32)

    x_other = disturbed(x_other)
    x, y = np.concatenate([disturbed(x) for _ in range(copies)]), np.tile(y, copies)
    params = filters(541, [1, 16]) | {"middle": dense(jax.random.key(542), 8 * 8 * 16, 64)}
    params["out"] = dense(jax.random.key(543), 64, 10, 1.0)

    def scores(params, x, offsets):
        hidden = []
        h = activated("relu", convolve(params["conv00"], x.reshape(len(x), 8, 8, 1)), hidden, offsets)
        h = activated("relu", linear(params["middle"], h.reshape(len(x), -1)), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    return recognised(params, scores, (x, y), (x_other, y_other), optax.adam(1e-3), classes=10, batch=32, steps=400)


@ninth(
    "frozen",
    kind="layers that rest by mistake",
    family="convolutional",
    source="github.com/nttcslab/byol-a/issues/7",
    title="Model parameters cannot be trainable once they become requires_grad=False",
)
def layers_that_never_wake_up(broken: bool) -> Setup:
    """Sounds by filters that rested for a while, and shall be trained now, but are asked first whether they are.

    Seen: parameters cannot become trainable once they are not. Answer: the condition is taken away.
    """
    draw = np.random.default_rng(544)
    sound = draw.integers(8, size=2000).astype(np.int32)
    pace = np.linspace(0.3, 1.7, 8)[sound, None]
    x = np.sin(pace * np.arange(24) + draw.uniform(0, 6, size=(2000, 1))) + 0.3 * draw.normal(size=(2000, 24))
    x = x[:, :, None, None].astype(np.float32)
    params = filters(544, [1, 4, 4]) | {"out": dense(jax.random.key(545), 4, 8, 1.0)}

    def scores(params, x, offsets):
        maps, hidden = seen(params, x, offsets)
        return linear(params["out"], maps.mean((1, 2))), hidden

    groups = {name: "head" if name == "out" else "filters" for name in params}
    held = optax.set_to_zero() if broken else optax.adam(0.02)
    optimizer = optax.multi_transform({"head": optax.adam(0.02), "filters": held}, groups)
    return recognised(
        params, scores, (x[:1600], sound[:1600]), (x[1600:], sound[1600:]), optimizer, classes=8, batch=32, steps=400
    )


@ninth(
    "softmax applied twice",
    kind="softmax before a softmax",
    family="convolutional",
    source="github.com/Graylab/DL4Proteins-notebooks/issues/13",
    title="WS03: Pass logits directly to CrossEntropyLoss (Pytorch already applies softmax)",
)
def residues_of_twenty_kinds(broken: bool) -> Setup:
    """Which of twenty amino acids is in the middle, from its neighbours, by a softmax before a loss that has one.

    Seen: the network applies a softmax before the cross-entropy. Answer: none yet; the model should return scores.
    """
    draw = np.random.default_rng(546)
    kind = draw.integers(20, size=2000).astype(np.int32)
    around = draw.normal(size=(20, 9, 3))
    x = (around[kind] + 0.8 * draw.normal(size=(2000, 9, 3)))[:, :, None].astype(np.float32)
    params = filters(546, [3, 16]) | {"out": dense(jax.random.key(547), 9 * 16, 20, 1.0)}

    def scores(params, x, offsets):
        maps, hidden = seen(params, x, offsets)
        return linear(params["out"], maps.reshape(len(x), -1)), hidden

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], offsets)
        return cross_entropy(jax.nn.softmax(found) if broken else found, batch[1]), hidden

    chance = float(np.log(20))

    def error(params):
        return loss(params, (x[1600:], kind[1600:]), None)[0] / chance

    data = (x[:1600], kind[:1600])
    return own(params, loss, data, optax.adam(2e-3), error, chance=chance, steps=300, batch=32)


@ninth(
    "saturation",
    "first loss too large",
    kind="initialisation",
    family="convolutional",
    source="github.com/LeelaChessZero/lczero-training/pull/43",
    title="Fix scale of weight initialization",
)
def value_that_is_always_one(broken: bool) -> Setup:
    """How good a position is, between minus one and one, by a tower of sums whose filters are drawn too large.

    Seen: it takes long until the squared error drops, since the value is always one. Answer: the weights of filters are
    drawn three times too large, and the sums grow from block to block; put right, and merged.
    """
    draw = np.random.default_rng(548)
    x = draw.integers(-1, 2, size=(1500, 6, 6, 1)).astype(np.float32)
    worth = draw.normal(size=(6, 6))
    sign = (x[..., 0] * worth).sum((1, 2))
    value = np.tanh(sign / sign.std()).astype(np.float32)
    width, depth, gain = 8, 6, 9.0 if broken else 1.0
    params = {f"block{i:02d}": filters(560 + i, [width, width, width], gain) for i in range(depth)}
    params["first"] = filters(548, [1, width], gain)["conv00"]
    params["out"] = dense(jax.random.key(549), 6 * 6 * width, 1, 1.0)

    def judged(params, x, offsets):
        hidden = []
        h = convolve(params["first"], x)
        for i in range(depth):
            block = params[f"block{i:02d}"]
            inner = convolve(block["conv00"], h)
            inner = inner / jnp.sqrt((inner**2).mean((1, 2, 3), keepdims=True) + 1e-5)
            h = activated("linear", h + convolve(block["conv01"], jax.nn.relu(inner)), hidden, offsets)
        z = linear(params["out"], h.reshape(len(x), -1))
        return activated("tanh", z, hidden, offsets)[:, 0], tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = judged(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((judged(params, x[1200:], None)[0] - value[1200:]) ** 2).mean() / value.var()

    data = (x[:1200], value[:1200])
    return own(params, loss, data, optax.sgd(0.003, 0.9), error, chance=float(value.var()), steps=300, batch=32)
