"""The exact norms of a backward pass at every layer, of a network at initialisation or in the middle of training."""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from vgbench.measure.step import cross_entropy
from vgbench.models import Network
from vgbench.models.stack import Taps, Variables
from vgbench.probe import ScaledNorm, cumulative_exponents, renormalise, zero_taps


class Profile(NamedTuple):
    """What a renormalised backward pass hands out.

    Attributes:
        taps: norms and exponents as they were at each tap; `true_norms` restores the gradient's.
        largest: max|h_l|.
    """

    taps: Taps
    largest: Float[Array, "depth"]


class Norms(NamedTuple):
    """Norms mantissa * 2**exponent as numpy arrays [..., layers], the exponent in float64."""

    mantissa: Float[np.ndarray, "*layers"]
    exponent: Float[np.ndarray, "*layers"]


def profile(
    network: Network, variables: Variables, x: Float[Array, "batch features"], y: Int[Array, "batch"]
) -> Profile:
    """Back-propagate the training loss of a batch, every cotangent divided by a power of two on its way."""

    def loss(taps: Taps) -> tuple[Array, Array | None]:
        output = network.apply(variables, x, train=True, probe=renormalise, taps=taps)
        return cross_entropy(output.logits, y), output.largest

    zeros = Taps(zero_taps(network.depth, network.dtype), zero_taps(network.depth + 1, network.dtype))
    taps, largest = jax.grad(loss, has_aux=True)(zeros)
    return Profile(taps, largest)


def true_norms(taps: Taps) -> tuple[Norms, Norms]:
    """Norms of dL/dh_l, [..., depth], and of dL/dW_l, [..., depth + 1], after a renormalised pass."""
    activation, parameter = map(np.asarray, taps)
    exponents = cumulative_exponents(activation)
    # Layer l's weights see a cotangent that was divided at the taps from l on; the readout's, one that never was.
    divided = np.concatenate([exponents, np.zeros_like(exponents[..., :1])], axis=-1)
    return Norms(activation[..., 0], exponents), Norms(parameter[..., 0], parameter[..., 1] + divided)


def on_host(norm: ScaledNorm) -> Norms:
    """The same norms as numpy arrays."""
    return Norms(np.asarray(norm.mantissa), np.asarray(norm.exponent, np.float64))


def ratio(norm: Norms, other: Norms) -> Float[np.ndarray, "*layers"]:
    """One norm over another in float64, whatever their own dtype holds; by zero as IEEE 754 says."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        return norm.mantissa / other.mantissa.astype(np.float64) * np.exp2(norm.exponent - other.exponent)
