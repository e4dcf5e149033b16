"""Recurrent networks: products of shares, one target for all, a loss that jumps, a rate that falls too early."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, dense, linear
from faults.problems import classified, cross_entropy, own
from faults.registry import Setup, thirteenth
from faults.twelfth.recurrent import cells, states


def sentences(seed: int, count: int, length: int, words: int = 8):
    """Words in a row, each of which follows from the two before it, or is any of them."""
    draw = np.random.default_rng(seed)
    rule = np.stack([draw.permutation(words), draw.permutation(words)])
    text = draw.integers(words, size=(count, length + 1))
    for t in range(2, length + 1):
        free = draw.random(count) < 0.1
        text[:, t] = np.where(free, text[:, t], rule[text[:, t - 2] % 2, text[:, t - 1]])
    return np.eye(words, dtype=np.float32)[text[:, :-1]], text[:, 1:].astype(np.int32)


def reader(seed: int, count: int, optimizer: optax.GradientTransformation, steps: int, gain: float = 1.0) -> Setup:
    """The next word at each place, by a plain recurrent network."""
    x, y = sentences(seed, count + 300, 12)
    params = cells(seed, 8, 24, 8, gain)

    def scores(params, x, offsets):
        all_states, hidden = states(params, x, offsets)
        return linear(params["readout"], all_states).swapaxes(0, 1), hidden

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], offsets)
        return cross_entropy(found[:, 1:], batch[1][:, 1:]), hidden

    right = jax.jit(lambda params: (scores(params, x[count:], None)[0].argmax(-1) == y[count:])[:, 1:].mean())
    more = {"classes": 8, "steps": steps, "batch": 32, "timed": True}
    return classified(params, loss, (x[:count], y[:count]), optimizer, right, **more)


@thirteenth(
    "underflow",
    "gradients exactly zero",
    kind="product of shares",
    family="recurrent",
    source="github.com/vmkononenko/music-dsp/pull/23",
    title="🎁 fix probability underflow in Viterbi algo",
)
def product_of_shares(broken: bool) -> Setup:
    """Which of four pieces a recording of 150 steps is of, by the product of what each step gives, or by logarithms.

    Seen: probabilities are multiplied at each step, and come to zero after about a hundred of them. Answer: logarithms
    of them; merged.
    """
    draw = np.random.default_rng(1341)
    piece = draw.integers(4, size=700).astype(np.int32)
    tone = 0.25 * draw.normal(size=(4, 5))
    x = (tone[piece][:, None] + draw.normal(size=(700, 150, 5))).astype(np.float32)
    keys = jax.random.split(jax.random.key(1341), 2)
    params = {"in": dense(keys[0], 5, 16, 1.0), "out": dense(keys[1], 16, 4, 1.0)}

    def scores(params, x, offsets):
        hidden = []
        h = activated("tanh", linear(params["in"], x), hidden, offsets)
        each = jax.nn.log_softmax(linear(params["out"], h))

        def step(known, now):
            return (known * jnp.exp(now) if broken else known + now), None

        start = jnp.ones((len(x), 4)) if broken else jnp.zeros((len(x), 4))
        return jax.lax.scan(step, start, each.swapaxes(0, 1))[0], tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], offsets)
        if broken:
            least = 1e-30
            true = jnp.take_along_axis(found, batch[1][:, None], 1)[:, 0]
            return (jnp.log(found.sum(1) + 4 * least) - jnp.log(true + least)).mean(), hidden
        return cross_entropy(found, batch[1]), hidden

    right = jax.jit(lambda params: (scores(params, x[500:], None)[0].argmax(-1) == piece[500:]).mean())
    more = {"classes": 4, "steps": 200, "batch": 32}
    return classified(params, loss, (x[:500], piece[:500]), optax.adam(5e-3), right, **more)


@thirteenth(
    "constant answer",
    kind="one target for all",
    family="recurrent",
    source="github.com/andrewgcodes/xlstm/issues/4",
    title="y_pred, y_true shape, are different: loss.py:535: UserWarning: Using a target size (torch.Size([1, 1])) "
    "that is different to the input size (torch.Size([10, 1])).",
)
def one_target_for_all(broken: bool) -> Setup:
    """Where a price goes next, by a recurrent network, whose answers are all compared with the first one's target.

    Seen: there are ten answers and one target, which is broadcast. Answer: the report's own: compare each with its own.
    """
    draw = np.random.default_rng(1343)
    drift = draw.normal(size=(1200, 1, 2))
    path = np.cumsum(drift + 0.4 * draw.normal(size=(1200, 9, 2)), axis=1)
    x = (path[:, :-1] / path[:, -2].std(0)).astype(np.float32)
    y = path[:, -1] @ np.array([1.0, -0.5])
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    params = cells(1343, 2, 24, 1)

    def found(params, x, offsets):
        all_states, hidden = states(params, x, offsets)
        return linear(params["readout"], all_states[-1])[:, 0], hidden

    def loss(params, batch, offsets):
        answer, hidden = found(params, batch[0], offsets)
        return ((answer - (batch[1][:1] if broken else batch[1])) ** 2).mean(), hidden

    def error(params):
        return ((found(params, x[900:], None)[0] - y[900:]) ** 2).mean() / y[900:].var()

    more = {"chance": 1.0, "steps": 250, "batch": 32, "timed": True}
    return own(params, loss, (x[:900], y[:900]), optax.adam(5e-3), error, **more)


@thirteenth(
    "loss spike",
    "learning rate too large",
    kind="rate",
    family="recurrent",
    source="github.com/karpathy/char-rnn/issues/169",
    title="Loss is exploding, aborting",
)
def loss_that_jumps(broken: bool) -> Setup:
    """The next word at each place, by a recurrent network, at a rate that is raised to be too large, or a small one.

    Seen: on a large text, the loss has come down to 0.9, and is 17 suddenly. Answer: lower the rate.
    """
    rate = optax.linear_schedule(0.2, 3.0, 300) if broken else 0.2
    return reader(1345, 1200, optax.sgd(rate, 0.9), 300)


@thirteenth(
    "learning rate too small",
    kind="rate that falls in the first pass",
    family="recurrent",
    source="github.com/flairNLP/flair/issues/928",
    title="Loss stop decline when train own LM model",
)
def rate_that_falls_in_the_first_pass(broken: bool) -> Setup:
    """The next word at each place, at a rate that falls to a quarter after each few batches, or that stays.

    Seen: the loss does not come down any more, and the rate is nearly zero. Answer: more patience, which is how many
    splits without progress are tolerated before the rate falls.
    """
    rate = optax.exponential_decay(0.002, 5, 0.25, staircase=True)
    return reader(1347, 1200, optax.adam(rate if broken else 0.002), 300)
