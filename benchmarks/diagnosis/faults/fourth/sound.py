"""Runs that are in order and look odd: nothing is wrong with them.

The one that is called broken is the odd one. The other is the same run carried on, or made in the usual way.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fourth.convolutional import fields, seen, segmentation
from faults.nets import dense, linear, mlp, perceptron
from faults.problems import classified, cross_entropy, curve, digits, own, regression
from faults.registry import Setup, fourth
from faults.second.convolutional import filters
from faults.second.recurrent import recall, signs
from faults.second.transformer import row_params, rows

NOTHING = "nothing wrong"


@fourth(
    NOTHING,
    kind="pictures that are mixed",
    family="convolutional",
    source="github.com/winycg/HCGNet/issues/2",
    title="Why test accuracy reaches high as 90% while the train accuracy is about 50%?",
    sound=True,
)
def two_pictures_in_one(broken: bool) -> Setup:
    """Pictures that are mixed in pairs with both of their labels, which leaves a high loss in training alone.

    Seen: 90 % on other data, and 50 % in training. Answer: training sees mixed pictures, by which it is judged there.
    """
    x, y, x_other, y_other = digits()
    share = np.random.default_rng(0).beta(1.0, 1.0, size=len(x)).astype(np.float32)
    share = share if broken else np.ones_like(share)
    params = filters(0, [1, 12]) | {"out": dense(jax.random.key(1), 8 * 8 * 12, 10, 1.0)}

    def forward(params, x, offsets):
        maps, hidden = seen(params, x.reshape(len(x), 8, 8, 1), offsets)
        return linear(params["out"], maps.reshape(len(x), -1)), hidden

    def loss(params, batch, offsets):
        x, y, share = batch
        scores, hidden = forward(params, share[:, None] * x + (1 - share[:, None]) * x[::-1], offsets)
        each = -jax.nn.log_softmax(scores)
        own_label, other = (jnp.take_along_axis(each, label[:, None], 1)[:, 0] for label in (y, y[::-1]))
        return (share * own_label + (1 - share) * other).mean(), hidden

    right = jax.jit(lambda params: (forward(params, x_other, None)[0].argmax(-1) == y_other).mean())
    return classified(params, loss, (x, y, share), optax.adam(3e-3), right, classes=10, steps=300, batch=64)


@fourth(
    NOTHING,
    kind="output layer that begins at zero",
    family="regression",
    source="github.com/smallflyingpig/universal_adversarial_perturbation_generative_network_for_speaker_recognition"
    "/issues/4",
    title="Initialization last convolution layer as zeros",
    sound=True,
)
def last_layer_of_zeros(broken: bool) -> Setup:
    """An output layer that begins at zero, so that no other layer has a gradient at the first step.

    Seen: with a last layer of zeros all gradients before it are zero. Answer: the last layer is trained first.
    """
    params = mlp(2, [3, 48, 48, 1], 1.0)
    params["layer02"] = jax.tree.map(jnp.zeros_like, params["layer02"]) if broken else params["layer02"]
    return regression(params, optax.adam(5e-3), data=curve(1), steps=500, batch=64)


@fourth(
    NOTHING,
    kind="loss that rises",
    family="value regression",
    source="github.com/IntelLabs/coach/issues/214",
    title="Loss is increasing for reinforcement learning with Carla using CARLA_Dueling_DDQN and CARLA_DDPG",
    sound=True,
)
def targets_that_grow(broken: bool) -> Setup:
    """Values that are learned from themselves: they grow from nothing, and so does what cannot be known about them.

    Seen: the loss increases. Answer: values get larger as the agent learns, and their error need not go down.
    """
    draw = np.random.default_rng(1)
    x = draw.normal(size=(4000, 2)).astype(np.float32)
    reward = (0.3 * np.sin(2 * x[:, 0]) + 0.2 * x[:, 1]).astype(np.float32)
    stays = draw.random(4000) < 0.85
    after = np.where(stays[:, None], x, np.roll(x, 1, 0)).astype(np.float32)
    kept = 0.95
    mean = reward.mean() / (1 - kept)
    worth = ((reward + kept * 0.15 * mean) / (1 - kept * 0.85)).astype(np.float32)

    def value(params, x, offsets=None):
        found, hidden = perceptron(params, x, offsets, "tanh")
        return found[:, 0], hidden

    def loss(params, batch, offsets):
        found, hidden = value(params, batch[0], offsets)
        target = batch[1] + kept * jax.lax.stop_gradient(value(params, batch[2])[0])
        return ((found - (target if broken else batch[3])) ** 2).mean(), hidden

    def error(params):
        return ((value(params, x)[0] - worth) ** 2).mean() / worth.var()

    data = (x, reward, after, worth)
    return own(mlp(3, [2, 48, 48, 1], 1.0), loss, data, optax.adam(3e-3), error, steps=1500, batch=64)


@fourth(
    NOTHING,
    kind="loss without a mean",
    family="convolutional",
    source="github.com/dk-liang/FIDTM/issues/39",
    title="Huge or normal loss while training?",
    sound=True,
)
def maps_of_heads(broken: bool) -> Setup:
    """Maps of where heads are, under an error that is summed over all pixels of a batch and begins in the thousands.

    Seen: a loss of 10,000 that falls slowly. Answer: it is normal, since it is not divided by anything.
    """
    draw = np.random.default_rng(2)
    heads = (draw.random((600, 12, 12)) < 0.06).astype(np.float32)
    near = sum(np.roll(heads, (i, j), (1, 2)) for i in (-1, 0, 1) for j in (-1, 0, 1))
    pictures = (near + 0.3 * draw.normal(size=near.shape)).astype(np.float32)[..., None]
    maps = 2 * (heads + 0.3 * near).astype(np.float32)
    params = filters(4, [1, 12, 12]) | {"out": dense(jax.random.key(5), 12, 1, 1.0)}

    def found(params, x, offsets):
        maps, hidden = seen(params, x, offsets)
        return linear(params["out"], maps)[..., 0], hidden

    def loss(params, batch, offsets):
        guess, hidden = found(params, batch[0], offsets)
        square = (guess - batch[1]) ** 2
        return (square.sum() if broken else square.mean()), hidden

    def error(params):
        return ((found(params, pictures[:200], None)[0] - maps[:200]) ** 2).mean() / maps.var()

    chance = float(maps.var()) * (32 * 144 if broken else 1)
    return own(params, loss, (pictures, maps), optax.adam(5e-3), error, chance=chance, steps=300, batch=32)


@fourth(
    NOTHING,
    kind="loss below zero",
    family="likelihood",
    source="github.com/Digital-Dermatology/t-loss/issues/8",
    title="Negative loss value",
    sound=True,
)
def heavy_tails_below_zero(broken: bool) -> Setup:
    """The likelihood of a t-distribution of small numbers, whose loss goes from above to below zero.

    Seen: a loss that goes from large and positive to negative. Answer: it is normal.
    """
    x, y = curve(4)
    y = y * (0.1 if broken else 1.0)
    params = mlp(6, [3, 48, 48, 1], 1.0) | {"width": {"w": jnp.ones(())}}

    def surprise(apart, log):
        return 2 * jnp.log1p((apart / jnp.exp(log)) ** 2 / 3) + log + float(np.log(np.pi * 3**0.5 / 2))

    def answer(params, x, offsets):
        return perceptron({name: params[name] for name in params if name != "width"}, x, offsets, "tanh")

    def loss(params, batch, offsets):
        found, hidden = answer(params, batch[0], offsets)
        return surprise(batch[1] - found[:, 0], params["width"]["w"]).mean(), hidden

    def error(params):
        return ((answer(params, x, None)[0][:, 0] - y) ** 2).mean() / y.var()

    chance = min(float(surprise(y, log).mean()) for log in np.linspace(-5, 2, 71))
    return own(params, loss, (x, y), optax.adam(5e-3), error, chance=chance, steps=1200, batch=64)


@fourth(
    NOTHING,
    kind="noise",
    family="convolutional",
    source="github.com/MIC-DKFZ/nnUNet/issues/2175",
    title="oscillation of loss while training",
    sound=True,
)
def overlap_of_two_pictures(broken: bool) -> Setup:
    """A cross-entropy and an overlap of two pictures at a time, which go up and down while the masks are learned.

    Seen: a loss that oscillates. Answer: it always does, and more where the data set is small.
    """
    pictures, truth = fields(60, 4)

    def loss(scores, truth):
        share = jax.nn.sigmoid(scores)
        overlap = (2 * (share * truth).sum((1, 2)) + 1) / (share.sum((1, 2)) + truth.sum((1, 2)) + 1)
        return optax.sigmoid_binary_cross_entropy(scores, truth).mean() + 1 - overlap.mean()

    chance = float(loss(np.zeros_like(truth), truth))
    batch = 2 if broken else 30
    return segmentation(pictures, truth, optax.adam(3e-3), loss=loss, chance=chance, batch=batch, steps=400)


@fourth(
    NOTHING,
    kind="start that is worse than a guess",
    family="transformer",
    source="github.com/JT-Ushio/MHA2MLA/issues/12",
    title="what is the loss value when you start training?",
    sound=True,
)
def attention_of_a_lower_rank(broken: bool) -> Setup:
    """A trained transformer whose maps were replaced by those of a low rank: it begins far above a guess.

    Seen: a loss of 14 to 16 at the start. Answer: it is expected; the changes do not match what was trained, at first.
    """
    x, _, x_other, _ = digits()
    trained = row_params(7, 2)
    trained["out"] = {"w": 12 * trained["out"]["w"], "b": trained["out"]["b"]}
    labels, wanted = (np.asarray(rows()(trained, each, None)[0].argmax(-1), np.int32) for each in (x, x_other))

    def reduced(layer):
        u, s, v = jnp.linalg.svd(layer["w"], full_matrices=False)
        return {"w": (u[:, :4] * s[:4]) @ v[:4], "b": layer["b"]}

    replaced = {name: jax.tree.map(reduced, part, is_leaf=lambda node: "w" in node) for name, part in trained.items()}
    params = (replaced | {"out": trained["out"], "rows": trained["rows"]}) if broken else trained

    def loss(params, batch, offsets):
        scores, hidden = rows()(params, batch[0], offsets)
        return cross_entropy(scores, batch[1]), hidden

    right = jax.jit(lambda params: (rows()(params, x_other, None)[0].argmax(-1) == wanted).mean())
    return classified(params, loss, (x, labels), optax.adam(2e-3), right, classes=10, steps=400, batch=64)


@fourth(
    NOTHING,
    kind="plateau",
    family="recurrent",
    source="github.com/ChuhuaW/SGNet.pytorch/issues/14",
    title="Slightly weird validation curve",
    sound=True,
)
def plateau_of_a_recurrent_network(broken: bool) -> Setup:
    """A sign that is to be remembered, whose loss stays near that of a guess for some hundred steps, and falls then.

    Seen: no progress in the first epochs, and then a sudden drop. Answer: the same was seen; it is a plateau.
    """
    x, y = signs(30)
    return recall(x, y, forget=1.0 if broken else 3.0, optimizer=optax.adam(2e-4 if broken else 2e-3), train=800)
