"""The third held-out set: a file a family or a theme, and runs that are in order but look odd in `sound`."""

from faults.third import (
    adversarial,
    contrastive,
    convolutional,
    feed_forward,
    likelihood,
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
    "contrastive",
    "convolutional",
    "feed_forward",
    "likelihood",
    "physics",
    "precision",
    "recurrent",
    "regression",
    "sound",
    "transformer",
    "values",
]
