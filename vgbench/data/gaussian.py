"""Standard normal inputs with random labels: what mean-field theory assumes; there is nothing to learn."""

from dataclasses import dataclass
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from pydantic import Field

from vgbench.data.dataset import Dataset, Split, generated
from vgbench.models.problem import CLASSIFICATION
from vgbench.spec.registry import DATA


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


@dataclass(frozen=True)
class Noise:
    """So many standard normal numbers and a random label."""

    features: int

    def __call__(self, key: Array) -> tuple[Float[Array, "features"], Int[Array, ""]]:
        """Generate one."""
        x_key, y_key = jax.random.split(key)
        return jax.random.normal(x_key, (self.features,), jnp.float32), jax.random.randint(y_key, (), 0, 10, jnp.int32)


@DATA.register(source="Poole et al. 2016, Schoenholz et al. 2017 (inputs of unit variance)")
def gaussian_stream(*, features: Annotated[int, Field(ge=1)] = 512, seed: int = 0) -> Dataset:
    """The same without end, each example generated on the device: for batches of any size."""
    return generated(Noise(features), CLASSIFICATION, 10, seed)
