"""State space cells: HiPPO's frequencies, the hold between time steps, and what is left of the gradient."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from scipy.special import exp1

import vgbench as vg
from vgbench.mitigations.cells import CellSite
from vgbench.mitigations.state_space_cells import StateSpaceUnit, legendre_frequencies


def test_frequencies_are_those_of_the_normal_part_of_hippos_matrix() -> None:
    n = np.arange(12)
    root = np.sqrt(2 * n + 1)
    hippo = -(np.tril(np.outer(root, root), -1) + np.diag(n + 1.0))
    eigenvalues = np.linalg.eigvals(hippo + np.outer(root, root) / 2)
    np.testing.assert_allclose(eigenvalues.real, -0.5, atol=1e-9)
    np.testing.assert_allclose(np.sort(eigenvalues.imag)[6:], legendre_frequencies(6), atol=1e-9)


def test_an_input_held_for_two_half_steps_leads_to_the_same_state() -> None:
    with jax.enable_x64(True):
        site = CellSite(3, 4, 5, jnp.tanh, jax.nn.initializers.orthogonal(), nnx.Rngs(0))
        unit: Any = StateSpaceUnit(site, dt_min=0.01, dt_max=0.1, blocks=2)
        for leaf in jax.tree.leaves(nnx.state(unit, nnx.Param), is_leaf=lambda leaf: isinstance(leaf, nnx.Variable)):
            leaf.set_value(jnp.asarray(leaf.get_value(), jnp.float64))
        inputs = jnp.asarray(np.random.default_rng(0).normal(size=(5, 2, 3)))
        whole = unit.states(inputs)
        unit.log_step.set_value(unit.log_step.get_value() - jnp.log(2.0))
        halves = unit.states(jnp.repeat(inputs, 2, axis=0))[1::2]
    np.testing.assert_allclose(halves, whole, atol=1e-12)


def test_state_space_cell_loses_what_its_steps_say() -> None:
    cell = {"name": "s5", "blocks": 16}
    case = vg.Case(
        model="recurrent", depth=40, width=512, data="adding", batch_size=8, seeds=tuple(range(8)), cell=cell
    )
    norms = vg.measure_gradients(case).log10_activation_norm
    squared = 10 ** (2 * norms - 2 * norms[:, -1:])
    t = np.arange(1, 40)[::-1]
    expected = (exp1(0.001 * t) - exp1(0.1 * t)) / np.log(100)
    np.testing.assert_allclose(squared[:, :-1].mean(axis=0), expected, rtol=0.08)
