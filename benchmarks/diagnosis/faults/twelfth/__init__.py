"""The twelfth held-out set: a file a family or a theme, and in `sound_a` and `sound_b` runs in order that look odd."""

from faults.twelfth import (
    convolutional,
    feed_forward,
    graphs,
    language,
    recurrent,
    sound_a,
    transformer,
    unnamed_a,
)

__all__ = ["convolutional", "feed_forward", "graphs", "language", "recurrent", "sound_a", "transformer", "unnamed_a"]
