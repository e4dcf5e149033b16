"""The tenth held-out set: a file a family or a theme, and runs that are in order but look odd in `sound`."""

from faults.tenth import (
    adversarial,
    convolutional,
    feed_forward,
    likelihood,
    recurrent,
    regression,
    transformer,
)

__all__ = [
    "adversarial",
    "convolutional",
    "feed_forward",
    "likelihood",
    "recurrent",
    "regression",
    "transformer",
]
