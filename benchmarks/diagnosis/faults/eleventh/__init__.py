"""The eleventh held-out set: a file a family or a theme, and in `sound_b` runs in order that look odd."""

from faults.eleventh import (
    adversarial,
    autoencoders,
    contrastive,
    diffusion,
    feed_forward,
    likelihood,
    physics,
    policies,
    regression,
    sound_b,
    unnamed_b,
)

__all__ = [
    "adversarial",
    "autoencoders",
    "contrastive",
    "diffusion",
    "feed_forward",
    "likelihood",
    "physics",
    "policies",
    "regression",
    "sound_b",
    "unnamed_b",
]
