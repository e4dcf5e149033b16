"""Regressions: an end that is rectified, inputs as they come, and few examples."""

import numpy as np
import optax

from faults.nets import activated, mlp, perceptron
from faults.problems import own, regression
from faults.registry import Setup, twelfth


def rectified(params, x, offsets):
    """A perceptron of rectifiers whose answer is rectified, too."""
    found, hidden = perceptron(params, x, offsets, "relu")
    points = [*hidden]
    return activated("relu", found, points, offsets), tuple(points)


@twelfth(
    "dead units",
    "gradients exactly zero",
    kind="rectified answer",
    family="regression",
    source="github.com/ProteomicsML/ProteomicsML/pull/203",
    title="Do not use ReLU activation for the final regression layer",
)
def size_by_a_rectified_end(broken: bool) -> Setup:
    """A positive size by four numbers, by a network whose last unit is rectified, too, and drawn without luck.

    Seen: it gives zero for everything; before the rectifier the answer can be negative for all examples by an unlucky
    draw, and nothing comes back. Answer: no rectifier in the last layer; open.
    """
    draw = np.random.default_rng(1203)
    x = draw.normal(size=(600, 4)).astype(np.float32)
    y = (3 + np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] / 2 + x[:, 3]).clip(0.1).astype(np.float32)
    params = mlp(1203, [4, 32, 32, 1])
    params["layer02"]["w"] = -abs(params["layer02"]["w"])

    net = rectified if broken else None
    return regression(params, optax.adam(3e-3), data=(x, y), net=net, kind="relu", steps=400)


@twelfth(
    "far from unit scale",
    "saturation",
    kind="scale of the inputs",
    family="regression",
    source="github.com/robjhyndman/forecast/pull/236",
    title="Standardize inputs in 'nnetar'",
)
def regressors_as_they_come(broken: bool) -> Setup:
    """The next value of a series by its last ones and two regressors in units of their own, as they are or standard.

    Seen: the series is divided by its largest value, and regressors are not scaled at all. Answer: the series and the
    regressors are brought to a mean of zero and a deviation of one by default; merged.
    """
    draw = np.random.default_rng(1205)
    income, rate = draw.normal(size=(2, 900)).cumsum(1)
    income, rate = ((each - each.mean()) / each.std() for each in (income + np.arange(900) / 60, rate))
    series = np.zeros(900)
    for i in range(1, 900):
        series[i] = 0.3 * series[i - 1] + np.sin(2 * income[i]) + 0.6 * rate[i] + 0.1 * draw.normal()
    units = np.stack([series[:-1] / abs(series).max(), 24000 + 7000 * income[1:], 650 + 220 * rate[1:]], axis=1)
    x = units if broken else (units - units.mean(0)) / units.std(0)
    y = (series[1:] - series.mean()) / series.std()
    data = x.astype(np.float32), y.astype(np.float32)
    return regression(mlp(1205, [3, 24, 24, 1], 1.0), optax.adam(5e-3), data=data, kind="sigmoid", steps=500)


@twelfth(
    "learned by heart",
    kind="penalty that is left out",
    family="regression",
    source="github.com/guaguabujianle/MGraphDTA/issues/6",
    title="Regression model overfitting",
)
def bindings_without_a_decay(broken: bool) -> Setup:
    """How strongly two molecules bind, measured with much noise, by forty numbers and few examples.

    Seen: on other data, it learns the examples by heart. Answer: more dropout, or a decay of the weights that is not
    zero; some of it is left, the report says, and may be due to the data.
    """
    draw = np.random.default_rng(1206)
    x = draw.normal(size=(1600, 40)).astype(np.float32)
    clean = np.tanh(x @ draw.normal(size=40) / 40**0.5) * 1.4
    y = (clean + 1.2 * draw.normal(size=1600)).astype(np.float32)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "relu")
        return ((found[:, 0] - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((perceptron(params, x[400:], None, "relu")[0][:, 0] - clean[400:]) ** 2).mean() / clean.var()

    optimizer = optax.adamw(3e-3, weight_decay=0.0 if broken else 10.0)
    more = {"chance": float(y[:400].var()), "steps": 500, "batch": 64}
    return own(mlp(1206, [40, 96, 96, 1]), loss, (x[:400], y[:400]), optimizer, error, **more)
