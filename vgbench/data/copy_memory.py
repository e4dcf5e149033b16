"""The copy memory problem: the targets at the end of a long sequence are its first symbols."""

from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int
from pydantic import Field

from vgbench.data.dataset import OfLength, generated
from vgbench.data.sequences import unfit
from vgbench.models.problem import CLASSIFICATION
from vgbench.spec.registry import DATA

ALPHABET = 8
"""Symbols to remember; after them in the one-hot input come the blank and the recall signal."""


@dataclass(frozen=True)
class CopyMemory:
    """A flat one-hot sequence of `steps`: symbols, blanks, a recall signal, and a blank for each symbol to recall."""

    steps: int
    symbols: int

    def __call__(self, key: Array) -> tuple[Float[Array, "features"], Int[Array, "symbols"]]:
        """Generate one sequence and its targets, the symbols."""
        symbols = jax.random.randint(key, (self.symbols,), 0, ALPHABET, jnp.int32)
        blank, call = ALPHABET, ALPHABET + 1
        sequence = jnp.full(self.steps, blank).at[: self.symbols].set(symbols).at[-self.symbols - 1].set(call)
        return jax.nn.one_hot(sequence, ALPHABET + 2, dtype=jnp.float32).ravel(), symbols


def _too_short(case: Any) -> str | None:
    return unfit(case, 2 * case.data.symbols + 1)


@DATA.register(source="Hochreiter & Schmidhuber 1997; in the form of Arjovsky, Shah & Bengio 2016", refuses=_too_short)
def copy_memory(*, symbols: Annotated[int, Field(ge=1)] = 10, seed: int = 0) -> OfLength:
    """Copy memory, as many steps as the depth; evaluated at the steps of recall, where guessing has a loss of ln 8."""
    return lambda steps: generated(CopyMemory(steps, symbols), CLASSIFICATION, ALPHABET, seed, answers=symbols)
