"""The thirteenth held-out set: a file a family or a theme, `sound_*` with runs in order that look odd."""

from faults.thirteenth import (
    convolutional,
    feed_forward,
    graphs,
    recurrent,
    sound_a,
    unnamed_a,
)

__all__ = [
    "convolutional",
    "feed_forward",
    "graphs",
    "recurrent",
    "sound_a",
    "unnamed_a",
]
