"""One training step as a pure function: plain (what is timed) or observed (what is recorded)."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from vgbench.case import Case
from vgbench.models import Network
from vgbench.models.stack import Taps, Variables
from vgbench.probe import ScaledNorm, observe, scaled_norm, weight_matrices, zero_taps
from vgbench.registry import OPTIMIZERS, TRANSFORMS, Choice, Registry

Rate: TypeAlias = float | Array
Params: TypeAlias = dict[str, Any]
Batch: TypeAlias = tuple[Float[Array, "batch features"], Int[Array, "batch"]]


class TrainState(NamedTuple):
    """Everything that a step changes."""

    variables: Variables
    optimizer: optax.OptState


class Observation(NamedTuple):
    """What an observed step saw.

    Attributes:
        activation: norms of dL/dh_l, Float[depth] each.
        parameter: norms of dL/dW_l over the weight matrices of the input layer, each block and the readout,
            Float[depth + 1] each.
        update_to_weight: ||update|| / ||W_l|| of the same matrices, Float[depth + 1].
    """

    activation: ScaledNorm
    parameter: ScaledNorm
    update_to_weight: Array


Step: TypeAlias = Callable[[TrainState, Batch, Rate], tuple[TrainState, Array, Observation | None]]


def make_optimizer(case: Case, rate: Rate, scanned: bool) -> optax.GradientTransformation:
    """Chain the case's gradient transform and optimizer at a learning rate, for parameters in this layout."""

    def member(registry: Registry, choice: Choice, *args: Any) -> optax.GradientTransformation:
        transformation = registry.build(choice, *args)
        stacked = scanned and registry[choice.name].scope == "layer"
        return over_layers(transformation) if stacked else transformation

    return optax.chain(member(TRANSFORMS, case.transform), member(OPTIMIZERS, case.optimizer, rate))


def over_layers(inner: optax.GradientTransformation) -> optax.GradientTransformation:
    """Map a transformation that looks at whole arrays over the layer axis of stacked blocks.

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


def cross_entropy(logits: Float[Array, "batch classes"], labels: Int[Array, "batch"]) -> Float[Array, ""]:
    """Mean softmax cross-entropy in nats."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def accuracy(logits: Float[Array, "batch classes"], labels: Int[Array, "batch"]) -> Float[Array, ""]:
    """Share of examples whose largest logit is the label's; one with a non-finite logit counts as wrong."""
    correct = (jnp.argmax(logits, axis=-1) == labels) & jnp.isfinite(logits).all(axis=-1)
    return jnp.mean(correct, dtype=jnp.float32)


def start(network: Network, case: Case, variables: Variables) -> TrainState:
    """Start the case's optimizer on freshly drawn variables."""
    return TrainState(variables, make_optimizer(case, 0.0, network.scanned).init(variables.params))


def make_step(network: Network, case: Case, *, observed: bool = False) -> Step:
    """Make the step (state, batch, rate) -> (state, loss, observation).

    A plain step holds no probe and observes None; an observed one makes the same update.
    """

    def step(state: TrainState, batch: Batch, rate: Rate) -> tuple[TrainState, Array, Observation | None]:
        x, y = batch
        params = state.variables.params

        def loss_of(params: Params, taps: Taps | None) -> tuple[Array, Params]:
            probe = observe if observed else None
            variables = state.variables._replace(params=params)
            output = network.apply(variables, x, train=True, probe=probe, taps=taps)
            return cross_entropy(output.logits, y), output.stats

        taps = Taps(zero_taps(network.depth, network.dtype), None) if observed else None
        graded = jax.value_and_grad(loss_of, argnums=(0, 1), has_aux=True)(params, taps)
        (loss, stats), (gradients, tap_gradients) = graded
        optimizer = make_optimizer(case, rate, network.scanned)
        updates, optimizer_state = optimizer.update(gradients, state.optimizer, params)
        variables = Variables(optax.apply_updates(params, updates), stats)  # pyright: ignore[reportArgumentType]
        observation = (
            _observe(tap_gradients.activation, gradients, updates, params, network.scanned) if observed else None
        )
        return TrainState(variables, optimizer_state), loss, observation

    return step


def _observe(taps: Array, gradients: Params, updates: Any, params: Params, scanned: bool) -> Observation:
    update, weight = layer_norms(updates, scanned), layer_norms(params, scanned)
    ratio = update.mantissa / weight.mantissa * jnp.exp2(update.exponent - weight.exponent)
    return Observation(ScaledNorm(taps[:, 0], taps[:, 1]), layer_norms(gradients, scanned), ratio)


def layer_norms(tree: Params, scanned: bool) -> ScaledNorm:
    """Norms over the weight matrices (two axes or more) of input layer, blocks and readout; Float[depth + 1]."""

    def norm(layer: PyTree) -> ScaledNorm:
        return scaled_norm(weight_matrices(layer))

    blocks = jax.vmap(norm)(tree["blocks"]) if scanned else _stack([norm(block) for block in tree["blocks"]])
    ends = (jax.tree.map(lambda leaf: leaf[None], norm(tree[name])) for name in ("entry", "readout"))
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), next(ends), blocks, next(ends))


def _stack(norms: list[ScaledNorm]) -> ScaledNorm:
    mantissas = jnp.asarray([norm.mantissa for norm in norms])
    return ScaledNorm(mantissas, jnp.asarray([norm.exponent for norm in norms]))
