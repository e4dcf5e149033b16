"""Gradient decay at initialisation: the exact norm of dL/dh_l at every layer."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Float64
from pydantic import Field

from vgbench.data import load_dataset
from vgbench.instruments.probe import log10_norms, smallest_number
from vgbench.measure.bounds import LOG10
from vgbench.measure.draw import network_of
from vgbench.measure.initial import measured_at_start
from vgbench.measure.profile import Divided, Profile, profile, whole
from vgbench.models import Network
from vgbench.pictures.display import Displayed
from vgbench.spec.case import Case
from vgbench.statistics import Interval, first_over_last, power_exponents, slope, t_interval

ProfileStatus = Literal["ok", "forward_underflow", "nonfinite"]


@dataclass(frozen=True)
class GradientProfile(Displayed):
    """Norms of the back-propagated gradient, layer by layer; in a recurrent network step by step.

    Attributes:
        log10_activation_norm: log10 ||dL/dh_l||, float64[seeds, depth], the layer nearest the input first; -inf for
            zero. Exact in every layer as long as the forward pass is representable.
        log10_parameter_norm: log10 ||dL/dW_l|| of the weight matrices, float64[seeds, layers], the output layer last;
            equally exact, except in recurrent networks, where the layers are the cells and plain backpropagation sums
            over time. In a bias-free ReLU or linear net it says nothing about vanishing: <W_l, dL/dW_l> is the same in
            every layer (Euler's identity).
        log10_largest_activation: log10 max|h_l|, float64[seeds, depth].
        states: names of the arrays that h_l is made of, c and h of an LSTM; empty where it is a single one.
        log10_state_norm: log10 of the norm of the loss's gradient by each of them, float64[seeds, depth, states];
            `log10_activation_norm` is that of all together.
        kinds: names of the kinds of weights that every block has, as query and key of a transformer; empty where they
            are all of one kind.
        log10_kind_norm: log10 of the norm of each kind's part of dL/dW_l, float64[seeds, depth, kinds]; NaN in the
            input layer. `below_rounding` says where it is made of rounding errors.
        reads_zero: bool[seeds, depth], whether plain backpropagation in the case's dtype reads nothing but zeros, the
            largest entry of dL/dh_l being below the dtype's smallest normal number (XLA flushes those on CPU); in
            float16, whose subnormal numbers are kept, below the smallest of those.
        smallest_normal: of the case's dtype.
        epsilon: spacing of the case's dtype at 1.
    """

    log10_activation_norm: Annotated[Float64[np.ndarray, "seeds depth"], LOG10]
    log10_parameter_norm: Annotated[Float64[np.ndarray, "seeds layers"], LOG10]
    log10_largest_activation: Annotated[Float64[np.ndarray, "seeds depth"], LOG10]
    states: tuple[str, ...]
    log10_state_norm: Annotated[Float64[np.ndarray, "seeds depth states"], LOG10]
    kinds: tuple[str, ...]
    log10_kind_norm: Annotated[Float64[np.ndarray, "seeds depth kinds"], LOG10]
    reads_zero: Bool[np.ndarray, "seeds depth"]
    smallest_normal: Annotated[float, Field(gt=0)]
    epsilon: Annotated[float, Field(gt=0)]

    def chart(self) -> Any:
        """The gradient's norm by layer as an Altair chart."""
        from vgbench.pictures.single import MOMENTS, gradient_layers, layers_view

        return layers_view(gradient_layers({MOMENTS[0]: self.log10_activation_norm}))

    def summary(self) -> str:
        """The profile in one line of words."""
        seeds, depth = self.log10_activation_norm.shape
        decay = f"{self.decay.within('+z.4f')} decades a layer or time step"
        return f"Gradient over {depth} layers, {seeds} seeds: decay {decay}; {self.status}"

    @property
    def below_rounding(self) -> Bool[np.ndarray, "seeds depth kinds"]:
        """Where one kind's gradient is so small a part of dL/dW_l that the dtype's rounding drowns it.

        So in transformers whose tokens have collapsed: the gradients of queries and keys come from differences of
        tokens. Such a part's norm is an upper bound; a case of dtype float64 shows it far further down.
        """
        whole = self.log10_parameter_norm[:, : self.log10_kind_norm.shape[1], None]
        return np.asarray(self.log10_kind_norm < whole + np.log10(self.epsilon))

    @property
    def log10_kind_first_over_last(self) -> dict[str, Interval]:
        """log10 of each kind's norm in the first block over that in the last, mean with its t-interval over seeds."""
        with np.errstate(invalid="ignore"):
            return {
                kind: t_interval(norms[:, 1] - norms[:, -1])
                for kind, norms in zip(self.kinds, np.moveaxis(self.log10_kind_norm, -1, 0), strict=True)
                if norms.shape[1] > 1
            }

    @property
    def branches_closed(self) -> bool:
        """Whether the weights of every block have a gradient of exactly zero while the signal itself arrives.

        So do ReZero and its like begin, by design; their first steps open the branches.
        """
        blocks = self.log10_parameter_norm[:, 1:-1]
        return blocks.size > 0 and bool(np.isneginf(blocks).all() and np.isfinite(self.log10_activation_norm).all())

    @cached_property
    def _forward_holds(self) -> Bool[np.ndarray, "seeds depth"]:
        largest = self.log10_largest_activation
        # The state of a recurrent network is zero until the first input that is not.
        began = np.logical_or.accumulate(~np.isneginf(largest), axis=1)
        waits = ~began & began.any(axis=1, keepdims=True)
        holds = waits | np.isfinite(largest) & (largest >= np.log10(self.smallest_normal))
        return np.logical_and.accumulate(holds, axis=1)

    @property
    def forward_limit(self) -> int | None:
        """First layer (counted from 1) where, for some seed, the activations flush to zero or overflow."""
        broken = ~self._forward_holds.all(axis=0)
        return int(np.argmax(broken)) + 1 if broken.any() else None

    @property
    def plain_zero_layer(self) -> int | None:
        """Last layer (counted from 1) whose gradient plain backpropagation reads as zero for every seed."""
        zero = self.reads_zero.all(axis=0)
        return int(np.flatnonzero(zero)[-1]) + 1 if zero.any() else None

    @property
    def status(self) -> ProfileStatus:
        """`forward_underflow` or `nonfinite` where the forward pass left the dtype's range; else `ok`."""
        if not np.isfinite(self.log10_activation_norm).all(where=~np.isneginf(self.log10_activation_norm)):
            return "nonfinite"
        limit = self.forward_limit
        if limit is None:
            return "ok"
        overflows = np.isposinf(self.log10_largest_activation) | np.isnan(self.log10_largest_activation)
        return "nonfinite" if overflows.any() else "forward_underflow"

    @cached_property
    def decay_per_seed(self) -> Float[np.ndarray, "seeds"]:
        """Slope of log10 ||dL/dh_l|| along the backward path, decades a layer; negative is vanishing.

        Fitted by least squares over the layers where the forward and the backward pass both hold; exactly 0 where
        rounding alone may have made it, NaN where fewer than two layers hold.
        """
        usable = self._forward_holds & np.isfinite(self.log10_activation_norm)
        layers = np.arange(usable.shape[1], dtype=np.float64)
        forward = [slope(layers[ok], norms[ok]) for norms, ok in zip(self.log10_activation_norm, usable, strict=True)]
        return 0.0 - np.asarray(forward)  # 0 has no sign

    @property
    def decay(self) -> Interval:
        """Mean decay with its t-interval over the seeds."""
        return t_interval(self.decay_per_seed)

    @property
    def power_exponent(self) -> Interval:
        """The exponent of ||dL/dh_l|| as a power of l, mean with its t-interval; NaN where no power law shows."""
        return t_interval(power_exponents(self.log10_activation_norm))

    @property
    def log10_first_over_last(self) -> Interval:
        """log10 of ||dL/dh_1|| / ||dL/dh_depth||, mean with its t-interval over the seeds."""
        return t_interval(first_over_last(self.log10_activation_norm))


def measure_gradients(case: Case) -> GradientProfile:
    """Profile the gradient of the training loss at initialisation, for each of the case's seeds.

    The loss is that of the seed's first training batch, in training mode; of the last answer alone in problems with
    several, as copy memory. Every tap divides the cotangent by a power of two and returns the exponent, so that nothing
    underflows however deep the network is. Matrix products run at the highest precision whatever the case says.

    Raises:
        InputError: the data cannot serve the case.
    """
    (found,) = measured_at_start(case, profiled)
    return gradient_profile(case, whole(found))


def profiled(network: Network, case: Case, variables: Any, x: Any, y: Any) -> Divided:
    """The measure of gradients, one seed's."""
    del case
    return profile(network, variables, x, y)


def gradient_profile(case: Case, found: Profile) -> GradientProfile:
    """What a case's `Profile` of numpy arrays [seeds, ...] says."""
    activation, parameter, state, kind, largest = found
    network = network_of(case, load_dataset(case).problem)
    info = jnp.finfo(case.dtype)
    with np.errstate(divide="ignore"):
        log10_largest = np.log10(largest.astype(np.float64))
    return GradientProfile(
        log10_activation_norm=log10_norms(*activation),
        log10_parameter_norm=log10_norms(*parameter),
        log10_largest_activation=log10_largest,
        states=network.states,
        log10_state_norm=log10_norms(*state),
        kinds=network.kinds,
        log10_kind_norm=log10_norms(*kind),
        reads_zero=np.asarray((activation.mantissa == 0) | (activation.exponent <= _zero_exponent(case.dtype))),
        smallest_normal=float(info.smallest_normal),
        epsilon=float(info.eps),
    )


def _zero_exponent(dtype: str) -> int:
    """The exponent e for which numbers below 2**e read as zero."""
    return math.frexp(smallest_number(dtype))[1] - 1  # a power of two
