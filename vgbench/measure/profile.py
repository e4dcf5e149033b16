"""The exact norms of a backward pass at every layer, of a network at initialisation or in the middle of training."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from vgbench.instruments.probe import Probe, ScaledNorm, cumulative_exponents, renormalise
from vgbench.models import Network
from vgbench.models.network import Taps, Variables


class Profile(NamedTuple):
    """The true norms of a gradient.

    Attributes:
        activation: of dL/dh_l, Float[depth] each.
        parameter: of dL/dW_l, the output layer last, Float[layers] each.
        state: of the arrays that h_l is made of, Float[depth, states] each.
        kind: of each kind of dL/dW_l, Float[depth, kinds] each; NaN in the input layer, which has none of them.
        largest: max|h_l|.
    """

    activation: ScaledNorm
    parameter: ScaledNorm
    state: ScaledNorm
    kind: ScaledNorm
    largest: Float[Array, "depth"]


class Norms(NamedTuple):
    """Norms mantissa * 2**exponent as numpy arrays [..., layers], the exponent in float64."""

    mantissa: Float[np.ndarray, "*layers"]
    exponent: Float[np.ndarray, "*layers"]


def profile(
    network: Network, variables: Variables, x: Float[Array, "batch features"], y: Shaped[Array, "batch *answers"]
) -> Profile:
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
    exponents = cumulative_exponents(taps.activation)
    # A layer's weights see what was divided at its own tap and those behind it, the arrays of its h the latter alone.
    behind = jnp.append(exponents, 0)
    if network.shared:
        plain, _ = jax.grad(loss, has_aux=True)(Taps(parameter=zeros.parameter), None)
        parameter = _norm(plain.parameter, jnp.zeros(network.layers, exponents.dtype))
    else:
        parameter = _norm(taps.parameter, behind)
    kind = _norm(taps.kind, exponents[:, None])
    return Profile(
        activation=ScaledNorm(taps.activation[:, 0], exponents),
        parameter=parameter,
        state=_norm(taps.state, behind[1:, None]),
        kind=kind._replace(mantissa=kind.mantissa.at[0].set(jnp.nan)),
        largest=largest,
    )


def _norm(taps: Float[Array, "*layers 2"], divided: Float[Array, "*#layers"]) -> ScaledNorm:
    return ScaledNorm(taps[..., 0], taps[..., 1] + divided)


def on_host(norm: ScaledNorm) -> Norms:
    """The same norms as numpy arrays."""
    return Norms(np.asarray(norm.mantissa), np.asarray(norm.exponent, np.float64))


def ratio(norm: Norms, other: Norms) -> Float[np.ndarray, "*layers"]:
    """One norm over another in float64, whatever their own dtype holds; by zero as IEEE 754 says."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        return norm.mantissa / other.mantissa.astype(np.float64) * np.exp2(norm.exponent - other.exponent)
