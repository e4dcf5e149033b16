"""Faults that people reported, re-created small: a function each, with its source and the fix that worked for them.

Those of `second/` to `thirteenth/` are the second to the thirteenth held-out set: other sources than all before,
labelled by mechanism before any of them was diagnosed.
"""

from faults import (
    adversarial,
    convolutional,
    eighth,
    eleventh,
    feed_forward,
    fifth,
    fourth,
    likelihood,
    losses,
    ninth,
    physics,
    precision,
    recurrent,
    regression,
    second,
    seventh,
    sixth,
    tenth,
    third,
    thirteenth,
    transformer,
    twelfth,
)
from faults.registry import FAULTS, Fault, Setup

__all__ = ["FAULTS", "Fault", "Setup"]

_FAMILIES = (
    feed_forward,
    convolutional,
    recurrent,
    transformer,
    regression,
    likelihood,
    adversarial,
    physics,
    losses,
    precision,
    second,
    third,
    fourth,
    fifth,
    sixth,
    seventh,
    eighth,
    ninth,
    tenth,
    eleventh,
    twelfth,
    thirteenth,
)
