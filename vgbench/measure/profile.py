"""The exact norms of a backward pass at every layer, of a network at initialisation or in the middle of training."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Shaped

from vgbench.instruments.probe import Probe, cumulative_exponents, renormalise
from vgbench.models import Network
from vgbench.models.network import Taps, Variables


class Norms(NamedTuple):
    """Norms mantissa * 2**exponent as numpy arrays [..., layers], the exponent in float64."""

    mantissa: Float[np.ndarray, "*layers"]
    exponent: Float[np.ndarray, "*layers"]


class Profile(NamedTuple):
    """The true norms of gradients, with any leading axes, on the host.

    Attributes:
        activation: of dL/dh_l, Float[..., depth] each.
        parameter: of dL/dW_l, the output layer last, Float[..., layers] each.
        state: of the arrays that h_l is made of, Float[..., depth, states] each.
        kind: of each kind of dL/dW_l, Float[..., depth, kinds] each; NaN in the input layer, which has none of them.
        largest: max|h_l|, Float[..., depth].
    """

    activation: Norms
    parameter: Norms
    state: Norms
    kind: Norms
    largest: Float[np.ndarray, "*depth"]


class Divided(NamedTuple):
    """What a pass gives that was divided at every tap; `whole` puts the exponents together.

    Attributes:
        taps: mantissa and exponent of all norms.
        largest: max|h_l|, Float[depth].
        shared: whether places share the weights, so that `taps.parameter` is of an undivided pass, Bool[].
    """

    taps: Taps
    largest: Array | None
    shared: Array | bool


def profile(
    network: Network, variables: Variables, x: Float[Array, "batch features"], y: Shaped[Array, "batch *answers"]
) -> Divided:
    """Back-propagate the training loss of a batch, every cotangent divided by a power of two on its way.

    Where a recurrent network answers at several time steps the loss is that of the last answer alone, so that every
    gradient has the same path. Weights that are shared over time get their gradient from a second pass, in which
    nothing is divided.
    """

    def loss(taps: Taps, probe: Probe | None) -> tuple[Array, Array | None]:
        output = network.apply(variables, x, train=True, probe=probe, taps=taps)
        return network.probed_loss(output.answers, y), output.largest

    zeros = network.zero_taps()
    divided = zeros._replace(parameter=None) if network.shared else zeros
    taps, largest = jax.grad(loss, has_aux=True)(divided, renormalise)
    if network.shared:
        plain, _ = jax.grad(loss, has_aux=True)(Taps(parameter=zeros.parameter), None)
        taps = taps._replace(parameter=plain.parameter)
    return Divided(taps, largest, network.shared)


def whole(found: Divided) -> Profile:
    """The true norms of passes whose arrays may have leading axes; in numpy, which has nothing to compile."""
    activation, parameter, state, kind = map(_norm, found.taps)
    exponents = cumulative_exponents(np.asarray(found.taps.activation))
    # A layer's weights see what was divided at its own tap and those behind it, the arrays of its h the latter alone.
    behind = np.concatenate([exponents, np.zeros_like(exponents[..., :1])], axis=-1)
    kind = _times(kind, exponents[..., None])
    kind.mantissa[..., 0, :] = np.nan
    return Profile(
        activation=Norms(activation.mantissa, exponents),
        parameter=parameter if np.all(found.shared) else _times(parameter, behind),
        state=_times(state, behind[..., 1:, None]),
        kind=kind,
        largest=np.asarray(found.largest),
    )


def _norm(taps: Any) -> Norms:
    return Norms(np.array(taps[..., 0]), np.asarray(taps[..., 1], np.float64))


def _times(norm: Norms, exponent: Float[np.ndarray, "*#layers"]) -> Norms:
    return Norms(norm.mantissa, norm.exponent + exponent)


def ratio(norm: Norms, other: Norms) -> Float[np.ndarray, "*layers"]:
    """One norm over another in float64, whatever their own dtype holds; by zero as IEEE 754 says."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        return norm.mantissa / other.mantissa.astype(np.float64) * np.exp2(norm.exponent - other.exponent)
