"""State space cells: complex diagonal recurrences, lambda the same at every step, in parallel over time.

The complex state is kept as its real and imaginary part, [batch, 2, width].
"""

from abc import abstractmethod
from functools import lru_cache
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.nn.initializers import lecun_normal, variance_scaling
from jaxtyping import Array, Float
from pydantic import Field

from vgbench.mitigations.affine_scan import COMPLEX
from vgbench.mitigations.cells import CellSite, without_time
from vgbench.mitigations.parallel_cells import Count, ParallelCell
from vgbench.spec.registry import CELLS, Positive


def _polar(modulus: Float[Array, "width"], phase: Float[Array, "width"]) -> Float[Array, "2 width"]:
    return jnp.stack([modulus * jnp.cos(phase), modulus * jnp.sin(phase)])


class DiagonalUnit(ParallelCell):
    """x' = lambda x + gain B u with a complex diagonal lambda; y = act(Re(C x') + D u)."""

    numbers = COMPLEX

    def __init__(self, site: CellSite) -> None:
        self.shape = (2, site.width)
        self.activation = site.activation
        width, rngs = site.width, site.rngs
        half, twice = (variance_scaling(scale, "fan_in", "normal") for scale in (0.5, 2.0))
        self.read_in = nnx.Linear(site.inputs, 2 * width, use_bias=False, kernel_init=half, rngs=rngs)
        self.read_out = nnx.Linear(2 * width, width, use_bias=False, kernel_init=twice, rngs=rngs)
        self.direct = nnx.Linear(site.inputs, width, use_bias=False, kernel_init=lecun_normal(), rngs=rngs)

    @abstractmethod
    def mode(self) -> tuple[Float[Array, "2 width"], Float[Array, "2 width"]]:
        """Lambda and gain."""

    def transition(
        self, inputs: Float[Array, "*leading inputs"]
    ) -> tuple[Float[Array, "2 width"], Float[Array, "*leading 2 width"]]:
        """Lambda, the same at every step, and what is read."""
        decay, gain = self.mode()
        return decay, COMPLEX.product(gain, self.read_in(inputs).reshape(*inputs.shape[:-1], *self.shape))

    def output(
        self, carry: Float[Array, "*leading 2 width"], inputs: Float[Array, "*leading inputs"]
    ) -> Float[Array, "*leading width"]:
        """What the unit shows of its state."""
        return self.activation(self.read_out(carry.reshape(*carry.shape[:-2], -1)) + self.direct(inputs))


class LinearRecurrentUnit(DiagonalUnit):
    """Its gain sqrt(1 - |lambda|^2) is a parameter of its own."""

    def __init__(self, site: CellSite, r_min: float, r_max: float, max_phase: float) -> None:
        keys = jax.random.split(site.rngs.params())
        area = jax.random.uniform(keys[0], (site.width,), jnp.float32, minval=r_min**2, maxval=r_max**2)
        # Kept off 0 and 1, of whose logarithms the parameters are made.
        modulus = jnp.clip(jnp.sqrt(area), 1e-6, 1 - 1e-6)
        phase = max_phase * jax.random.uniform(keys[1], (site.width,), jnp.float32, minval=1e-6)
        self.log_decay = nnx.Param(jnp.log(-jnp.log(modulus)))
        self.log_phase = nnx.Param(jnp.log(phase))
        self.log_gain = nnx.Param(jnp.log(1 - jnp.square(modulus)) / 2)
        super().__init__(site)

    def mode(self) -> tuple[Float[Array, "2 width"], Float[Array, "2 width"]]:
        """Lambda and gain."""
        gain = jnp.exp(self.log_gain[...])
        decay = _polar(jnp.exp(-jnp.exp(self.log_decay[...])), jnp.exp(self.log_phase[...]))
        return decay, jnp.stack([gain, jnp.zeros_like(gain)])


def _no_ring(case: Any) -> str | None:
    cell = case.cell
    if cell.r_min >= cell.r_max:
        return f"r_min {cell.r_min} is not below r_max {cell.r_max}"
    return without_time(case)


Radius = Annotated[float, Field(ge=0, le=1)]


@CELLS.register(source="Orvieto et al. 2023, Resurrecting recurrent neural networks", refuses=_no_ring)
def lru(site: CellSite, *, r_min: Radius = 0.0, r_max: Radius = 1.0, max_phase: Positive = 6.283) -> nnx.RNNCellBase:
    """Linear recurrent unit: a complex diagonal recurrence, drawn uniformly from the ring between two radii."""
    return LinearRecurrentUnit(site, r_min, r_max, max_phase)


@lru_cache
def legendre_frequencies(modes: int) -> Float[np.ndarray, "modes"]:
    """Imaginary parts of the eigenvalues of the normal part of HiPPO-LegS (Gu et al. 2022), of each pair the positive.

    Their real parts are all -1/2.
    """
    root = np.sqrt(2 * np.arange(2 * modes) + 1.0)
    below = np.tril(np.outer(root, root), -1) / 2
    return np.linalg.eigvalsh(-1j * (below.T - below))[modes:]


class StateSpaceUnit(DiagonalUnit):
    """A continuous-time state, x' = A x + B u with A = diag(-exp(log_decay) + i frequency), held between time steps.

    A step of length s has lambda = exp(A s) and gain (lambda - 1) / A. The eigenvectors of HiPPO's matrix are unitary,
    so that B and C in their basis are complex Gaussian like those drawn here.
    """

    def __init__(self, site: CellSite, dt_min: float, dt_max: float, blocks: int) -> None:
        frequencies = np.tile(legendre_frequencies(site.width // blocks), blocks)
        share = jax.random.uniform(site.rngs.params(), (site.width,), jnp.float32)
        self.log_step = nnx.Param(np.log(dt_min) + share * np.log(dt_max / dt_min))
        self.log_decay = nnx.Param(jnp.full(site.width, np.log(0.5), jnp.float32))
        self.frequency = nnx.Param(jnp.asarray(frequencies, jnp.float32))
        super().__init__(site)

    def mode(self) -> tuple[Float[Array, "2 width"], Float[Array, "2 width"]]:
        """Lambda and gain."""
        step, real, imaginary = jnp.exp(self.log_step[...]), -jnp.exp(self.log_decay[...]), self.frequency[...]
        decay = _polar(jnp.exp(step * real), step * imaginary)
        inverse = jnp.stack([real, -imaginary]) / (jnp.square(real) + jnp.square(imaginary))
        return decay, COMPLEX.product(decay.at[0].add(-1), inverse)


def _no_steps(case: Any) -> str | None:
    cell = case.cell
    if cell.dt_min >= cell.dt_max:
        return f"dt_min {cell.dt_min} is not below dt_max {cell.dt_max}"
    if case.width % cell.blocks:
        return f"blocks: a width of {case.width} does not divide into {cell.blocks}"
    return without_time(case)


@CELLS.register(source="Smith, Warrington & Linderman 2023, Simplified state space layers", refuses=_no_steps)
def s5(site: CellSite, *, dt_min: Positive = 0.001, dt_max: Positive = 0.1, blocks: Count = 1) -> nnx.RNNCellBase:
    """State space layer: HiPPO's frequencies in equal `blocks`, steps drawn log-uniformly from dt_min to dt_max."""
    return StateSpaceUnit(site, dt_min, dt_max, blocks)
