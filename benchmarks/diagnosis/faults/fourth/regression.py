"""Predictions of numbers: shapes, prices, quotients, sums over a batch, units that are dead."""

import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp, perceptron
from faults.problems import curve, own, regression
from faults.registry import Setup, fourth


@fourth(
    "constant answer",
    kind="shapes that are broadcast",
    family="regression",
    source="github.com/manzilzaheer/DeepSets/pull/1",
    title="fixed broadcasting issue between y and y_pred in PopStats",
)
def statistic_of_all_populations(broken: bool) -> Setup:
    """A statistic of sets of twenty numbers, whose answers of shape [B, 1] are compared with targets of shape [B].

    Seen: the model gives the average statistic, not that of the set. Answer: give both the same shape.
    """
    draw = np.random.default_rng(0)
    spread = draw.uniform(0.2, 2.0, size=1500)
    sets = (spread[:, None] * draw.normal(size=(1500, 20))).astype(np.float32)
    target = (np.log(spread) / np.log(spread).std()).astype(np.float32)

    def forward(params, sets, offsets):
        hidden = []
        h = activated("tanh", linear(params["layer00"], sets[..., None]), hidden, offsets)
        h = activated("tanh", linear(params["layer01"], h.mean(1)), hidden, offsets)
        return linear(params["layer02"], h), tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = forward(params, batch[0], offsets)
        return ((found - (batch[1] if broken else batch[1][:, None])) ** 2).mean(), hidden

    def error(params):
        return ((forward(params, sets[1000:], None)[0][:, 0] - target[1000:]) ** 2).mean() / target.var()

    layers = mlp(0, [1, 32, 32], 1.0) | {"layer02": mlp(1, [32, 1])["layer00"]}
    data = (sets[:1000], target[:1000])
    return own(layers, loss, data, optax.adam(5e-3), error, chance=float(target.var()), steps=400, batch=64)


@fourth(
    "far from unit scale",
    "learning rate too large",
    "first loss too large",
    kind="scale of the targets",
    family="regression",
    source="github.com/rstudio-conf-2020/dl-keras-tf/issues/9",
    title='train/valid loss = NAN when loss = "mean_squared_error" due to exploding values',
)
def errors_of_prices_squared(broken: bool) -> Setup:
    """Prices of houses in dollars under a squared error; those of logarithms are of the order of ten.

    Seen: a loss of NaN in the first epoch. Answer: prices reach 755,000; take the error of their logarithms.
    """
    x, y = curve(1)
    price = np.exp(12 + 0.4 * y)
    target = (price if broken else np.log1p(price)).astype(np.float32)
    return regression(mlp(2, [3, 24, 24, 1], 1.0), optax.sgd(0.03), data=(x, target), kind="relu", steps=1000, batch=64)


@fourth(
    "not-a-number gradients",
    "not-a-number loss",
    kind="quotient behind where",
    family="regression",
    source="github.com/DeepRegNet/DeepReg/issues/452",
    title='error while using "gmi" for the loss',
)
def quotient_that_is_replaced(broken: bool) -> Setup:
    """Pictures that are compared window by window; where a window is flat the quotient is replaced by zero.

    Seen: weights that become NaN. Answer: the value of the guarded division is defined, and its gradient is not.
    """
    draw = np.random.default_rng(1)
    x = draw.normal(size=(768, 10)).astype(np.float32)
    fixed = np.tanh(x @ draw.normal(size=(10, 48)) / 10**0.5).reshape(-1, 8, 6)
    flat = np.arange(768) % 50 == 0
    fixed[flat, 0] = 0.0
    fixed = fixed.astype(np.float32)

    def likeness(moving, fixed):
        moving, fixed = (each - each.mean(-1, keepdims=True) for each in (moving, fixed))
        shared = (moving * fixed).sum(-1) ** 2
        own = (moving**2).sum(-1) * (fixed**2).sum(-1)
        divisor = own if broken else jnp.where(own == 0, 1.0, own)
        return jnp.where(own == 0, 0.0, shared / divisor)

    def moved(params, x, offsets):
        found, hidden = perceptron(params, x, offsets, "tanh")
        return found.reshape(-1, 8, 6), hidden

    def loss(params, batch, offsets):
        found, hidden = moved(params, batch[0], offsets)
        return 1 - likeness(found, batch[1]).mean(), hidden

    def error(params):
        return 1 - likeness(moved(params, x[1:50], None)[0], fixed[1:50]).mean()

    return own(mlp(3, [10, 64, 48], 1.0), loss, (x, fixed), optax.adam(5e-3), error, chance=1.0, steps=400, batch=32)


@fourth(
    "learning rate too large",
    "first loss too large",
    kind="wrong reduction",
    family="regression",
    source="github.com/utcsilab/deepinpy/issues/13",
    title="non-Cartesian using batch size > 2",
)
def sum_over_a_larger_batch(broken: bool) -> Setup:
    """Pictures from their frequencies, under an error that is summed over a batch fifty times as large as before.

    Seen: with a large batch the gradient explodes. Answer: another reduction, so that the rate means the same.
    """
    draw = np.random.default_rng(2)
    truth = np.cumsum(draw.normal(size=(1024, 24)), axis=1)
    truth = (truth / truth.std()).astype(np.float32)
    seen = np.concatenate([np.fft.rfft(truth).real, np.fft.rfft(truth).imag], axis=1)[:, ::2] / 24**0.5
    data = (seen.astype(np.float32), truth)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).sum() / (1 if broken else len(found)), hidden

    def error(params):
        return ((perceptron(params, data[0], None)[0] - truth) ** 2).mean() / truth.var()

    chance = 24 * float(truth.var()) * (50 if broken else 1)
    return own(mlp(4, [13, 64, 64, 24]), loss, data, optax.sgd(3e-3), error, chance=chance, steps=600, batch=50)


@fourth(
    "dead units",
    "gradients exactly zero",
    kind="dead units",
    family="regression",
    source="github.com/keras-team/keras/issues/13891",
    title="My model outputs the same value for all data during prediction",
)
def few_units_before_the_last(broken: bool) -> Setup:
    """Three rectifiers before the answer, whose weights are all negative, behind units that are never negative.

    Seen: with a layer of few rectifiers one value for all. Answer: another rate was tried; a tanh there works.
    """
    params = mlp(5, [3, 48, 3, 1])
    params["layer01"]["w"] = -jnp.abs(params["layer01"]["w"])

    def net(params, x, offsets):
        hidden = []
        h = activated("relu", linear(params["layer00"], x), hidden, offsets)
        h = activated("relu" if broken else "tanh", linear(params["layer01"], h), hidden, offsets)
        return linear(params["layer02"], h), tuple(hidden)

    return regression(params, optax.adam(1e-2), data=curve(3), net=net, kind="relu", steps=800, batch=64)
