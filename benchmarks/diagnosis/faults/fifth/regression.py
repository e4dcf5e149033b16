"""Predictions of numbers: powers, people, ratings."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp, perceptron
from faults.problems import curve, own, regression
from faults.registry import Setup, fifth


@fifth(
    "far from unit scale",
    "saturation",
    kind="scale of the targets",
    family="regression",
    source="stackoverflow.com/questions/52800582",
    title="Why do I fail to predict y=x**4 with Keras? (y=x**3 works)",
)
def fourth_power_of_a_hundred(broken: bool) -> Setup:
    """The fourth power of numbers up to a hundred, by a layer of logistic units and another.

    Seen: the cube can be learned, the fourth power not. Answer: inputs and outputs are too large; normalise both.
    """
    x = np.random.default_rng(0).uniform(-100, 100, size=(512, 1)).astype(np.float32)
    y = x[:, 0] ** 4
    data = (x, y) if broken else (x / 50, (y - y.mean()) / y.std())

    def net(params, x, offsets):
        hidden = []
        h = activated("sigmoid", linear(params["layer00"], x), hidden, offsets)
        h = activated("leaky_relu", linear(params["layer01"], h), hidden, offsets)
        return linear(params["layer02"], h), tuple(hidden)

    params = mlp(0, [1, 50, 50, 1], 1.0)
    return regression(params, optax.adam(0.01), data=data, net=net, batch=64, steps=800)


@fifth(
    "gradients exactly zero",
    "dead units",
    kind="rectified output",
    family="regression",
    source="github.com/jvargasmu/population_estimation/issues/68",
    title="Sometimes the initial solution predicts only zeros (due to RELU activation)",
)
def houses_without_people(broken: bool) -> Setup:
    """People in a square: its houses, times a rectified number from its picture, which begins below zero everywhere.

    Seen: the initial solution predicts only zeros, and no gradients emerge. Answer: a softplus instead.
    """
    x, y = curve(1)
    houses = np.random.default_rng(1).uniform(0.5, 1.5, size=len(x)).astype(np.float32)
    people = (houses * np.exp(0.5 * y)).astype(np.float32)
    params = mlp(2, [3, 48, 48, 1], 1.0)
    params["layer02"] = {"w": 0.1 * params["layer02"]["w"], "b": jnp.full(1, -0.5)}

    def counted(params, x, houses, offsets):
        hidden = []
        h = activated("tanh", linear(params["layer00"], x), hidden, offsets)
        h = activated("tanh", linear(params["layer01"], h), hidden, offsets)
        kind = "relu" if broken else "softplus"
        return houses * activated(kind, linear(params["layer02"], h)[:, 0], hidden, offsets), tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = counted(params, *batch[:2], offsets)
        return ((found - batch[2]) ** 2).mean(), hidden

    def error(params):
        return ((counted(params, x, houses, None)[0] - people) ** 2).mean() / people.var()

    more = {"chance": float(people.var()), "steps": 600, "batch": 64}
    return own(params, loss, (x, houses, people), optax.adam(5e-3), error, **more)


@fifth(
    "learned by heart",
    kind="too few examples",
    family="regression",
    source="github.com/aws/sagemaker-python-sdk/issues/591",
    title="Object2Vec - validation loss increases while training loss decreases",
)
def ratings_of_instruments(broken: bool) -> Setup:
    """Ratings of instruments by embeddings of both, with few ratings of each person.

    Seen: the loss on other data rises while that of training falls. Answer: overfitting; among others, more examples.
    """
    draw = np.random.default_rng(2)
    people, things = draw.normal(size=(2, 80, 2))
    person, thing = (part.astype(np.int32) for part in np.divmod(draw.permutation(6400), 80))
    rating = (people[person] * things[thing]).sum(1) + people[person, 0] + things[thing, 1]
    rating = (rating / rating.std() + 0.2 * draw.normal(size=6400)).astype(np.float32)
    known = slice(1000, 1300 if broken else None)
    keys = jax.random.split(jax.random.key(3), 2)
    params = {
        "person": {"w": 0.3 * jax.random.normal(keys[0], (80, 32))},
        "thing": {"w": 0.3 * jax.random.normal(keys[1], (80, 32))},
        "net": mlp(4, [64, 64, 1]),
    }

    def rated(params, person, thing, offsets):
        both = jnp.concatenate([params["person"]["w"][person], params["thing"]["w"][thing]], axis=1)
        found, hidden = perceptron(params["net"], both, offsets)
        return found[:, 0], hidden

    def loss(params, batch, offsets):
        found, hidden = rated(params, *batch[:2], offsets)
        return ((found - batch[2]) ** 2).mean(), hidden

    def error(params):
        return ((rated(params, person[:1000], thing[:1000], None)[0] - rating[:1000]) ** 2).mean() / rating.var()

    data = (person[known], thing[known], rating[known])
    chance = float(rating[known].var())
    return own(params, loss, data, optax.adam(5e-3), error, chance=chance, steps=600, batch=64)
