"""Numbers to be predicted: their scale and shape, a logistic end, few examples, a rate, and a rule of another sign."""

import jax
import numpy as np
import optax

from faults.nets import activated, linear, mlp, perceptron
from faults.problems import curve, digits, own, reconstruction, regression
from faults.registry import Setup, thirteenth


@thirteenth(
    "far from unit scale",
    "first loss too large",
    kind="scale of the targets",
    family="regression",
    source="github.com/alan-turing-institute/autoemulate/issues/633",
    title="Target standardization not properly applied in GP",
)
def emulator_of_raw_outputs(broken: bool) -> Setup:
    """What a simulation gives in its own unit, thousands, by a network that learns it as it is, or at unit scale.

    Seen: targets do not seem to be standardised if an emulator is made by hand, and it gets worse. Answer: done within
    the emulator it works; the comparison does it, a single emulator does not.
    """
    x, y = curve(1341, 800)
    y = (900 * y + 4200).astype(np.float32)
    mean, spread = (0.0, 1.0) if broken else (float(y.mean()), float(y.std()))

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "tanh")
        return ((found[:, 0] - (batch[1] - mean) / spread) ** 2).mean(), hidden

    def error(params):
        found = spread * perceptron(params, x, None, "tanh")[0][:, 0] + mean
        return ((found - y) ** 2).mean() / y.var()

    more = {"chance": float(y.var()) / spread**2, "steps": 400, "batch": 64}
    return own(mlp(1341, [3, 48, 48, 1], 1.0), loss, (x, y), optax.adam(5e-3), error, **more)


@thirteenth(
    "saturation",
    "far from unit scale",
    kind="answers beyond the range of a unit",
    family="regression",
    source="github.com/BrainJS/brain.js/issues/518",
    title="Training model with output values being greater than 1 returns a result of less than 1",
)
def answers_of_three_to_six(broken: bool) -> Setup:
    """A number between three and six by five others, by logistic units to the end; it is brought below one, or not.

    Seen: if all answers are above one, 0.99999 is returned. Answer: the logistic function gives zero to one alone;
    other units, or normalise, which is standard practice.
    """
    draw = np.random.default_rng(1343)
    x = draw.uniform(-1, 1, size=(800, 5)).astype(np.float32)
    y = (4.5 + 1.5 * np.tanh(2 * x[:, 0] + x[:, 1] - x[:, 2] * x[:, 3])).astype(np.float32)
    low, wide = (0.0, 1.0) if broken else (2.5, 4.0)

    def net(params, x, offsets):
        found, hidden = perceptron(params, x, offsets, "sigmoid")
        points = [*hidden]
        return low + wide * activated("sigmoid", found, points, offsets), tuple(points)

    def loss(found, y):
        return (((found[:, 0] - y) / wide) ** 2).mean()

    params, chance = mlp(1343, [5, 24, 1], 2.0), float(y.var()) / wide**2
    more = {"net": net, "loss": loss, "chance": chance, "steps": 500, "batch": 64}
    return regression(
        params, optax.adam(2e-2), data=(x, y), truth=lambda found, y: ((found[:, 0] - y) ** 2).mean(), **more
    )


@thirteenth(
    "constant answer",
    kind="shapes that are broadcast",
    family="regression",
    source="github.com/asapdiscovery/asapdiscovery/pull/168",
    title="Reshape model predictions to match target.",
)
def affinities_of_another_shape(broken: bool) -> Setup:
    """How strongly a molecule binds, by numbers of its atoms; answers are [n, 1], and what was measured is [n].

    Seen: a warning that shapes are broadcast. Answer: answers are brought to the shape of the target; merged.
    """
    draw = np.random.default_rng(1345)
    atoms = draw.normal(size=(1200, 6, 4)).astype(np.float32)
    y = np.tanh(atoms[..., 0] * 2).sum(1) + 0.5 * (atoms[..., 1] ** 2).sum(1)
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    params = {"atom": mlp(1345, [4, 32, 16]), "whole": mlp(1346, [16, 32, 1])}

    def net(params, atoms, offsets):
        hidden = []
        each = activated("relu", linear(params["atom"]["layer00"], atoms), hidden, offsets)
        said = linear(params["atom"]["layer01"], each).sum(1)
        h = activated("relu", linear(params["whole"]["layer00"], said), hidden, offsets)
        return linear(params["whole"]["layer01"], h), tuple(hidden)

    def loss(found, y):
        return ((found - y) ** 2).mean() if broken else ((found[:, 0] - y) ** 2).mean()

    return regression(params, optax.adam(3e-3), data=(atoms, y), net=net, loss=loss, steps=400, batch=64)


