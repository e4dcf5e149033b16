"""Recurrent networks: distances of nothing, a cost that explodes, shares of whole paths, embeddings that are wide."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import Kind, dense, linear
from faults.problems import classified, cross_entropy, own, recognised
from faults.registry import Setup, twelfth


def cells(seed: int, inputs: int, units: int, outputs: int, gain: float = 1.0):
    """A plain recurrent cell and what reads it."""
    keys = jax.random.split(jax.random.key(seed), 3)
    params = {"in": dense(keys[0], inputs, units, 1.0), "cell": dense(keys[1], units, units, gain)}
    return params | {"readout": dense(keys[2], units, outputs, 1.0)}


def states(params, x, offsets):
    """States of hyperbolic tangents over the steps of x [examples, steps, features], and the hidden point."""

    def step(h, inputs):
        now, shift = inputs
        h = jnp.tanh(linear(params["in"], now) + linear(params["cell"], h)) + shift
        return h, h

    units = params["cell"]["w"].shape[0]
    shift = jnp.zeros((x.shape[1], len(x), units)) if offsets is None else offsets[0]
    _, all_states = jax.lax.scan(step, jnp.zeros((len(x), units)), (x.swapaxes(0, 1), shift))
    return all_states, ((Kind("linear"), all_states, all_states),)


@twelfth(
    "not-a-number gradients",
    "not-a-number loss",
    kind="distance of zero",
    family="recurrent",
    source="github.com/tilman151/rul-adapt/pull/22",
    title="fix: introduce epsilon for pairwise euclidean",
)
def wear_of_two_machines(broken: bool) -> Setup:
    """How long a machine lasts, by states whose distances among one kind and another one are to be alike.

    Seen: the gradient of a distance of zero is not defined. Answer: a small number in it; merged.
    """
    draw = np.random.default_rng(1221)
    count, steps = 900, 12
    life = draw.uniform(-1, 1, size=count)
    kind = draw.integers(2, size=count)
    x = life[:, None, None] * np.linspace(0, 1, steps)[:, None] * np.array([1.0, -1.0, 0.5])
    x = (x + 0.3 * kind[:, None, None] + 0.3 * draw.normal(size=x.shape)).astype(np.float32)
    y = (life / life.std()).astype(np.float32)
    params = cells(1221, 3, 16, 1)

    def loss(params, batch, offsets):
        all_states, hidden = states(params, batch[0], offsets)
        last = all_states[-1]
        wrong = ((linear(params["readout"], last)[:, 0] - batch[1]) ** 2).mean()
        squares = ((last[:, None] - last) ** 2).sum(2)
        apart = jnp.sqrt(squares if broken else squares + 1e-8)
        same = batch[2][:, None] == batch[2]
        gap = (apart * same).sum() / same.sum() - (apart * ~same).sum() / jnp.maximum((~same).sum(), 1)
        return wrong + 0.1 * gap**2, hidden

    def error(params):
        found = linear(params["readout"], states(params, x[700:], None)[0][-1])[:, 0]
        return jnp.nan_to_num(((found - y[700:]) ** 2).mean() / y[700:].var(), nan=1.0)

    data = (x[:700], y[:700], kind[:700].astype(np.int32))
    return own(params, loss, data, optax.adam(5e-3), error, chance=1.0, steps=250, batch=32)


@twelfth(
    "loss spike",
    "learning rate too large",
    "exploding",
    kind="rate",
    family="recurrent",
    source="github.com/karpathy/neuraltalk/issues/4",
    title="Aborting, cost seems to be exploding.",
)
def cost_that_explodes(broken: bool) -> Setup:
    """Which of twelve words follows, by a recurrent network, at a rate that grows to be too large, or a part of it.

    Seen: the cost comes down, and goes from 39 to 140 within a step. Answer: a rate of a half or a fifth does it.
    """
    draw = np.random.default_rng(1223)
    words, length = 12, 16
    rule = draw.integers(words, size=(words, 2))
    text = draw.integers(words, size=(1500, length + 1))
    for t in range(2, length + 1):
        sure = draw.random(1500) < 0.95
        text[:, t] = np.where(sure, rule[text[:, t - 1], text[:, t - 2] % 2], text[:, t])
    x, y = np.eye(words, dtype=np.float32)[text[:, :-1]], text[:, 1:].astype(np.int32)
    params = cells(1223, words, 24, words)

    def scores(params, x, offsets):
        all_states, hidden = states(params, x, offsets)
        return linear(params["readout"], all_states).swapaxes(0, 1), hidden

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], offsets)
        return cross_entropy(found[:, 2:], batch[1][:, 2:]), hidden

    right = jax.jit(lambda params: (scores(params, x[1200:], None)[0].argmax(-1) == y[1200:])[:, 2:].mean())
    rate = optax.exponential_decay(0.2, 300, 150.0)
    optimizer = optax.chain(optax.trace(0.9), optax.scale(-1.0 if broken else -0.02), optax.scale_by_schedule(rate))
    more = {"classes": words, "steps": 300, "batch": 32, "timed": True}
    return classified(params, loss, (x[:1200], y[:1200]), optimizer, right, **more)


@twelfth(
    "underflow",
    "not-a-number loss",
    "not-a-number gradients",
    kind="share of a whole path",
    family="recurrent",
    source="github.com/allanj/pytorch_neural_crf/issues/4",
    title="The output for CRF loss",
)
def share_of_a_whole_path(broken: bool) -> Setup:
    """The marks of sixty words in a row, by a chain whose cost is the logarithm of the share of the true path.

    Seen: with the exponential of the difference of two scores, and its logarithm, the loss is NaN. Answer: the loss is
    that difference itself.
    """
    draw = np.random.default_rng(1225)
    count, length, marks = 500, 60, 4
    mark = draw.integers(marks, size=(count, length)).astype(np.int32)
    place = 1.5 * draw.normal(size=(marks, 5))
    x = (place[mark] + 0.6 * draw.normal(size=(count, length, 5))).astype(np.float32)
    params = cells(1225, 5, 16, marks, 0.5) | {"moves": {"w": jnp.zeros((marks, marks))}}

    def scores(params, x, offsets):
        all_states, hidden = states(params, x, offsets)
        return linear(params["readout"], all_states).swapaxes(0, 1), hidden

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], offsets)
        moves, true = params["moves"]["w"], batch[1]
        labelled = jnp.take_along_axis(found, true[..., None], 2)[..., 0].sum(1) + moves[true[:, :-1], true[:, 1:]].sum(
            1
        )

        def step(message, now):
            return jax.nn.logsumexp(message[:, :, None] + moves, axis=1) + now, None

        last, _ = jax.lax.scan(step, found[:, 0], found[:, 1:].swapaxes(0, 1))
        difference = labelled - jax.nn.logsumexp(last, axis=1)
        return -(jnp.log(jnp.exp(difference)) if broken else difference).mean(), hidden

    right = jax.jit(lambda params: (scores(params, x[400:], None)[0].argmax(-1) == mark[400:]).mean())
    more = {"classes": marks, "steps": 150, "batch": 8, "timed": True, "chance": float(length * np.log(marks))}
    return classified(params, loss, (x[:400], mark[:400]), optax.adam(1e-2), right, **more)


@twelfth(
    "far from unit scale",
    "saturation",
    kind="scale of the embeddings",
    family="recurrent",
    source="github.com/keras-team/keras/issues/10273",
    title="Why the range of embedding make so much difference ?",
)
def embeddings_from_elsewhere(broken: bool) -> Setup:
    """Which of four kinds a text begins with, by a recurrent network over embeddings that are given, not trained.

    Seen: training is stuck with embeddings whose values are beyond one, as 8 or -12, and goes fine with those in -1 to
    1. Answer: the report's own, that range; there is no other one.
    """
    draw = np.random.default_rng(1227)
    words, length = 200, 6
    table = draw.normal(size=(words, 16)) * 60
    kind = draw.integers(4, size=2000).astype(np.int32)
    leaning = draw.integers(4, size=words)
    of_kind = [np.flatnonzero(leaning == each) for each in range(4)]
    text = draw.integers(words, size=(2000, length))
    for i, each in enumerate(kind):
        text[i, :3] = draw.choice(of_kind[each], size=3)
    x = (table[text] if broken else table[text] / 60).astype(np.float32)
    params = cells(1227, 16, 48, 4)

    def scores(params, x, offsets):
        all_states, hidden = states(params, x, offsets)
        return linear(params["readout"], all_states[-1]), hidden

    data, others = (x[:1600], kind[:1600]), (x[1600:], kind[1600:])
    return recognised(params, scores, data, others, optax.sgd(0.05, 0.9), classes=4, batch=32, steps=300, timed=True)
