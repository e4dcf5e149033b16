"""The sixth held-out set: a file a family or a theme, and runs that are in order but look odd in `sound`."""

from faults.sixth import (
    adversarial,
    contrastive,
    convolutional,
    diffusion,
    feed_forward,
    graphs,
    language,
    likelihood,
    physics,
    recurrent,
    regression,
    sound,
    transformer,
    unnamed,
    values,
)

__all__ = [
    "adversarial",
    "contrastive",
    "convolutional",
    "diffusion",
    "feed_forward",
    "graphs",
    "language",
    "likelihood",
    "physics",
    "recurrent",
    "regression",
    "sound",
    "transformer",
    "unnamed",
    "values",
]
