"""Recurrent cells: the layer that a recurrent network applies at every time step.

Options give the biases of gates their initial values, since these decide how long a gradient lasts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import Initializer, lecun_normal, variance_scaling
from jaxtyping import Array, Float
from pydantic import Field

from vgbench.spec.registry import CELLS, Positive

Bias = Callable[[Array, tuple[int, ...]], Array]


@dataclass(frozen=True)
class CellSite:
    """The properties of a network that a cell is built from.

    Attributes:
        inputs: features that it reads at a step.
        width: units.
        steps: time steps of the whole network.
        activation: of the candidate state; Flax's cells use tanh.
        recurrent: initialiser of each gate's square matrix.
        rngs: for the parameters.
    """

    inputs: int
    width: int
    steps: int
    activation: Callable[[Array], Array]
    recurrent: Initializer
    rngs: nnx.Rngs


def _without_time(case: Any) -> str | None:
    return f"is for model 'recurrent', not {case.model.name!r}" if case.model.name != "recurrent" else None


@CELLS.register(source="a feed-forward network")
def none(site: CellSite) -> None:
    """No cell: the network has no time."""


@CELLS.register(source="Elman 1990; Flax's SimpleCell", refuses=_without_time)
def rnn(site: CellSite, *, input_scale: Positive = 1.0) -> nnx.RNNCellBase:
    """Vanilla recurrence, the activation of W h + V x + b; `input_scale` multiplies the initial V.

    With activation `relu`, init `identity` and a small `input_scale` it is the IRNN of Le, Jaitly & Hinton (2015).
    """
    return nnx.SimpleCell(
        site.inputs,
        site.width,
        dtype=None,  # pyright: ignore[reportArgumentType]  # as in Flax's other cells: that of the inputs
        activation_fn=site.activation,
        kernel_init=variance_scaling(input_scale**2, "fan_in", "truncated_normal"),
        recurrent_kernel_init=site.recurrent,
        rngs=site.rngs,
    )


def _gates(inner: Initializer, gates: int) -> Initializer:
    """Draw the square matrix of each gate alone: in an orthogonal draw of all side by side none is orthogonal."""

    def initialise(key: Array, shape: Any, dtype: Any = jnp.float32, out_sharding: Any = None) -> Array:
        keys = jax.random.split(key, gates)
        return jnp.concatenate([inner(each, (shape[0], shape[1] // gates), dtype) for each in keys], axis=1)

    return initialise


def _biases(gates: Sequence[float | Bias]) -> Initializer:
    """Biases of gates side by side, each a constant or drawn from the one key that all of them get."""

    def initialise(key: Array, shape: Any, dtype: Any = jnp.float32, out_sharding: Any = None) -> Array:
        each = (shape[0] // len(gates),)
        drawn = [gate(key, each) if callable(gate) else jnp.full(each, gate) for gate in gates]
        return jnp.concatenate(drawn).astype(dtype)

    return initialise


def _lstm(site: CellSite, input_bias: float | Bias, forget_bias: float | Bias) -> nnx.RNNCellBase:
    return nnx.OptimizedLSTMCell(
        site.inputs,
        site.width,
        activation_fn=site.activation,
        recurrent_kernel_init=_gates(site.recurrent, 4),
        bias_init=_biases([input_bias, forget_bias, 0.0, 0.0]),
        rngs=site.rngs,
    )


@CELLS.register(
    source="Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000; Flax's OptimizedLSTMCell",
    refuses=_without_time,
)
def lstm(site: CellSite, *, forget_bias: float = 0.0) -> nnx.RNNCellBase:
    """Long short-term memory; Flax starts it with `forget_bias` 0, where half of the memory is lost at every step."""
    return _lstm(site, 0.0, forget_bias)


@CELLS.register(source="Tallec & Ollivier 2018", refuses=_without_time)
def chrono_lstm(site: CellSite) -> nnx.RNNCellBase:
    """LSTM with forget biases ln U[1, steps - 1] and the opposite input biases: memories of all lengths."""

    def forget(key: Array, shape: tuple[int, ...]) -> Array:
        return jnp.log(jax.random.uniform(key, shape, jnp.float32, minval=1.0, maxval=max(site.steps - 1.0, 1.0)))

    return _lstm(site, lambda key, shape: -forget(key, shape), forget)


@CELLS.register(source="Cho et al. 2014; Flax's GRUCell", refuses=_without_time)
def gru(site: CellSite, *, update_bias: float = 0.0) -> nnx.RNNCellBase:
    """Gated recurrent unit; a positive `update_bias` starts with more of the old state kept."""
    return nnx.GRUCell(
        site.inputs,
        site.width,
        activation_fn=site.activation,
        recurrent_kernel_init=_gates(site.recurrent, 3),
        bias_init=_biases([0.0, update_bias, 0.0]),
        rngs=site.rngs,
    )


class StateCell(nnx.RNNCellBase):
    """A cell whose carry is one array of zeros at first."""

    shape: tuple[int, ...]

    def initialize_carry(self, input_shape: tuple[int, ...], rngs: Any = None, carry_init: Any = None) -> Array:
        """The carry before the first step, for inputs of this shape."""
        return jnp.zeros((*input_shape[:-1], *self.shape))

    @property
    def num_feature_axes(self) -> int:
        """Axes of an input that are not batch axes."""
        return 1


class MinimalGatedUnit(StateCell):
    """f = sigmoid(W_f h + V_f x + b_f), n = act(W_n (f h) + V_n x + b_n), h' = (1 - f) h + f n."""

    def __init__(self, site: CellSite, forget_bias: float) -> None:
        self.shape = (site.width,)
        self.activation = site.activation
        linear = partial(nnx.Linear, site.inputs, site.width, rngs=site.rngs)
        recurrent = partial(
            nnx.Linear, site.width, site.width, use_bias=False, kernel_init=site.recurrent, rngs=site.rngs
        )
        # The gate of the paper is open where it forgets; its bias is turned so that a positive one remembers.
        self.gate_input = linear(bias_init=jax.nn.initializers.constant(-forget_bias))
        self.candidate_input = linear()
        self.gate_state, self.candidate_state = recurrent(), recurrent()

    def __call__(
        self, carry: Float[Array, "batch width"], inputs: Float[Array, "batch inputs"]
    ) -> tuple[Float[Array, "batch width"], Float[Array, "batch width"]]:
        """One step: the new state, which is the output, too."""
        gate = jax.nn.sigmoid(self.gate_state(carry) + self.gate_input(inputs))
        candidate = self.activation(self.candidate_state(gate * carry) + self.candidate_input(inputs))
        state = (1 - gate) * carry + gate * candidate
        return state, state


