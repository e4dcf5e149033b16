"""Measures of the network at initialisation, on each seed's first batch: those asked for together are one program."""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import numpy as np

from vgbench.data import load_dataset
from vgbench.measure.draw import drawn, first_batch, function_of, initial_network
from vgbench.measure.effort import compiler_options
from vgbench.measure.numerics import numerics
from vgbench.measure.shared import shared
from vgbench.models.problem import Problem
from vgbench.spec.case import Case

Measure: TypeAlias = Callable[..., Any]
"""A function (network, case, variables, x, y) to a tree of arrays; of the case it reads what the network computes."""


def measured_at_start(case: Case, *measures: Measure) -> tuple[Any, ...]:
    """The trees of all measures with leading axes of the case's seeds, as numpy arrays.

    Matrix products run at the highest precision whatever the case says.

    Raises:
        InputError: the data cannot serve the case.
    """
    dataset = load_dataset(case)
    with numerics(case.dtype, "highest"):
        network = initial_network(case, dataset.problem)
        operations = case.batch_size * (network.forward_flops + network.backward_flops)
        run = program(function_of(case, network), dataset.problem, operations, measures)
        # One seed after another: deep profiles are bound by memory, and the executable is shared.
        seeds = [
            jax.tree.map(np.asarray, run(drawn(case, network, dataset, seed), *first_batch(case, dataset, seed)))
            for seed in case.seeds
        ]
    return jax.tree.map(lambda *seeds: np.stack(seeds), *seeds)


@shared
def program(function: Case, problem: Problem, operations: int, measures: tuple[Measure, ...]) -> Callable[..., Any]:
    """The jitted measures of all cases with this `function_of`, whose passes take so many operations."""
    network = initial_network(function, problem)

    def measured(variables: Any, x: Any, y: Any) -> tuple[Any, ...]:
        return tuple(measure(network, function, variables, x, y) for measure in measures)

    return jax.jit(measured, compiler_options=compiler_options(operations))
