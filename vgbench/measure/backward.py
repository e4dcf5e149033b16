"""The backward passes of a state on a batch, plain and divided, which share their forward pass."""

from operator import itemgetter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from vgbench.instruments.probe import as_asked, zero_taps
from vgbench.models import Network
from vgbench.models.network import Describe, Output, Taps, Tree, Variables


class Row(NamedTuple):
    """One backward pass.

    Attributes:
        divided: whether every cotangent is divided by a power of two on its way.
        probed: whether it starts from the loss that is profiled, rather than from the one that is trained with.
    """

    divided: bool
    probed: bool


TRAINED = Row(divided=False, probed=False)
DIVIDED = Row(divided=True, probed=True)
PLAIN = Row(divided=False, probed=True)


class Passes(NamedTuple):
    """What the passes of a batch give.

    Attributes:
        loss: that is trained with, Float[].
        output: of the forward pass.
        gradients: by row, trees like `Network.by_use` of the parameters.
        taps: by row, of dL/dh_l and its states.
        exact: the row whose gradients by the weights are as exact as can be.
    """

    loss: Array
    output: Output
    gradients: dict[Row, Tree]
    taps: dict[Row, Taps]
    exact: Row


def passes(
    network: Network,
    variables: Variables,
    x: Float[Array, "batch features"],
    y: Shaped[Array, "batch *answers"],
    scale: Array | None,
    describe: Describe,
) -> Passes:
    """Run one forward pass in training mode and all backward passes side by side, as one program.

    Args:
        network: the network.
        variables: its state.
        x: inputs of the batch.
        y: its targets.
        scale: what the loss that is trained with is multiplied by; None where it is not.
        describe: of the inputs of each layer's activations.
    """
    # Weights that are shared over time get the norms of their gradient from a pass in which nothing is divided.
    rows = (TRAINED, DIVIDED, PLAIN) if network.shared else (TRAINED, DIVIDED)

    def loss_of(
        params: Tree, activation: Array, state: Array | None, scale: Array | float, probed: Array
    ) -> tuple[Array, tuple[Array, Output]]:
        given: Any = {"probe": as_asked, "taps": Taps(activation=activation, state=state), "describe": describe}
        output = network.apply(variables._replace(params=params), x, train=True, **given)
        loss = start = network.problem.objective.loss(output.answers, y)
        if network.shared:
            start = jnp.where(probed, network.probed_loss(output.answers, y), loss)
        return start * scale, (loss, output)

    blank, probed = zero_taps(network.depth, network.dtype), np.asarray([row.probed for row in rows])
    asked = jnp.stack([blank.at[:, 0].set(row.divided) for row in rows])
    scales = 1.0 if scale is None else jnp.where(probed, 1, scale)
    backward = jax.vmap(
        jax.grad(loss_of, argnums=(0, 1, 2), has_aux=True),
        in_axes=(None, 0, None, None if scale is None else 0, 0),
        out_axes=(0, None),
    )
    (gradients, activation, state), (loss, output) = backward(
        network.by_use(variables.params), asked, network.zero_taps().state, scales, probed
    )

    def by_row(tree: Tree) -> dict[Row, Tree]:
        return {row: jax.tree.map(itemgetter(i), tree) for i, row in enumerate(rows)}

    taps = by_row(Taps(activation=activation, state=state))
    return Passes(loss, output, by_row(gradients), taps, rows[-1])
