"""Recurrent cells: the layer that a recurrent network applies at every time step.

Those here take a step after the other; cells that are linear in their state are in `parallel_cells` and
`state_space_cells`.

Options give the biases of gates their initial values, since these decide how long a gradient lasts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import Initializer, variance_scaling
from jaxtyping import Array, Float

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


def without_time(case: Any) -> str | None:
    """Why a case cannot have a cell: its model has no time."""
    return f"is for model 'recurrent', not {case.model.name!r}" if case.model.name != "recurrent" else None


@CELLS.register(source="a feed-forward network")
def none(site: CellSite) -> None:
    """No cell: the network has no time."""


@CELLS.register(source="Elman 1990; Flax's SimpleCell", refuses=without_time)
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
    refuses=without_time,
)
def lstm(site: CellSite, *, forget_bias: float = 0.0) -> nnx.RNNCellBase:
    """Long short-term memory; Flax starts it with `forget_bias` 0, where half of the memory is lost at every step."""
    return _lstm(site, 0.0, forget_bias)


@CELLS.register(source="Tallec & Ollivier 2018", refuses=without_time)
def chrono_lstm(site: CellSite) -> nnx.RNNCellBase:
    """LSTM with forget biases ln U[1, steps - 1] and the opposite input biases: memories of all lengths."""

    def forget(key: Array, shape: tuple[int, ...]) -> Array:
        return jnp.log(jax.random.uniform(key, shape, jnp.float32, minval=1.0, maxval=max(site.steps - 1.0, 1.0)))

    return _lstm(site, lambda key, shape: -forget(key, shape), forget)


@CELLS.register(source="Cho et al. 2014; Flax's GRUCell", refuses=without_time)
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


@CELLS.register(source="Zhou, Wu, Zhang & Zhou 2016", refuses=without_time)
def mgu(site: CellSite, *, forget_bias: float = 0.0) -> nnx.RNNCellBase:
    """Minimal gated unit, a GRU with one gate; a positive `forget_bias` starts with more of the old state kept."""
    return MinimalGatedUnit(site, forget_bias)
