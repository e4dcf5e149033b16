"""The twelfth held-out set: a file a family or a theme, and in `sound_a` and `sound_b` runs in order that look odd."""

from faults.twelfth import (
    adversarial,
    autoencoders,
    contrastive,
    diffusion,
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
    "likelihood",
    "physics",
    "policies",
    "regression",
    "sound_b",
    "unnamed_b",
]
