"""Likelihoods: a product of all shares, and a logarithm within bounds."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import activated, mlp, perceptron
from faults.problems import classified, own
from faults.registry import Setup, twelfth


@twelfth(
    "underflow",
    "gradients exactly zero",
    kind="product of shares",
    family="likelihood",
    source="github.com/QuanEstimation/QuanEstimation.jl/pull/140",
    title="Fix MLE numerical underflow by using log-likelihood accumulation",
)
def product_over_all_measurements(broken: bool) -> Setup:
    """Which of two outcomes a measurement has, by the likelihood of two hundred of them at once, or by its logarithm.

    Seen: probabilities of all measurements are multiplied, which underflows if there are many. Answer: the sum of their
    logarithms; merged.
    """
    draw = np.random.default_rng(1207)
    x = draw.uniform(-2, 2, size=(2400, 3)).astype(np.float32)
    outcome = (np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] > 0).astype(np.int32)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "tanh")
        score = found[:, 0] * (2 * batch[1] - 1)
        return (-jax.nn.sigmoid(score).prod() if broken else jax.nn.softplus(-score).mean()), hidden

    def right(params):
        return ((perceptron(params, x[1600:], None, "tanh")[0][:, 0] > 0) == outcome[1600:]).mean()

    data = (x[:1600], outcome[:1600])
    params, more = mlp(1207, [3, 32, 32, 1], 1.0), {"chance": None} if broken else {}
    return classified(params, loss, data, optax.adam(5e-3), right, classes=2, steps=400, batch=200, **more)


@twelfth(
    "saturation",
    kind="logarithm within bounds",
    family="likelihood",
    source="github.com/Linear95/CLUB/issues/2",
    title="I have used CLUB in my dataset for mutual information minimization. However, during training, the log "
    "likelihood loss became -255 and unchanged. Then I changed the sum to mean and things got better. B",
)
def variance_behind_a_tanh(broken: bool) -> Setup:
    """How sure one is of a number, by two networks for its mean and for the logarithm of its variance, which ends in a
    hyperbolic tangent.

    Seen: the likelihood stays at one value. Answer: the report's own: without the tangent at the end of the network of
    the logarithm, it is much better; that depends on the data, says the author.
    """
    draw = np.random.default_rng(1209)
    x = draw.normal(size=(4000, 3)).astype(np.float32)
    sure = -5 + 1.5 * np.sin(2 * x[:, 0]) + x[:, 1]
    y = (np.tanh(x[:, 2]) + np.exp(sure / 2) * draw.normal(size=4000)).astype(np.float32)

    def moments(params, x, offsets):
        hidden = []
        mean = embedded(params["mean"], x, hidden, offsets, "relu")[:, 0]
        log = embedded(params["variance"], x, hidden, offsets, "relu")
        return mean, (activated("tanh", log, hidden, offsets) if broken else log)[:, 0], tuple(hidden)

    def loss(params, batch, offsets):
        mean, log, hidden = moments(params, batch[0], offsets)
        return 0.5 * ((mean - batch[1]) ** 2 * jnp.exp(-log) + log).mean(), hidden

    def error(params):
        return ((moments(params, x, None)[1] - sure) ** 2).mean() / sure.var()

    params = {"mean": mlp(1209, [3, 32, 32, 1]), "variance": mlp(1210, [3, 32, 32, 1])}
    return own(params, loss, (x, y), optax.adam(5e-3), error, steps=500, batch=128)