@thirteenth(
    "learned by heart",
    kind="too few examples",
    family="regression",
    source="github.com/jorgenkg/python-neural-network/issues/21",
    title="Overfitting",
)
def five_thousand_epochs(broken: bool) -> Setup:
    """A number by thirty others, measured with noise, from few examples, which are gone through for very long.

    Seen: the error on others rises from some epoch on. Answer: units that are dropped, with which it got better, and
    keep the best weights, as an early stop does; both are done here.
    """
    draw = np.random.default_rng(1347)
    x = draw.normal(size=(1700, 30)).astype(np.float32)
    clean = 1.3 * np.tanh(x @ draw.normal(size=30) / 30**0.5 * 1.5)
    y = (clean + 1.6 * draw.normal(size=1700)).astype(np.float32)
    seeds = np.arange(500, dtype=np.int32)

    def loss(params, batch, offsets):
        given = batch[0]
        if not broken:
            kept = jax.random.bernoulli(jax.random.key(batch[2].sum()), 0.5, given.shape)
            given = 2 * kept * given
        found, hidden = perceptron(params, given, offsets, "tanh")
        return ((found[:, 0] - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((perceptron(params, x[500:], None, "tanh")[0][:, 0] - clean[500:]) ** 2).mean() / clean.var()

    more = {"chance": float(y[:500].var()), "steps": 800 if broken else 150, "batch": 64}
    return own(mlp(1347, [30, 128, 1], 1.0), loss, (x[:500], y[:500], seeds), optax.adam(5e-3), error, **more)


@thirteenth(
    "learning rate too small",
    kind="schedule",
    family="regression",
    source="github.com/ustc-time-series/TimeDART/issues/17",
    title="学习率衰减过快",
)
def rate_that_halves_every_epoch(broken: bool) -> Setup:
    """The next value of a series by its last sixteen, at a rate that is halved after every epoch of a few batches.

    Seen: with a factor of 0.5 the rate is 1.8e-10 in the end; is that not too fast? Answer: none in what can be read;
    here, it falls by a tenth.
    """
    draw = np.random.default_rng(1349)
    t = np.arange(1200)
    series = np.sin(t / 4) + 0.6 * np.sin(t / 2.3 + 1) * np.sin(t / 31) + 0.1 * draw.normal(size=1200)
    series = (series - series.mean()) / series.std()
    x = np.stack([series[i : i + 16] for i in range(1180)]).astype(np.float32)
    y = series[19:1199].astype(np.float32)
    optimizer = optax.adam(optax.exponential_decay(3e-4, 6, 0.5 if broken else 0.99))
    data = (x, y)
    return regression(mlp(1350, [16, 48, 48, 1]), optimizer, data=data, kind="relu", steps=400, batch=64)


@thirteenth(
    "updates point uphill",
    kind="rule that expects the other sign",
    family="autoencoder",
    source="github.com/Kaixhin/Autoencoders/issues/5",
    title="gradLoss from nn.criterion",
)
def rule_of_a_player_of_games(broken: bool) -> Setup:
    """Digits, given back by a perceptron, by a rule that divides by the size of slopes, and adds or subtracts them.

    Seen: the sign of the loss's slope seems to be wrong; with the other one, the author saw the loss blow up. Answer:
    the report's own: its rule is of a player of games, which expects the target minus the answer.
    """
    optimizer = optax.chain(optax.scale_by_rms(0.95), optax.scale(8e-4 if broken else -8e-4))
    return reconstruction(mlp(1397, [64, 48, 16, 48, 64]), optimizer, x=digits()[0], kind="relu", steps=400)
