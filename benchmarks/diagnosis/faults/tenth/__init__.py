"""The tenth held-out set: a file a family or a theme, and runs that are in order but look odd in `sound`."""

from faults.tenth import (
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
    policies,
    recurrent,
    regression,
    transformer,
    unnamed,
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
    "policies",
    "recurrent",
    "regression",
    "transformer",
    "unnamed",
]
