"""What a state of training shows on one batch: its exact profile, its weights, its pre-activations, its gradient."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from vgbench.instruments.probe import ScaledNorm, scaled_norm, weight_matrices
from vgbench.measure.preactivation import Preactivation, activation_of, describe
from vgbench.measure.profile import Profile, profile
from vgbench.measure.step import Batch, Params, Rate, TrainState, propose
from vgbench.mitigations.loss_scaling import LossScaling
from vgbench.models import Network
from vgbench.models.network import Tree
from vgbench.spec.case import Case

T = TypeVar("T")

GRADIENT_BINS = 256
"""Bins of the gradient histogram: the values of float32's exponent byte.

Bin b counts the entries with |g| in [2**(b - 127), 2**(b - 126)); bin 0 those below 2**-126, which float32 flushes to
zero, and the last those that are not finite in float32.
"""


class Weights(NamedTuple):
    """Of the weight matrices of the input layer, each block and the output layer.

    Attributes:
        norm: ||W_l||, Float[layers] each.
        displacement: ||W_l - its initial value||, the same.
        update: ||update||, the same; of the update that the optimizer would make now.
        zeros: share of the entries of dL/dW_l that are exactly 0, Float[layers].
        subnormal: share of those that the dtype holds with fewer digits or not at all, zeros included: below its
            smallest normal number as backpropagation gives them, with the loss scale; Float[layers].
        histogram: counts of log2|g| over the entries g of dL/dW_l as the optimizer gets it, Int[layers, bins].
    """

    norm: ScaledNorm
    displacement: ScaledNorm
    update: ScaledNorm
    zeros: Array
    subnormal: Array
    histogram: Array


class Snapshot(NamedTuple):
    """One state on one batch, in training mode.

    Attributes:
        profile: of the gradient.
        weights: of every layer's weight matrices.
        preactivation: of every hidden layer, Float[depth] each.
        loss_scale: Float[]; 1 without loss scaling.
        skipped: steps left out so far, Int[].
    """

    profile: Profile
    weights: Weights
    preactivation: Preactivation
    loss_scale: Array
    skipped: Array


def snapshot(network: Network, case: Case, state: TrainState, initial: Params, batch: Batch, rate: Rate) -> Snapshot:
    """Look at a state without changing it; `initial` are the parameters that training started from."""
    scale = state.scale or LossScaling(1.0).start()
    tiny = float(jnp.finfo(network.dtype).smallest_normal)
    params, move = state.variables.params, propose(network, case, state, batch, rate)
    displacement = jax.tree.map(jnp.subtract, params, initial)
    describe_given = partial(describe, dtype=network.dtype, activation=activation_of(case))

    def measure(weights: Tree, displacement: Tree, update: Tree, gradient: Tree) -> Weights:
        norm, moved, next_ = (scaled_norm(weight_matrices(each)) for each in (weights, displacement, update))
        entries = jnp.concatenate([each.ravel() for each in weight_matrices(gradient)])
        subnormal = jnp.abs(entries * scale.value) < tiny
        return Weights(norm, moved, next_, (entries == 0).mean(), subnormal.mean(), _histogram(entries))

    return Snapshot(
        profile=profile(network, state.variables, *batch),
        weights=by_layer(measure, network.stacked, params, displacement, move.updates, move.gradients),
        preactivation=network.watch(state.variables, batch[0], describe_given),
        loss_scale=scale.value,
        skipped=scale.skipped,
    )


def by_layer(measure: Callable[..., T], stacked: bool, *trees: Params) -> T:
    """Measure each part of trees like the parameters, from input to output layer; stacked to [layers, ...]."""
    input_layer, blocks, output_layer = (
        [tree[name] for tree in trees] for name in ("input_layer", "blocks", "output_layer")
    )
    first, last = measure(*input_layer), measure(*output_layer)
    if not stacked:
        between = [measure(*block) for block in zip(*blocks, strict=True)]
        return jax.tree.map(lambda *layers: jnp.stack(layers), first, *between, last)
    between = jax.vmap(measure)(*blocks)
    return jax.tree.map(lambda a, b, c: jnp.concatenate([a[None], b, c[None]]), first, between, last)


def _histogram(entries: Float[Array, "entries"]) -> Int[Array, "bins"]:
    exponents = (jax.lax.bitcast_convert_type(entries.astype(jnp.float32), jnp.int32) >> 23) & 255
    return jnp.bincount(exponents, length=GRADIENT_BINS).astype(jnp.int32)
