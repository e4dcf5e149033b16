"""The thirteenth held-out set: a file a family or a theme, `sound_*` with runs in order that look odd."""

from faults.thirteenth import (
    autoencoders,
    contrastive,
    diffusion,
    language,
    sound_b,
    transformer,
    unnamed_b,
    variational,
)

__all__ = [
    "autoencoders",
    "contrastive",
    "diffusion",
    "language",
    "sound_b",
    "transformer",
    "unnamed_b",
    "variational",
]
