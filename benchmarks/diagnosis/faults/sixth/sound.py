"""Runs that are in order and look odd: nothing is wrong with them.

The one that is called broken is the odd one. The other is the same run carried on, or made in the usual way.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.diffusion import curves
from faults.fourth.convolutional import fields, seen, segmentation
from faults.nets import activated, dense, linear, mlp, perceptron
from faults.problems import curve, digits, own
from faults.registry import Setup, sixth
from faults.second.contrastive import unit
from faults.second.convolutional import filters
from faults.sixth.adversarial import contest

NOTHING = "nothing wrong"


@sixth(
    NOTHING,
    kind="layers that begin at zero",
    family="diffusion",
    source="github.com/Vchitect/Latte/issues/45",
    title="anyone meet zero grad? 零梯度?",
    sound=True,
)
def gates_that_open_by_themselves(broken: bool) -> Setup:
    """A denoiser of blocks whose gates begin at zero, and so does its answer: at first most gradients are zero.

    Seen: the gradients of linear layers are all zero. Answer: it is the widely used initialisation at zero.
    """
    inputs, noise = curves(5000)
    keys = jax.random.split(jax.random.key(0), 5)
    params = {"in": dense(keys[0], 9, 48), "out": dense(keys[1], 48, 8)}
    for i in range(3):
        gate = jnp.zeros(48) if broken else jnp.full(48, 0.5)
        params[f"block{i}"] = dense(keys[i + 2], 48, 48) | {"gate": gate}
    if broken:
        params["out"] = jax.tree.map(jnp.zeros_like, params["out"])

    def found(params, x, offsets):
        hidden = []
        h = linear(params["in"], x)
        for i in range(3):
            block = params[f"block{i}"]
            h = h + block["gate"] * activated("gelu", linear(block, h), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    def loss(params, batch, offsets):
        answer, hidden = found(params, batch[0], offsets)
        return ((answer - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((found(params, inputs[:500], None)[0] - noise[:500]) ** 2).mean()

    return own(params, loss, (inputs, noise), optax.adam(3e-3), error, chance=1.0, steps=700, batch=64)


@sixth(
    NOTHING,
    kind="loss that is summed",
    family="convolutional",
    source="github.com/kyu-sz/WPAL-network/issues/2",
    title="Loss is above 64.0 when Iteration 0",
    sound=True,
)
def ninety_two_attributes(broken: bool) -> Setup:
    """Pictures with 92 attributes each, the logistic losses of all of which are summed.

    Seen: a loss above 64 at the beginning. Answer: normal, since it is the sum over 92 attributes.
    """
    x = digits()[0]
    attributes = (x @ np.random.default_rng(1).normal(size=(64, 92)) > 0).astype(np.float32)
    params = filters(1, [1, 12]) | {"out": dense(jax.random.key(2), 8 * 8 * 12, 92, 1.0)}

    def scores(params, x, offsets):
        maps, hidden = seen({"conv00": params["conv00"]}, x.reshape(len(x), 8, 8, 1), offsets)
        return linear(params["out"], maps.reshape(len(x), -1)), hidden

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], offsets)
        each = optax.sigmoid_binary_cross_entropy(found, batch[1])
        return (each.sum(1) if broken else each).mean(), hidden

    def error(params):
        return 2 * ((scores(params, x[:400], None)[0] > 0) != (attributes[:400] > 0)).mean()

    odds = attributes.mean(0)
    each = -(odds * np.log(odds) + (1 - odds) * np.log(1 - odds))
    chance = float(each.sum() if broken else each.mean())
    more = {"chance": chance, "steps": 400, "batch": 64}
    return own(params, loss, (x, attributes), optax.adam(2e-3), error, **more)


@sixth(
    NOTHING,
    kind="loss that rises",
    family="value regression",
    source="github.com/tensorflow/agents/issues/294",
    title="Decrease learning rate",
    sound=True,
)
def values_that_grow_as_they_are_learned(broken: bool) -> Setup:
    """Values of states that wander, learned from the next state's; the better they are, the larger is their error.

    Seen: the loss decreases sharply, and then increases constantly. Answer: not necessarily bad; values go up, and
    so does the error in predicting them.
    """
    draw = np.random.default_rng(2)
    keep, discount = 0.9, 0.97
    state = draw.normal(size=(6000, 3))
    after = keep * state + np.sqrt(1 - keep**2) * draw.normal(size=state.shape)
    reward = 0.1 * state.sum(1)
    worth = (reward / (1 - discount * keep)).astype(np.float32)
    state, after, reward = (part.astype(np.float32) for part in (state, after, reward))

    def value(params, x, offsets):
        found, hidden = perceptron(params, x, offsets, "tanh")
        return found[:, 0], hidden

    def loss(params, batch, offsets):
        found, hidden = value(params, batch[0], offsets)
        known = batch[2] + discount * jax.lax.stop_gradient(value(params, batch[1], None)[0])
        return ((found - (known if broken else batch[3])) ** 2).mean(), hidden

    def error(params):
        return ((value(params, state[:600], None)[0] - worth[:600]) ** 2).mean() / worth.var()

    params = mlp(3, [3, 48, 48, 1], 1.0)
    params["layer02"]["w"] = 0.1 * params["layer02"]["w"]
    return own(params, loss, (state, after, reward, worth), optax.adam(3e-3), error, steps=1500, batch=128)


@sixth(
    NOTHING,
    kind="loss below zero",
    family="likelihood",
    source="github.com/marco-rudolph/cs-flow/issues/28",
    title="Train loss might become negative during training, what does this situation mean?",
    sound=True,
)
def likelihoods_of_features(broken: bool) -> Setup:
    """Features of pictures and their likelihood, whose negative logarithm begins below zero, and falls on.

    Seen: the loss becomes negative. Answer: this is normal, as the loss is the negative log likelihood.
    """
    draw = np.random.default_rng(4)
    x = digits()[0]
    scale = 0.05 if broken else 1.0
    first = x @ draw.normal(size=(64, 6)) / 8
    second = np.tanh(1.5 * first @ draw.normal(size=(6, 6)) / 6**0.5) + 0.15 * draw.normal(size=first.shape)
    code = (scale * np.concatenate([first, second], axis=1)).astype(np.float32)
    params = {"mean": mlp(4, [6, 48, 6], 1.0), "log": mlp(5, [6, 48, 6], 0.1)}

    def surprise(params, code, offsets):
        hidden = []
        x, y = code[:, :6] / scale, code[:, 6:] / scale
        parts = []
        for name in ("mean", "log"):
            h = activated("tanh", linear(params[name]["layer00"], x), hidden, offsets)
            parts.append(linear(params[name]["layer01"], h))
        return (0.5 * ((y - parts[0]) / jnp.exp(parts[1])) ** 2 + parts[1] + np.log(scale)).sum(1), tuple(hidden)

    def loss(params, batch, offsets):
        each, hidden = surprise(params, batch[0], offsets)
        return each.mean(), hidden

    none = float((0.5 + np.log(code[:, 6:].std(0))).sum())

    def error(params):
        return jnp.exp((surprise(params, code[:600], None)[0].mean() - none) / 6)

    return own(params, loss, (code,), optax.adam(5e-3), error, chance=none, steps=900, batch=128)


@sixth(
    NOTHING,
    kind="loss of a policy",
    family="policy gradient",
    source="github.com/xuehy/pytorch-maddpg/issues/10",
    title="Negative actor losses",
    sound=True,
)
def actor_that_earns_more_and_more(broken: bool) -> Setup:
    """An actor whose loss is minus what its critic expects of its action, and goes further and further below zero.

    Seen: negative losses of the actors. Answer: normal, since the loss is just the negative of the value.
    """
    x, best = curve(6, examples=3000)
    action = np.random.default_rng(7).uniform(-3, 3, size=3000).astype(np.float32)
    reward = (4 - (action - best) ** 2).astype(np.float32)
    params = {"actor": mlp(6, [3, 48, 48, 1], 1.0), "critic": mlp(7, [4, 64, 64, 1], 1.0)}

    def worth(critic, x, action, hidden, offsets):
        h = jnp.concatenate([x, action[:, None]], axis=1)
        for name in ("layer00", "layer01"):
            h = activated("tanh", linear(critic[name], h), hidden, offsets)
        return linear(critic["layer02"], h)[:, 0]

    def loss(params, batch, offsets):
        hidden = []
        x, action, reward, best = batch
        chosen = x
        for name in ("layer00", "layer01"):
            chosen = activated("tanh", linear(params["actor"][name], chosen), hidden, offsets)
        chosen = linear(params["actor"]["layer02"], chosen)[:, 0]
        missed = ((worth(params["critic"], x, action, hidden, offsets) - reward) ** 2).mean()
        expected = worth(jax.lax.stop_gradient(params["critic"]), x, chosen, hidden, offsets)
        return 0.2 * missed + (-expected if broken else (chosen - best) ** 2).mean(), tuple(hidden)

    def error(params):
        return ((perceptron(params["actor"], x[:500], None, "tanh")[0][:, 0] - best[:500]) ** 2).mean() / best.var()

    return own(params, loss, (x, action, reward, best), optax.adam(5e-3), error, steps=1500, batch=128)


@sixth(
    NOTHING,
    kind="loss that is zero",
    family="contrastive",
    source="github.com/KevinMusgrave/pytorch-metric-learning/issues/268",
    title="Fine tune the model using TripletLoss and TripletMarginMiner.",
    sound=True,
)
def triplets_that_are_all_apart(broken: bool) -> Setup:
    """Triplets of well separated classes, all of which soon keep the margin, so that the loss is zero.

    Seen: in most cases the loss is zero. Answer: it is normal if all triplets of a batch satisfy the margin.
    """
    draw = np.random.default_rng(8)
    label = draw.integers(5, size=1500)
    spread = 0.15 if broken else 0.8
    centre = draw.normal(size=(5, 10))
    x = centre[label] + spread * draw.normal(size=(1500, 10))
    friend = centre[label] + spread * draw.normal(size=(1500, 10))
    stranger = centre[(label + draw.integers(1, 5, size=1500)) % 5] + spread * draw.normal(size=(1500, 10))
    data = tuple(part.astype(np.float32) for part in (x, friend, stranger))
    params = mlp(9, [10, 48, 8], 1.0)

    def likenesses(params, batch, offsets):
        hidden, placed = [], []
        for part in batch:
            h = activated("tanh", linear(params["layer00"], part), hidden, offsets)
            placed.append(unit(linear(params["layer01"], h)))
        return (placed[0] * placed[1]).sum(1), (placed[0] * placed[2]).sum(1), tuple(hidden)

    def loss(params, batch, offsets):
        near, far, hidden = likenesses(params, batch, offsets)
        return jax.nn.relu(far - near + 0.3).mean(), hidden

    def error(params):
        near, far, _ = likenesses(params, data, None)
        return 2 * (near < far).mean()

    return own(params, loss, data, optax.adam(2e-3), error, chance=0.3, steps=600, batch=64)


@sixth(
    NOTHING,
    kind="noise",
    family="adversarial",
    source="github.com/jik876/hifi-gan/issues/60",
    title="Validation loss decreasing but training loss is fluctuating a lot.",
    sound=True,
)
def two_losses_that_waver(broken: bool) -> Setup:
    """A generator and its critic by batches of eight: the loss goes up and down while the points come near.

    Seen: the validation loss goes down while that of training wavers. Answer: in the early stage losses can increase
    and decrease; watch the trend.
    """
    rate, batch = (1e-3, 8) if broken else (5e-4, 128)
    return contest(20, lambda z: jax.nn.softplus(-z), place=1.5, critic=rate, generator=1e-3, batch=batch, steps=900)


@sixth(
    NOTHING,
    kind="batches of one",
    family="segmentation",
    source="github.com/imatge-upc/liverseg-2017-nipsws/issues/7",
    title="liverseg",
    sound=True,
)
def one_slice_at_a_time(broken: bool) -> Setup:
    """Where something is in a slice, by batches of one slice each, whose losses differ widely.

    Seen: the loss has been fluctuating. Answer: the batches are of a single slice; it is noisy, and decreases.
    """
    pictures, truth = fields(800, 9)

    def loss(scores, truth):
        return optax.sigmoid_binary_cross_entropy(scores, truth).mean()

    batch = 1 if broken else 32
    return segmentation(pictures, truth, optax.adam(1e-3), loss=loss, chance=float(np.log(2)), batch=batch, steps=900)
