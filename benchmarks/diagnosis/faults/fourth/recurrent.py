"""Recurrent networks: gates, rates, schedules."""

import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import Kind, linear
from faults.problems import cross_entropy, own
from faults.registry import Setup, fourth
from faults.second.recurrent import UNITS, cell, states


def _run(params, x, offsets):
    """What an LSTM shows at each step of sequences [examples, steps], and its states."""
    offset = jnp.zeros((x.shape[1], len(x), UNITS)) if offsets is None else offsets[0]
    shown, kept = states(params["cell"], x.T, offset)
    return shown, ((Kind("linear"), kept, kept),)


def predicted(x, y, *, forget: float, optimizer, steps: int) -> Setup:
    """A number that is read off after the last step of a sequence."""

    def loss(params, batch, offsets):
        shown, hidden = _run(params, batch[0], offsets)
        return ((linear(params["readout"], shown[-1])[:, 0] - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((linear(params["readout"], _run(params, x, None)[0][-1])[:, 0] - y) ** 2).mean() / y.var()

    more = {"chance": float(y.var()), "steps": steps, "batch": 64, "timed": True}
    return own(cell(0, 1, forget), loss, (x, y), optimizer, error, **more)


@fourth(
    "vanishing",
    kind="initialisation",
    family="recurrent",
    source="github.com/apache/mxnet/pull/5395",
    title="add forget bias option to LSTM cell",
)
def sum_of_two_numbers(broken: bool) -> Setup:
    """The sum of two numbers at the beginning of a sequence, by an LSTM whose gates begin half open.

    Seen: small random weights set the forget gate to 0.5, by which gradients vanish. Answer: an option to add a bias.
    """
    draw = np.random.default_rng(0)
    x = (0.02 * draw.normal(size=(768, 90))).astype(np.float32)
    places = np.stack([draw.permutation(10)[:2] for _ in x])
    numbers = draw.uniform(-1, 1, size=(768, 2))
    np.put_along_axis(x, places, numbers.astype(np.float32), axis=1)
    y = (numbers.sum(1) / numbers.sum(1).std()).astype(np.float32)
    return predicted(x, y, forget=0.0 if broken else 5.0, optimizer=optax.adam(3e-3), steps=400)


@fourth(
    "learning rate too small",
    "updates not applied",
    "frozen",
    kind="schedule",
    family="recurrent",
    source="github.com/LINCellularNeuroscience/VAME/issues/26",
    title="Bug when scheduler turned off",
)
def schedule_that_is_off(broken: bool) -> Setup:
    """Oscillations that are carried on, at a rate that is multiplied by zero after the first steps.

    Seen: with the scheduler turned off the learning rate is zero after 100 epochs. Answer: the factor has to be one.
    """
    draw = np.random.default_rng(1)
    rate, phase = draw.uniform(0.2, 0.8, size=(2, 768, 1))
    wave = np.sin(rate * np.arange(30) + 6 * phase).astype(np.float32)
    schedule = optax.piecewise_constant_schedule(5e-3, {10: 0.0 if broken else 1.0})
    return predicted(wave[:, :24], wave[:, 29], forget=1.0, optimizer=optax.adam(schedule), steps=500)


@fourth(
    "learning rate too large",
    kind="rate",
    family="recurrent",
    source="github.com/guillaumegenthial/sequence_tagging/issues/47",
    title="Learn rate issuse?",
)
def rate_for_tags(broken: bool) -> Setup:
    """Tags of words, each of which depends on the word and on the two before it, at a rate that is too large.

    Seen: at 0.01 and 0.1 the loss falls, rises and becomes NaN. Answer: with a rate of 0.001 there is no problem.
    """
    words = np.random.default_rng(2).normal(size=(768, 16)).astype(np.float32)
    before = np.pad(words, ((0, 0), (2, 0)))
    tags = ((words + before[:, 1:-1] + before[:, :-2]) > 0).astype(np.int32)

    def scores(params, words, offsets):
        shown, hidden = _run(params, words, offsets)
        return linear(params["readout"], shown).swapaxes(0, 1), hidden

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], offsets)
        return cross_entropy(found, batch[1]), hidden

    def error(params):
        return 2 * (scores(params, words, None)[0].argmax(-1) != tags).mean()

    more = {"chance": float(np.log(2)), "steps": 300, "batch": 64, "timed": True}
    return own(cell(1, 2, 1.0), loss, (words, tags), optax.adam(3.0 if broken else 0.01), error, **more)
