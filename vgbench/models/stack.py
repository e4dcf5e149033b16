"""A network of an input layer, blocks and a readout, as pure functions over Flax NNX modules.

The parameters of equal blocks are either stacked along a leading layer axis and scanned, so that compilation is
constant in depth, or a tuple of separate trees and unrolled. Indexing a stacked array in an unrolled loop would add
O(depth^2) work to the backward pass, so the two layouts are distinct from initialisation on.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, PyTree

from vgbench.case import Case
from vgbench.probe import Probe, largest_magnitude, observe_weights
from vgbench.registry import MODELS

Tree: TypeAlias = PyTree[Array]


class Variables(NamedTuple):
    """What a network holds, each a dict with the keys `entry`, `blocks` and `readout`."""

    params: dict[str, Any]
    stats: dict[str, Any]


class Taps(NamedTuple):
    """Dummy inputs whose gradients carry norms out of a backward pass.

    Attributes:
        activation: Float[depth, 2], for dL/dh_l.
        parameter: Float[depth + 1, 2], for dL/dW_l, the readout last; None if not asked for.
    """

    activation: Array
    parameter: Array | None


class Output(NamedTuple):
    """What a forward pass gives.

    Attributes:
        logits: Float[batch, classes].
        stats: the updated state.
        largest: Float[depth], largest magnitude of each tapped h_l; None without a probe.
    """

    logits: Array
    stats: dict[str, Any]
    largest: Array | None


@dataclass(frozen=True)
class Part:
    """A module as pure functions, split once.

    Attributes:
        build: makes the module from its random numbers and the number of its layer (counted from 1; traced where blocks
            are drawn side by side, so that no shape may depend on it).
    """

    build: Callable[[nnx.Rngs, int | Array], nnx.Module]

    @cached_property
    def _split(self) -> tuple[Any, Any, Any]:
        graphdef, params, stats = nnx.split(nnx.eval_shape(lambda: self.build(nnx.Rngs(0), 1)), nnx.Param, ...)
        return graphdef, params, stats

    @cached_property
    def weights(self) -> int:
        """Numbers in the weight matrices: the multiplications of one example where each is used once."""
        return sum(leaf.size for leaf in jax.tree.leaves(self._split[1]) if leaf.ndim >= 2)

    def init(self, key: Array, layer: int | Array) -> tuple[Tree, Tree]:
        """Draw (parameters, other state)."""
        _, params, stats = nnx.split(self.build(nnx.Rngs(key), layer), nnx.Param, ...)
        return params, stats

    def apply(self, params: Tree, stats: Tree, x: Array, train: bool) -> tuple[Array, Tree]:
        """Return (output, updated state)."""
        module = self.module(params, stats, train)
        y = module(x)
        return y, nnx.state(module, nnx.Not(nnx.Param))

    def watch(self, params: Tree, stats: Tree, x: Array) -> tuple[Array, tuple[Tree, list[Array]]]:
        """Apply in training mode, watching every attribute named `activation`.

        Returns:
            The output, and (the updated state, what each activation was given).
        """
        module, seen = self.module(params, stats, train=True), []
        for _, inner in nnx.iter_modules(module):
            activation = getattr(inner, "activation", None)
            if activation is not None:
                setattr(inner, "activation", _recorded(activation, seen))  # noqa: B010
        y = module(x)
        return y, (nnx.state(module, nnx.Not(nnx.Param)), seen)

    def module(self, params: Tree, stats: Tree, train: bool) -> Any:
        """A module of its own that holds these variables."""
        # Without the copy, modules that keep statistics would write into the caller's tree.
        module = nnx.merge(self._split[0], params, stats, copy=True)
        module.train() if train else module.eval()
        return module


def _recorded(function: Callable[[Array], Array], seen: list[Array]) -> Callable[[Array], Array]:
    def recorded(z: Array) -> Array:
        seen.append(z)
        return function(z)

    return recorded


Visit: TypeAlias = Callable[[Part, Tree, Tree, Any, Any], tuple[Any, tuple[Tree, Any]]]


@dataclass(frozen=True)
class Network:
    """An input layer, `depth - 1` blocks and a readout.

    Attributes:
        entry: module of the input layer, x -> h_1.
        blocks: the modules h_{l-1} -> h_l; the same one again and again in most families.
        readout: module from h_depth to logits.
        scanned: whether the blocks' parameters are stacked and scanned, which only equal blocks can be.
        dtype: to which parameters and inputs are cast; draws are always float32, so that a float64 network is the
            float32 one with more digits.
        forward_flops: floating-point operations of the matrix products in one forward pass, for one example.
        backward_flops: the same of the backward pass.
    """

    entry: Part
    blocks: tuple[Part, ...]
    readout: Part
    scanned: bool
    dtype: str
    forward_flops: int
    backward_flops: int

    @property
    def depth(self) -> int:
        """Hidden layers, the input layer included."""
        return len(self.blocks) + 1

    def init(self, key: Array) -> Variables:
        """Draw all variables; each layer from a key of its own, whatever the depth or the layout."""
        entry_key, blocks_key, readout_key = jax.random.split(key, 3)
        # Not jitted as a whole: the random draws inside are, by shape, and so are shared between all cells. One fixed
        # precision keeps that so whatever the measurement traces under.
        with jax.default_matmul_precision("highest"):
            drawn: dict[str, tuple[Tree, Tree]] = {
                "entry": self.entry.init(entry_key, 1),
                "blocks": self._init_blocks(blocks_key),
                "readout": self.readout.init(readout_key, self.depth + 1),
            }
        params, stats = ({name: part[i] for name, part in drawn.items()} for i in range(2))
        return jax.tree.map(self._cast, Variables(params, stats))

    def _init_blocks(self, key: Array) -> tuple[Tree, Tree]:
        keys = jax.vmap(partial(jax.random.fold_in, key))(jnp.arange(self.depth - 1, dtype=jnp.uint32))
        if not equal(self.blocks):
            drawn = [part.init(keys[i], i + 2) for i, part in enumerate(self.blocks)]
            return tuple(params for params, _ in drawn), tuple(stats for _, stats in drawn)
        stacked = jax.vmap(self.blocks[0].init)(keys, jnp.arange(2, self.depth + 1))
        return stacked if self.scanned else (self._unstack(stacked[0]), self._unstack(stacked[1]))

    def _unstack(self, stacked: Tree) -> tuple[Tree, ...]:
        leaves = jax.tree.map(np.asarray, stacked)

        def layer(i: int) -> Tree:
            return jax.tree.map(lambda leaf: jnp.asarray(leaf[i]), leaves)

        return tuple(map(layer, range(self.depth - 1)))

    def _cast(self, leaf: Array) -> Array:
        return leaf.astype(self.dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    def apply(
        self,
        variables: Variables,
        x: Float[Array, "batch features"],
        *,
        train: bool,
        probe: Probe | None = None,
        taps: Taps | None = None,
    ) -> Output:
        """Run the network; with a probe, tap every h_l and, where `taps` asks for it, the weights of every layer."""

        def visit(part: Part, params: Tree, stats: Tree, h: Array, tap: Taps | None) -> tuple[Array, tuple[Tree, Any]]:
            if tap is not None and tap.parameter is not None:
                params = observe_weights(params, tap.parameter)
            h, stats = part.apply(params, stats, h, train)
            if probe is None or tap is None:
                return h, (stats, None)
            return probe(h, tap.activation), (stats, largest_magnitude(h))

        layers = None
        readout_params = variables.params["readout"]
        if taps is not None:
            layers = taps._replace(parameter=None if taps.parameter is None else taps.parameter[:-1])
            if taps.parameter is not None:
                readout_params = observe_weights(readout_params, taps.parameter[-1])
        h, stats, largest = self.walk(variables, visit, x.astype(self.dtype), layers)
        logits, readout_stats = self.readout.apply(readout_params, variables.stats["readout"], h, train)
        return Output(logits, {**stats, "readout": readout_stats}, largest)

    def walk(self, variables: Variables, visit: Visit, carry: Any, inputs: Any) -> tuple[Any, dict[str, Any], Any]:
        """Carry something through the input layer and the blocks.

        Args:
            variables: of the whole network.
            visit: one layer's work, (part, params, stats, carry, input) -> (carry, (new stats, record)).
            carry: what reaches the input layer; its shape may change there and not after.
            inputs: a tree of arrays [depth, ...], one slice for each layer.

        Returns:
            The last carry, the new statistics, and the records stacked to [depth, ...].
        """
        params, stats = variables
        first, others = jax.tree.map(lambda a: a[0], inputs), jax.tree.map(lambda a: a[1:], inputs)
        carry, (entry_stats, record) = visit(self.entry, params["entry"], stats["entry"], carry, first)
        records = jax.tree.map(lambda a: a[None], record)

        def block(carry: Any, layer: tuple[Tree, Tree, Any]) -> tuple[Any, tuple[Tree, Any]]:
            return visit(self.blocks[0], layer[0], layer[1], carry, layer[2])

        def join(first: Array, rest: Array) -> Array:
            return jnp.concatenate([first, rest])

        if self.scanned:
            carry, (block_stats, rest) = jax.lax.scan(block, carry, (params["blocks"], stats["blocks"], others))
            return carry, {"entry": entry_stats, "blocks": block_stats}, jax.tree.map(join, records, rest)
        block_stats = []
        for i, part in enumerate(self.blocks):
            tapped = jax.tree.map(lambda a, i=i: a[i], others)
            carry, (new_stats, record) = visit(part, params["blocks"][i], stats["blocks"][i], carry, tapped)
            block_stats.append(new_stats)
            records = jax.tree.map(lambda all_, one: join(all_, one[None]), records, record)
        return carry, {"entry": entry_stats, "blocks": tuple(block_stats)}, records


def equal(blocks: tuple[Part, ...]) -> bool:
    """Whether there are blocks and all are the same."""
    return len(set(blocks)) == 1


def build_network(case: Case, features: int, classes: int, scanned: bool | None = None) -> Network:
    """Build the network of `case` for inputs of `features` and outputs of `classes`.

    Args:
        case: what to build.
        features: size of one input.
        classes: number of logits.
        scanned: layout of the blocks; the case's own for probing and training if None.
    """
    network: Network = MODELS.build(case.model, case, features, classes, case.scanned if scanned is None else scanned)
    return replace(network, scanned=network.scanned and equal(network.blocks))
