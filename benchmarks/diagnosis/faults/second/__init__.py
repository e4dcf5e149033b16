"""The second held-out set: a file a family or a theme, and runs that are in order but look odd in `sound`."""

from faults.second import (
    adversarial,
    autoencoders,
    contrastive,
    convolutional,
    feed_forward,
    graphs,
    language,
    likelihood,
    optimizers,
    physics,
    precision,
    recurrent,
    regression,
    sound,
    transformer,
    values,
)

__all__ = [
    "adversarial",
    "autoencoders",
    "contrastive",
    "convolutional",
    "feed_forward",
    "graphs",
    "language",
    "likelihood",
    "optimizers",
    "physics",
    "precision",
    "recurrent",
    "regression",
    "sound",
    "transformer",
    "values",
]
