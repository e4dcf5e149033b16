"""The seventh held-out set: a file a family or a theme, and runs that are in order but look odd in `sound`."""

from faults.seventh import (
    adversarial,
    autoencoders,
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
    "autoencoders",
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
