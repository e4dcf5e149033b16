"""Recurrent cells that are linear in their state, x' = a(u) x + b(u), so that all time steps can be computed at once.

By the same linearity dL/dx_t is the product of all later a's times dL/dx_T, where the loss reads the last state alone.
"""

from abc import abstractmethod
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.nn.initializers import constant
from jaxtyping import Array, Float
from pydantic import Field

from vgbench.mitigations.affine_scan import REAL, Numbers, affine_scan
from vgbench.mitigations.cells import CellSite, StateCell, without_time
from vgbench.spec.registry import CELLS

Count = Annotated[int, Field(ge=1)]


class ParallelCell(StateCell):
    """A cell whose next state is a linear function of its state, with coefficients from the inputs alone."""

    numbers: Numbers = REAL
    """That its state consists of."""
    products: int = 0
    """Multiplications of a step for one example beyond those by its weights."""

    @abstractmethod
    def transition(self, inputs: Float[Array, "*leading inputs"]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """The a and b of steps that read `inputs`; a is broadcast against b."""

    @abstractmethod
    def output(
        self, carry: Float[Array, "..."], inputs: Float[Array, "*leading inputs"]
    ) -> Float[Array, "*leading width"]:
        """The output after steps that read `inputs` and led to the states `carry`."""

    def __call__(
        self, carry: Float[Array, "batch ..."], inputs: Float[Array, "batch inputs"]
    ) -> tuple[Float[Array, "batch ..."], Float[Array, "batch width"]]:
        """One step: the new state and the output."""
        a, b = self.transition(inputs)
        state = self.numbers.product(a, carry) + b
        return state, self.output(state, inputs)

    def states(self, inputs: Float[Array, "steps batch inputs"]) -> Float[Array, "steps batch ..."]:
        """The states after all steps from a state of zeros, computed in parallel over time."""
        a, b = self.transition(inputs)
        a = a.reshape(*[1] * (b.ndim - a.ndim), *a.shape)
        return affine_scan(self.numbers, jnp.broadcast_to(a, (len(b), *a.shape[1:])), b)


class MinimalCell(ParallelCell):
    """h' = keep(u) h + write(u) act(W u + b), where the gates read the inputs alone."""

    def __init__(self, site: CellSite, *gate_biases: float) -> None:
        self.shape = (site.width,)
        self.activation = site.activation
        self.gates = nnx.List(
            nnx.Linear(site.inputs, site.width, bias_init=constant(bias), rngs=site.rngs) for bias in gate_biases
        )
        self.candidate = nnx.Linear(site.inputs, site.width, rngs=site.rngs)

    @abstractmethod
    def keep_and_write(self, *gates: Float[Array, "*leading width"]) -> tuple[Array, Array]:
        """The two factors, from the gates before their sigmoid."""

    def transition(
        self, inputs: Float[Array, "*leading inputs"]
    ) -> tuple[Float[Array, "*leading width"], Float[Array, "*leading width"]]:
        """What is kept of the state, and what is added to it."""
        keep, write = self.keep_and_write(*(gate(inputs) for gate in self.gates))
        return keep, write * self.activation(self.candidate(inputs))

    def output(
        self, carry: Float[Array, "*leading width"], inputs: Float[Array, "*leading inputs"]
    ) -> Float[Array, "*leading width"]:
        """The state itself."""
        return carry


class MinimalGRU(MinimalCell):
    """One gate, open where it keeps."""

    def keep_and_write(self, *gates: Float[Array, "*leading width"]) -> tuple[Array, Array]:
        """A share of the state, and the rest of the candidate."""
        (kept,) = gates
        return jax.nn.sigmoid(kept), jax.nn.sigmoid(-kept)


class MinimalLSTM(MinimalCell):
    """A forget gate and an input gate, divided by their sum."""

    def keep_and_write(self, *gates: Float[Array, "*leading width"]) -> tuple[Array, Array]:
        """Two shares that sum to 1."""
        forget, write = map(jax.nn.sigmoid, gates)
        return forget / (forget + write), write / (forget + write)


@CELLS.register(source="Feng et al. 2024, Were RNNs all we needed?", refuses=without_time)
def min_gru(site: CellSite, *, update_bias: float = 0.0) -> nnx.RNNCellBase:
    """GRU without its square matrices, parallel in time; the paper's has activation `linear`.

    A positive `update_bias` starts with more of the old state kept.
    """
    return MinimalGRU(site, update_bias)


@CELLS.register(source="Feng et al. 2024, Were RNNs all we needed?", refuses=without_time)
def min_lstm(site: CellSite, *, forget_bias: float = 0.0) -> nnx.RNNCellBase:
    """LSTM without its square matrices and output gate, parallel in time; the paper's has activation `linear`."""
    return MinimalLSTM(site, forget_bias, 0.0)


class GatedLinearCell(ParallelCell):
    """For each head S' = a S + s k v^T with s = softplus(w u + b) and a = exp(-A s); y = act(S'^T q + D u)."""

    def __init__(self, site: CellSite, heads: int, state_size: int) -> None:
        self.shape = (heads, state_size, site.width // heads)
        self.activation = site.activation
        self.products = 2 * state_size * site.width  # k v^T and S^T q
        keys = jax.random.split(site.rngs.params())
        step = jnp.exp(jax.random.uniform(keys[0], (heads,), jnp.float32, np.log(0.001), np.log(0.1)))
        self.log_decay = nnx.Param(jnp.log(jax.random.uniform(keys[1], (heads,), jnp.float32, 1, 16)))
        inverse_softplus = jnp.log(jnp.expm1(step))
        self.step = nnx.Linear(site.inputs, heads, bias_init=lambda *_: inverse_softplus, rngs=site.rngs)
        key, value = heads * state_size, site.width
        self.query, self.key, self.value, self.direct = (
            nnx.Linear(site.inputs, size, use_bias=False, rngs=site.rngs) for size in (key, key, value, value)
        )

    def transition(
        self, inputs: Float[Array, "*leading inputs"]
    ) -> tuple[Float[Array, "*leading heads 1 1"], Float[Array, "*leading heads size values"]]:
        """Each head's decay, and what is written to its memory."""
        step = jax.nn.softplus(self.step(inputs))[..., None, None]
        decay = jnp.exp(-jnp.exp(self.log_decay[...])[:, None, None] * step)
        key, value = self._by_head(self.key(inputs)), self._by_head(self.value(inputs))
        return decay, step * key[..., :, None] * value[..., None, :]

    def output(
        self, carry: Float[Array, "*leading heads size values"], inputs: Float[Array, "*leading inputs"]
    ) -> Float[Array, "*leading width"]:
        """What the query finds in each head's memory."""
        found = jnp.einsum("...hs,...hsv->...hv", self._by_head(self.query(inputs)), carry)
        return self.activation(found.reshape(*inputs.shape[:-1], -1) + self.direct(inputs))

    def _by_head(self, x: Float[Array, "*leading size"]) -> Float[Array, "*leading heads each"]:
        return x.reshape(*x.shape[:-1], self.shape[0], -1)


def _no_heads(case: Any) -> str | None:
    if case.width % case.cell.heads:
        return f"heads: a width of {case.width} does not divide into {case.cell.heads}"
    return without_time(case)


@CELLS.register(
    source="Dao & Gu 2024, Transformers are SSMs (Mamba-2), without its convolution, gate and norm", refuses=_no_heads
)
def gated_linear(site: CellSite, *, heads: Count = 2, state_size: Count = 16) -> nnx.RNNCellBase:
    """Gated linear recurrence: memories of key times value, a decay by the inputs for each head, parallel in time."""
    return GatedLinearCell(site, heads, state_size)
