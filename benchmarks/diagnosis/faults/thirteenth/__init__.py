"""The thirteenth held-out set: a file a family or a theme, `sound_*` with runs in order that look odd."""

from faults.thirteenth import (
    adversarial,
    likelihood,
    physics,
    policies,
    regression,
    sound_c,
    unnamed_c,
    values,
)

__all__ = [
    "adversarial",
    "likelihood",
    "physics",
    "policies",
    "regression",
    "sound_c",
    "unnamed_c",
    "values",
]
