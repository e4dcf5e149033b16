"""The adding problem: two numbers of a long sequence are marked, and the target at its end is their sum."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vgbench.data.dataset import OfLength, generated
from vgbench.data.sequences import unfit
from vgbench.models.problem import Objective, Within, squared_error
from vgbench.spec.registry import DATA


@dataclass(frozen=True)
class AddingProblem:
    """A sequence of `steps` pairs (number, mark), flattened; there is one mark in each half."""

    steps: int

    def __call__(self, key: Array) -> tuple[Float[Array, "features"], Float[Array, ""]]:
        """Generate one sequence and its target, the sum of the marked numbers."""
        numbers_key, first_key, second_key = jax.random.split(key, 3)
        numbers = jax.random.uniform(numbers_key, (self.steps,), jnp.float32)
        half = self.steps // 2
        first = jax.random.randint(first_key, (), 0, half, jnp.int32)
        second = jax.random.randint(second_key, (), half, self.steps, jnp.int32)
        marks = jnp.zeros(self.steps, jnp.float32).at[jnp.stack([first, second])].set(1)
        return jnp.stack([numbers, marks], axis=1).ravel(), numbers[first] + numbers[second]


@DATA.register(
    source="Hochreiter & Schmidhuber 1997; in the form of Le, Jaitly & Hinton 2015", refuses=lambda case: unfit(case, 2)
)
def adding(*, seed: int = 0) -> OfLength:
    """Adding problem, as many steps as the depth; right within 0.04, and always answering 1 leaves a loss of 1/6."""
    within = Within(0.04)
    objective = Objective(squared_error, within, within.constant)
    return lambda steps: generated(AddingProblem(steps), objective, 1, seed)
