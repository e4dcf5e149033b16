"""Likelihoods: densities whose sum overflows, scales by exponentials in a row, and a schedule in place of a step."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import activated, mlp, perceptron
from faults.problems import own
from faults.registry import Setup, thirteenth


@thirteenth(
    "not-a-number loss",
    kind="exponential that overflows",
    family="likelihood",
    source="github.com/rust-ml/linfa/pull/443",
    title="fix(gmm): use log-sum-exp in estimate_log_prob_resp to prevent overflow",
)
def densities_of_tight_groups(broken: bool) -> Setup:
    """Sixty numbers of a thing by a mixture of two normal densities, which are summed as they are, or by logarithms.

    Seen: if groups are tight, the logarithms of their densities are large, and the sum of the exponentials is infinite.
    Answer: the largest of them is taken out first; closed.
    """
    draw = np.random.default_rng(1331)
    x = draw.normal(size=(2000, 3)).astype(np.float32)
    clean = 0.3 * np.tanh(x @ draw.normal(size=(3, 60)))
    y = (clean + 0.01 * draw.normal(size=clean.shape)).astype(np.float32)

    def mixture(params, x, offsets):
        found, hidden = perceptron(params, x, offsets, "tanh")
        means = 0.1 * found[:, :120].reshape(-1, 2, 60)
        return means, jax.nn.log_softmax(found[:, 120:122]), found[:, 122:] - 0.5, hidden

    def loss(params, batch, offsets):
        means, weights, logs, hidden = mixture(params, batch[0], offsets)
        off = (batch[1][:, None] - means) * jnp.exp(-logs)[:, :, None]
        each = weights - 0.5 * (off**2).sum(-1) - 60 * (logs + 0.919)
        total = jnp.log(jnp.exp(each).sum(1)) if broken else jax.nn.logsumexp(each, axis=1)
        return -total.mean(), hidden

    def error(params):
        means, weights, *_ = mixture(params, x, None)
        return (((jnp.exp(weights)[:, :, None] * means).sum(1) - clean) ** 2).mean() / clean.var(0).mean()

    return own(mlp(1331, [3, 64, 64, 124], 1.0), loss, (x, y), optax.adam(3e-3), error, steps=400, batch=64)


@thirteenth(
    "exploding",
    "first loss too large",
    kind="scale without a bound",
    family="likelihood",
    source="github.com/chaiyujin/glow-pytorch/issues/3",
    title="Question about Affine Coupling Parameterisation",
)
def couplings_by_exponentials(broken: bool) -> Setup:
    """The density of points on a bent line, by twelve couplings whose scale is an exponential, or a logistic share.

    Seen: the scale is a logistic function, and not an exponential as in the earlier paper; is it needed? Answer: the
    original does it, too, and it seems to be necessary for deeper models to be stable.
    """
    draw = np.random.default_rng(1333)
    one = draw.normal(size=4000)
    two = 0.8 * (one**2 - 1) + 0.4 * draw.normal(size=4000)
    x = np.stack([one, two], axis=1).astype(np.float32)
    known = -0.5 * one**2 - 0.5 * ((two - 0.8 * (one**2 - 1)) / 0.4) ** 2
    params = {f"coupling{i:02d}": mlp(1333 + i, [1, 24, 2], 1.0) for i in range(12)}
    for net in params.values():
        net["layer01"]["w"] = 3 * net["layer01"]["w"]

    def density(params, x, offsets):
        hidden, change = [], 0.0
        for i, name in enumerate(sorted(params)):
            kept, moved = (x[:, :1], x[:, 1:]) if i % 2 else (x[:, 1:], x[:, :1])
            found = embedded(params[name], kept, hidden, offsets, "tanh")
            log = found[:, :1] if broken else jax.nn.log_sigmoid(found[:, :1] + 2)
            moved = activated("linear", (moved + found[:, 1:]) * jnp.exp(log), hidden, offsets)
            x = jnp.concatenate([kept, moved] if i % 2 else [moved, kept], axis=1)
            change = change + log[:, 0]
        return change - 0.5 * (x**2).sum(1), tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = density(params, batch[0], offsets)
        return -found.mean(), hidden

    def error(params):
        found = density(params, x, None)[0]
        return (((found - found.mean()) - (known - known.mean())) ** 2).mean() / known.var()

    return own(params, loss, (x,), optax.adam(3e-3), error, steps=400, batch=128)


@thirteenth(
    "updates not applied",
    kind="schedule in place of a step",
    family="likelihood",
    source="github.com/pyro-ppl/pyro/pull/1241",
    title="Pyro lr scheduler working perfectly and not at all",
)
def schedule_that_steps_nothing(broken: bool) -> Setup:
    """A number and how sure one is of it, by a likelihood; the schedule is stepped, and the optimizer is not.

    Seen: the rate is scheduled perfectly, and no step of the optimizer is done. Answer: an issue to track it; here,
    the step is done.
    """
    draw = np.random.default_rng(1335)
    x = draw.normal(size=(1500, 3)).astype(np.float32)
    clean = np.tanh(x[:, 0] - x[:, 1]) + 0.5 * np.sin(2 * x[:, 2])
    y = (clean + (0.1 + 0.2 * (x[:, 0] > 0)) * draw.normal(size=1500)).astype(np.float32)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "relu")
        mean, log = found[:, 0], found[:, 1]
        return (log + 0.5 * ((batch[1] - mean) * jnp.exp(-log)) ** 2).mean(), hidden

    def error(params):
        return ((perceptron(params, x, None, "relu")[0][:, 0] - clean) ** 2).mean() / clean.var()

    optimizer = optax.adam(optax.exponential_decay(3e-3, 100, 0.8))
    more = {"apply": lambda params, updates: params} if broken else {}
    return own(mlp(1335, [3, 48, 48, 2]), loss, (x, y), optimizer, error, steps=400, batch=64, **more)
