"""Perceptrons: pixels as they are, and logistic units one behind another."""

import optax

from faults.nets import mlp
from faults.problems import classification
from faults.registry import Setup, fifth


@fifth(
    "far from unit scale",
    "units that died",
    "first loss too large",
    "learning rate too large",
    kind="scale of the data",
    family="feed-forward",
    source="stats.stackexchange.com/questions/367057",
    title="Bad performance with relu activation function on MNIST data set",
)
def clothes_between_0_and_255(broken: bool) -> Setup:
    """Pictures between 0 and 255, classified by two layers of rectifiers.

    Seen: an accuracy of around 20 %. Answer: the inputs were not normalised; large values make it slow and unstable.
    """
    params = mlp(0, [64, 64, 64, 64, 10])
    scale, shift = (100.0, 80.0) if broken else (1.0, 0.0)
    return classification(params, optax.sgd(0.02), inputs=lambda x: scale * x + shift, batch=32, steps=400)


@fifth(
    "vanishing",
    kind="activation",
    family="feed-forward",
    source="github.com/aymericdamien/TensorFlow-Examples/pull/146",
    title="Sigmoid -> ReLU",
)
def logistic_units_in_a_stack(broken: bool) -> Setup:
    """Seven layers of logistic units.

    Seen: an example with logistic units. Answer: rectifiers are better, because of the vanishing gradient.
    """
    kind, gain = ("sigmoid", 1.0) if broken else ("relu", 2.0)
    params = mlp(1, [64, *(48,) * 7, 10], gain)
    return classification(params, optax.sgd(0.05, 0.9), kind=kind, batch=64, steps=400)
