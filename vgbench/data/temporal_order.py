"""The temporal order problem: the class of a long sequence is the order of the two symbols in it that count."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from vgbench.data.dataset import OfLength, generated
from vgbench.data.sequences import unfit
from vgbench.models.problem import CLASSIFICATION
from vgbench.spec.registry import DATA

COUNTING, DISTRACTORS = 2, 4
"""Symbols that count, and symbols that do not."""
CLASSES = COUNTING**2


@dataclass(frozen=True)
class TemporalOrder:
    """A flat one-hot sequence of `steps` distractors, but for two symbols that count."""

    steps: int

    def __call__(self, key: Array) -> tuple[Float[Array, "features"], Int[Array, ""]]:
        """Generate one sequence and its class, twice the first symbol plus the second."""
        symbols_key, first_key, second_key, distractors_key = jax.random.split(key, 4)
        symbols = jax.random.randint(symbols_key, (2,), 0, COUNTING, jnp.int32)
        tenth = self.steps // 10
        first = jax.random.randint(first_key, (), tenth, 2 * tenth, jnp.int32)
        second = jax.random.randint(second_key, (), 5 * tenth, 6 * tenth, jnp.int32)
        distractors = jax.random.randint(distractors_key, (self.steps,), COUNTING, COUNTING + DISTRACTORS, jnp.int32)
        sequence = distractors.at[jnp.stack([first, second])].set(symbols)
        inputs = jax.nn.one_hot(sequence, COUNTING + DISTRACTORS, dtype=jnp.float32)
        return inputs.ravel(), COUNTING * symbols[0] + symbols[1]


@DATA.register(
    source="Hochreiter & Schmidhuber 1997; as in the code of Pascanu, Mikolov & Bengio 2013",
    defaults={"target": 0.99},
    refuses=lambda case: unfit(case, 10),
)
def temporal_order(*, seed: int = 0) -> OfLength:
    """Temporal order of two symbols, of two kinds, among distractors; guessing is right in 1 of 4 sequences.

    There are as many steps as the depth. The first symbol is in the second tenth of the sequence and the other in the
    sixth; the class of the whole is asked for after the last step. Who recalls only one of them is right in 1 of 2.
    Pascanu et al. counted the problem as solved when less than 1 % of the answers were wrong.
    """
    return lambda steps: generated(TemporalOrder(steps), CLASSIFICATION, CLASSES, seed)
