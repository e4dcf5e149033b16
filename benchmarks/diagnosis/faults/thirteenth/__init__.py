"""The thirteenth held-out set: a file a family or a theme, `sound_*` with runs in order that look odd."""

from faults.thirteenth import (
    autoencoders,
    contrastive,
    convolutional,
    diffusion,
    feed_forward,
    graphs,
    language,
    recurrent,
    sound_a,
    sound_b,
    transformer,
    unnamed_a,
    unnamed_b,
    variational,
)

__all__ = [
    "autoencoders",
    "contrastive",
    "convolutional",
    "diffusion",
    "feed_forward",
    "graphs",
    "language",
    "recurrent",
    "sound_a",
    "sound_b",
    "transformer",
    "unnamed_a",
    "unnamed_b",
    "variational",
]
