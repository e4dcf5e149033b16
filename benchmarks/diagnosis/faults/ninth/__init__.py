"""The ninth held-out set: a file a family or a theme, and runs that are in order but look odd in `sound`."""

from faults.ninth import (
    adversarial,
    autoencoders,
    contrastive,
    convolutional,
    feed_forward,
    graphs,
    language,
    likelihood,
    physics,
    pictures,
    policies,
    recurrent,
    regression,
    sound,
    transformer,
    unnamed,
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
    "physics",
    "pictures",
    "policies",
    "recurrent",
    "regression",
    "sound",
    "transformer",
    "unnamed",
]
