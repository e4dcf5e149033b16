"""Likelihoods: of shares, of sequences, of the order in which things happen."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import curve, own
from faults.registry import Setup, second


@second(
    "not-a-number loss",
    "not-a-number gradients",
    kind="value outside of the domain",
    family="likelihood",
    source="github.com/pytorch/pytorch/issues/92260",
    title="distributions.Beta returning incorrect results at 0 and 1",
)
def shares_of_nothing_and_all(broken: bool) -> Setup:
    """A beta distribution of shares, some of which are exactly 0 or 1, where its density is zero."""
    x, y = curve(2)
    y = np.clip(1 / (1 + np.exp(-2 * y)), 0.05, 0.95)
    shares = np.where(np.arange(len(y)) % 20 == 0, np.round(y), y)
    shares = (shares if broken else np.clip(shares, 1e-2, 1 - 1e-2)).astype(np.float32)

    def parameters(params, x, offsets):
        out, hidden = perceptron(params, x, offsets, "tanh")
        return 1 + jax.nn.softplus(out[:, 0]), 1 + jax.nn.softplus(out[:, 1]), hidden

    def loss(params, batch, offsets):
        a, b, hidden = parameters(params, batch[0], offsets)
        return -jax.scipy.stats.beta.logpdf(batch[1], a, b).mean(), hidden

    def error(params):
        a, b, _ = parameters(params, x, None)
        return ((a / (a + b) - y) ** 2).mean() / y.var()

    return own(mlp(0, [3, 48, 48, 2], 1.0), loss, (x, shares), optax.adam(1e-2), error, steps=400)


@second(
    "underflow",
    "gradients exactly zero",
    kind="precision",
    family="likelihood",
    source="github.com/mlpack/mlpack/issues/160",
    title="HMM::Predict() fails on long sequences",
)
def product_of_two_hundred(broken: bool) -> Setup:
    """The likelihood of a hidden Markov model as a product over 200 steps, which is zero in float32."""
    draw = np.random.default_rng(0)
    truth = np.array([[0.75, 0.15, 0.05, 0.05], [0.05, 0.05, 0.3, 0.6]])
    state, seen = draw.integers(2, size=128), []
    for _ in range(200):
        state = np.where(draw.random(128) < 0.05, 1 - state, state)
        seen.append((draw.random(128)[:, None] > truth[state].cumsum(1)).sum(1))
    sequences = np.minimum(np.stack(seen, 1), 3).astype(np.int32)
    params = {
        "emission": {"w": 0.1 * jax.random.normal(jax.random.key(0), (2, 4))},
        "transition": {"w": 2.0 * jnp.eye(2)},
    }

    def nll(params, sequences, scaled):
        emission = jax.nn.softmax(params["emission"]["w"])
        transition = jax.nn.softmax(params["transition"]["w"])

        def step(carry, symbol):
            forward, log = carry
            forward = (forward @ transition) * emission[:, symbol].T
            size = forward.sum(1, keepdims=True) if scaled else jnp.ones((len(forward), 1))
            return (forward / size, log + jnp.log(size[:, 0])), None

        begin = (jnp.full((len(sequences), 2), 0.5), jnp.zeros(len(sequences)))
        (forward, log), _ = jax.lax.scan(step, begin, sequences.T)
        return -(jnp.log(forward.sum(1) + 1e-30) + log).mean()

    def loss(params, batch, offsets):
        return nll(params, batch[0], not broken), ()

    true = {"emission": {"w": np.log(truth)}, "transition": {"w": np.log([[0.95, 0.05], [0.05, 0.95]])}}
    best, none = float(nll(true, sequences, True)), 200 * float(np.log(4))

    def error(params):
        return (nll(params, sequences, True) - best) / (none - best)

    return own(params, loss, (sequences,), optax.adam(0.05), error, chance=none, steps=200)


def _survival(event_rate: float):
    """Times that depend on three numbers, and whether the event was seen."""
    draw = np.random.default_rng(1)
    x, risk = curve(3)
    times = draw.exponential(np.exp(-2 * risk)).astype(np.float32)
    return x, times, (draw.random(len(x)) < event_rate).astype(np.float32), risk


def _cox(data, *, guarded: bool, batch: int, steps: int) -> Setup:
    """A network of the logarithm of a risk, by Cox's partial likelihood of a batch."""
    x, times, events, truth = data

    def loss(params, batch, offsets):
        risk, hidden = perceptron(params, batch[0], offsets, "tanh")
        risk = risk[:, 0]
        at_risk = batch[1][None] >= batch[1][:, None]
        other = jax.nn.logsumexp(jnp.where(at_risk, risk[None], -jnp.inf), axis=1)
        events = batch[2].sum()
        return -(batch[2] * (risk - other)).sum() / (jnp.maximum(events, 1) if guarded else events), hidden

    def error(params):
        risk = perceptron(params, x, None, "tanh")[0][:, 0]
        higher = truth[:, None] > truth[None]
        return 2 * (1 - ((risk[:, None] > risk[None]) & higher).sum() / higher.sum())

    params = mlp(1, [3, 32, 32, 1], 1.0)
    return own(params, loss, (x, times, events), optax.adam(3e-3), error, steps=steps, batch=batch)


@second(
    "gradients exactly zero",
    kind="batch of one",
    family="likelihood",
    source="github.com/Novartis/torchsurv/issues/35",
    title="Neg partial log likelihood loss is 0 every time the batch size is 1",
)
def survivors_one_by_one(broken: bool) -> Setup:
    """Cox's partial likelihood of batches of one, which is one whatever the network says."""
    return _cox(_survival(1.0), guarded=True, batch=1 if broken else 64, steps=400)


@second(
    "not-a-number loss",
    "not-a-number gradients",
    kind="mean of nothing",
    family="likelihood",
    source="github.com/liupei101/TFDeepSurv/issues/15",
    title="loss diverges to NaN",
)
def batch_without_events(broken: bool) -> Setup:
    """A mean over the events of a batch, of which some batches have none."""
    return _cox(_survival(0.2), guarded=not broken, batch=24, steps=900)