@CELLS.register(source="Zhou, Wu, Zhang & Zhou 2016", refuses=_without_time)
def mgu(site: CellSite, *, forget_bias: float = 0.0) -> nnx.RNNCellBase:
    """Minimal gated unit, a GRU with one gate; a positive `forget_bias` starts with more of the old state kept."""
    return MinimalGatedUnit(site, forget_bias)


class LinearRecurrentUnit(StateCell):
    """x' = lambda x + gamma B u with a complex diagonal lambda, gamma = sqrt(1 - |lambda|^2); y = act(Re(C x') + D u).

    The complex state is kept as its real and imaginary part, [batch, 2, width].
    """

    def __init__(self, site: CellSite, r_min: float, r_max: float, max_phase: float) -> None:
        self.shape = (2, site.width)
        self.activation = site.activation
        keys = jax.random.split(site.rngs.params())
        area = jax.random.uniform(keys[0], (site.width,), jnp.float32, minval=r_min**2, maxval=r_max**2)
        # Kept off 0 and 1, of whose logarithms the parameters are made.
        modulus = jnp.clip(jnp.sqrt(area), 1e-6, 1 - 1e-6)
        phase = max_phase * jax.random.uniform(keys[1], (site.width,), jnp.float32, minval=1e-6)
        self.log_decay = nnx.Param(jnp.log(-jnp.log(modulus)))
        self.log_phase = nnx.Param(jnp.log(phase))
        self.log_gain = nnx.Param(jnp.log(1 - jnp.square(modulus)) / 2)
        linear = partial(nnx.Linear, use_bias=False, rngs=site.rngs)
        self.read_in = linear(site.inputs, 2 * site.width, kernel_init=variance_scaling(0.5, "fan_in", "normal"))
        self.read_out = linear(2 * site.width, site.width, kernel_init=variance_scaling(2.0, "fan_in", "normal"))
        self.direct = linear(site.inputs, site.width, kernel_init=lecun_normal())

    def __call__(
        self, carry: Float[Array, "batch 2 width"], inputs: Float[Array, "batch inputs"]
    ) -> tuple[Float[Array, "batch 2 width"], Float[Array, "batch width"]]:
        """One step: the new state and the output."""
        modulus, phase = jnp.exp(-jnp.exp(self.log_decay[...])), jnp.exp(self.log_phase[...])
        real, imaginary = modulus * jnp.cos(phase), modulus * jnp.sin(phase)
        first, second = carry[:, 0], carry[:, 1]
        turned = jnp.stack([real * first - imaginary * second, real * second + imaginary * first], axis=1)
        driven = self.read_in(inputs).reshape(turned.shape)
        state = turned + jnp.exp(self.log_gain[...]) * driven
        return state, self.output(state, inputs)

    def output(
        self, carry: Float[Array, "batch 2 width"], inputs: Float[Array, "batch inputs"]
    ) -> Float[Array, "batch width"]:
        """What the unit shows of its state after a step that read `inputs`."""
        return self.activation(self.read_out(carry.reshape(len(carry), -1)) + self.direct(inputs))


def _no_ring(case: Any) -> str | None:
    cell = case.cell
    if cell.r_min >= cell.r_max:
        return f"r_min {cell.r_min} is not below r_max {cell.r_max}"
    return _without_time(case)


Radius = Annotated[float, Field(ge=0, le=1)]


@CELLS.register(source="Orvieto et al. 2023, Resurrecting recurrent neural networks", refuses=_no_ring)
def lru(site: CellSite, *, r_min: Radius = 0.0, r_max: Radius = 1.0, max_phase: Positive = 6.283) -> nnx.RNNCellBase:
    """Linear recurrent unit: a complex diagonal recurrence, drawn uniformly from the ring between two radii."""
    return LinearRecurrentUnit(site, r_min, r_max, max_phase)
