"""Standard normal inputs with random labels: what mean-field theory assumes; there is nothing to learn."""

from typing import Annotated

import numpy as np
from pydantic import Field

from vgbench.data.dataset import Dataset, Split
from vgbench.registry import DATA


@DATA.register(source="Poole et al. 2016, Schoenholz et al. 2017 (inputs of unit variance)")
def gaussian(
    *, features: Annotated[int, Field(ge=1)] = 64, examples: Annotated[int, Field(ge=1)] = 1024, seed: int = 0
) -> Dataset:
    """Standard normal inputs and random labels in ten classes, to hold gradients against theory."""
    draw = np.random.default_rng([seed, 0x6A55])

    def split() -> Split:
        x = draw.standard_normal((examples, features)).astype(np.float32)
        return Split(x, draw.integers(10, size=examples).astype(np.int32))

    return Dataset(split(), split(), split(), outputs=10)
