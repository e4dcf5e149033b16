"""One training step as a pure function, without any probe."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Shaped

from vgbench.mitigations.loss_scaling import LossScale, LossScaling
from vgbench.mitigations.parametrizations import by_group
from vgbench.mitigations.schedules import Horizon
from vgbench.models import Network
from vgbench.models.network import Variables
from vgbench.models.qk_clip import clipped
from vgbench.spec.case import Case
from vgbench.spec.registry import GRADIENT_TRANSFORMS, LOSS_SCALINGS, OPTIMIZERS, SCHEDULES, Choice, Registry

Rate: TypeAlias = float | Array
Params: TypeAlias = dict[str, Any]
Batch: TypeAlias = tuple[Float[Array, "batch features"], Shaped[Array, "batch *answers"]]


class TrainState(NamedTuple):
    """Everything that a step changes."""

    variables: Variables
    optimizer: optax.OptState
    scale: LossScale | None = None


class Move(NamedTuple):
    """What a step computes before it is taken.

    Attributes:
        loss: of the batch, Float[].
        stats: the network's updated state.
        gradients: of the loss, a tree like the parameters; the loss scale is divided out.
        updates: what is to be added to the parameters.
        optimizer: the optimizer's updated state.
        scale: the updated loss scale; None without loss scaling.
        taken: whether the step is to be taken; None if always.
    """

    loss: Array
    stats: Params
    gradients: Params
    updates: Params
    optimizer: optax.OptState
    scale: LossScale | None
    taken: Array | None


Step: TypeAlias = Callable[[TrainState, Batch, Rate], tuple[TrainState, Array]]


def make_optimizer(case: Case, rate: Rate, scanned: bool) -> optax.GradientTransformationExtraArgs:
    """Chain the case's gradient transform and optimizer at a learning rate, for parameters in this layout.

    The schedule comes last: it multiplies the updates of step t (counted from 1) by its factor, and in the warm-up by
    t / warmup_steps.
    """

    def member(registry: Registry, choice: Choice, *args: Any) -> optax.GradientTransformation:
        transformation = registry.build(choice, *args)
        stacked = scanned and registry[choice.name].scope == "layer"
        return over_layers(transformation) if stacked else transformation

    def optimizer(choice: Choice) -> optax.GradientTransformation:
        return member(OPTIMIZERS, choice, rate)

    chained = member(GRADIENT_TRANSFORMS, case.gradient_transform), by_group(case, optimizer, rate, stacked=scanned)
    factor = _schedule(case)
    scheduled = () if factor is None else (optax.scale_by_schedule(factor),)
    return optax.with_extra_args_support(optax.chain(*chained, *scheduled))


def _schedule(case: Case) -> Callable[[Any], Any] | None:
    """The factor of the learning rate by the updates made so far; None where it is always 1."""
    decay = SCHEDULES.build(case.schedule, Horizon(case.steps, case.warmup_steps))
    if not case.warmup_steps:
        return decay

    def factor(taken: Any) -> Any:
        warm_up = jnp.minimum(1, (taken + 1) / case.warmup_steps)
        return warm_up if decay is None else warm_up * decay(taken)

    return factor


def over_layers(inner: optax.GradientTransformation) -> optax.GradientTransformation:
    """Map a transformation of whole arrays over the layer axis of stacked blocks.

    Applied to the stacked arrays themselves, per-tensor norms and ratios would mix all layers: one step then differs by
    factors of 1 (AGC) to several hundred (Adafactor).
    """

    def split(tree: Params) -> tuple[Params, Any]:
        return {k: v for k, v in tree.items() if k != "blocks"}, tree["blocks"]

    def init(params: Params) -> tuple[optax.OptState, optax.OptState]:
        rest, blocks = split(params)
        return inner.init(rest), jax.vmap(inner.init)(blocks)

    def update(
        updates: Params, state: tuple[optax.OptState, optax.OptState], params: Params | None = None
    ) -> tuple[Params, tuple[optax.OptState, optax.OptState]]:
        if params is None:
            raise ValueError("a transform of one layer's arrays needs the parameters")
        (rest, blocks), (rest_params, block_params) = split(updates), split(params)
        new_rest: Any
        new_rest, rest_state = inner.update(rest, state[0], rest_params)
        new_blocks, block_state = jax.vmap(inner.update)(blocks, state[1], block_params)
        return new_rest | {"blocks": new_blocks}, (rest_state, block_state)

    return optax.GradientTransformation(init, update)  # pyright: ignore[reportArgumentType]


def start(network: Network, case: Case, variables: Variables, rate: Rate) -> TrainState:
    """Start the case's optimizer on freshly drawn variables, at the learning rate that it will be trained with.

    Rprop keeps the sizes of its steps, which begin at the learning rate, in its state.
    """
    scaling: LossScaling | None = LOSS_SCALINGS.build(case.loss_scaling)
    optimizer = make_optimizer(case, rate, network.stacked).init(variables.params)
    return TrainState(variables, optimizer, scaling.start() if scaling else None)


def propose(network: Network, case: Case, state: TrainState, batch: Batch, rate: Rate) -> Move:
    """Compute the step that the optimizer would take from a state on a batch."""
    x, y = batch
    params, scale = state.variables.params, state.scale

    def loss_of(params: Params) -> tuple[Array, tuple[Array, Params]]:
        output = network.apply(state.variables._replace(params=params), x, train=True)
        loss = network.problem.objective.loss(output.answers, y)
        return loss if scale is None else loss * scale.value, (loss, output.stats)

    (_, (loss, stats)), gradients = jax.value_and_grad(loss_of, has_aux=True)(params)
    return move_along(network, case, state, gradients, loss, stats, rate)


def move_along(
    network: Network, case: Case, state: TrainState, gradients: Params, loss: Array, stats: Params, rate: Rate
) -> Move:
    """Compute the step from what a forward and a backward pass give; the loss scale is still in the gradients."""
    scale, taken = state.scale, None
    if scale is not None:
        scaling: LossScaling = LOSS_SCALINGS.build(case.loss_scaling)
        gradients = jax.tree.map(lambda g, by=scale.value: g / by, gradients)
        finite = jnp.stack([jnp.isfinite(g).all() for g in jax.tree.leaves(gradients)]).all()
        scale, taken = scaling.after(scale, finite), finite if scaling.skips else None
    updates: Any
    # Polyak's step and its like read the loss as well.
    optimize = make_optimizer(case, rate, network.stacked).update
    updates, optimizer = optimize(gradients, state.optimizer, state.variables.params, value=loss)
    return Move(loss, stats, gradients, updates, optimizer, scale, taken)


def make_step(network: Network, case: Case) -> Step:
    """Make the step (state, batch, rate) -> (state, loss)."""

    def step(state: TrainState, batch: Batch, rate: Rate) -> tuple[TrainState, Array]:
        move = propose(network, case, state, batch, rate)
        params: Any = optax.apply_updates(state.variables.params, move.updates)
        after = TrainState(Variables(clipped(case, params, move.stats), move.stats), move.optimizer, move.scale)
        if move.taken is not None:
            kept = state._replace(scale=move.scale)
            after = jax.tree.map(partial(jnp.where, move.taken), after, kept)
        return after, move.loss

    return step
