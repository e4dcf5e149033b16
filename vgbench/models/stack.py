"""The stack: an input layer, blocks and an output layer, each with weights of its own.

The parameters of equal blocks are either stacked along a leading layer axis and scanned, so that compilation is
constant in depth, or a tuple of separate trees and unrolled. Indexing a stacked array in an unrolled loop would add
O(depth^2) work to the backward pass, so the two layouts are distinct from initialisation on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from vgbench.instruments.probe import Probe, largest_magnitude, observe_positions, observe_weights, wide
from vgbench.mitigations.parametrizations import parametrization_of
from vgbench.mitigations.streams import streams_of
from vgbench.models.kinds import observe_kinds
from vgbench.models.layers import alone, by_layer, described_by_layer
from vgbench.models.network import Describe, Network, Output, Part, Taps, Tree, Variables
from vgbench.models.opening import around, smaller
from vgbench.models.problem import Problem
from vgbench.models.redrawn import Visit, drawn_where_used, keys_of
from vgbench.models.segments import scan_in_segments
from vgbench.spec.case import Case

Signal: TypeAlias = Callable[[Array], Array]


@dataclass(frozen=True, kw_only=True)
class Stack(Network):
    """An input layer, `depth - 1` blocks and an output layer.

    Attributes:
        input_layer: module of the input layer, x -> h_1.
        blocks: the modules h_{l-1} -> h_l; the same one again and again in most families.
        output_layer: module from h_depth to the outputs.
        scanned: whether the blocks are to be scanned, which only equal ones can be.
        redrawn: whether scanned blocks are held as the keys that they are drawn from, and drawn anew whenever they are
            passed, forwards and backwards. Such a network cannot learn.
        segmented: whether a backward pass through scanned blocks that would need much memory computes segments of them
            anew, which changes no number; the step that is timed holds what the user's would.
        weight_kinds: names of attributes inside a block, each of which holds one kind of its weights.
        position_groups: by how many groups of successive positions dL/dh_l is recorded; 0 where h_l has no positions.
        signal: from an h_l of several streams to the signal that is read of them; None for a single stream.
        tied: name of the input layer's parameter that the output layer uses as well; None where it has all its own.
    """

    input_layer: Part
    blocks: tuple[Part, ...]
    output_layer: Part
    scanned: bool
    redrawn: bool = False
    segmented: bool = False
    weight_kinds: tuple[str, ...] = ()
    position_groups: int = 0
    signal: Signal | None = None
    tied: str | None = None

    @classmethod
    def of(
        cls,
        case: Case,
        problem: Problem,
        scanned: bool,
        *,
        input_layer: Part,
        blocks: tuple[Part, ...],
        output_layer: Part,
        places: int = 1,
        answer_places: int = 1,
        branches: int = 1,
        weight_kinds: tuple[str, ...] = (),
        position_groups: int = 0,
        signal: Signal | None = None,
        input_products: int | None = None,
        block_products: int = 0,
        tied: str | None = None,
    ) -> "Stack":
        """The stack of a case; its dtype, its rematerialisation and its operations follow from the case and the parts.

        Args:
            case: what to build.
            problem: the sizes of its input and output, and its objective.
            scanned: whether blocks are to be scanned.
            input_layer: module of the input layer.
            blocks: modules of the blocks.
            output_layer: module of the output layer.
            places: how often the input layer and the blocks apply each of their matrices to one example.
            answer_places: how often the output layer applies its matrices to one example.
            branches: of every block.
            weight_kinds: names of attributes inside a block, each of which holds one kind of its weights.
            position_groups: as the attribute.
            signal: as the attribute; of skips with several streams their mean.
            input_products: multiplications of the input layer for one example, where it holds matrices that are not
                multiplied; every matrix once at every place if None.
            block_products: multiplications of each block for one example beyond those by its weights, as attention's.
            tied: as the attribute.
        """
        output_layer = smaller(output_layer, parametrization_of(case).shrunk)
        if streams_of(case.skip) > 1:
            input_layer, output_layer, signal = around(case, input_layer, output_layer, branches)
        first = places * input_layer.weights if input_products is None else input_products
        hidden = places * sum(part.weights for part in blocks) + len(blocks) * block_products
        others = hidden + answer_places * output_layer.weights
        return cls(
            input_layer=input_layer,
            blocks=blocks,
            output_layer=output_layer,
            scanned=scanned,
            weight_kinds=weight_kinds,
            position_groups=position_groups,
            signal=signal,
            tied=tied,
            problem=problem,
            dtype=case.dtype,
            remat=case.remat,
            places=places,
            forward_flops=2 * (first + others),
            backward_flops=2 * (first + 2 * others),  # the input layer passes no gradient on
        )

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of weights of a block."""
        return self.weight_kinds

    @cached_property
    def states(self) -> tuple[str, ...]:
        """The groups of positions, from the first to the last; empty where h_l has none."""
        return tuple(f"positions {i + 1}/{self.position_groups}" for i in range(self.position_groups))

    @property
    def depth(self) -> int:
        """Hidden layers, the input layer included."""
        return len(self.blocks) + 1

    @property
    def layers(self) -> int:
        """Hidden layers and the output layer."""
        return self.depth + 1

    @property
    def stacked(self) -> bool:
        """Whether the blocks are scanned."""
        return self.scanned and self._equal

    @property
    def matrix(self) -> tuple[int, int]:
        """Of the block in the middle; of the input layer where there are no blocks."""
        return (self.blocks or (self.input_layer,))[len(self.blocks) // 2].matrix

    @property
    def _equal(self) -> bool:
        return len(set(self.blocks)) == 1

    @property
    def weights(self) -> int:
        """Numbers in all weight matrices."""
        return self.input_layer.weights + sum(part.weights for part in self.blocks) + self.output_layer.weights

    def init(self, key: Array) -> Variables:
        """Draw all variables; each layer from a key of its own, whatever the depth or the layout."""
        input_key, blocks_key, output_key = jax.random.split(key, 3)
        # Not jitted as a whole: the random draws inside are, by shape, and so are shared between all cells. One fixed
        # precision keeps that so whatever the measurement traces under.
        with jax.default_matmul_precision("highest"):
            drawn: dict[str, tuple[Tree, Tree]] = {
                "input_layer": self.input_layer.init(input_key, 1),
                "blocks": self._init_blocks(blocks_key),
                "output_layer": self.output_layer.init(output_key, self.depth + 1),
            }
        params, stats = ({name: part[i] for name, part in drawn.items()} for i in range(2))
        params["output_layer"] = {name: each for name, each in params["output_layer"].items() if name != self.tied}
        return self.laid_out(self.cast(Variables(params, stats)))

    def laid_out(self, variables: Variables) -> Variables:
        """Variables with equal blocks stacked, as they are drawn, in the layout of this network."""
        if self.stacked or not self._equal:
            return variables

        def blocks(tree: dict[str, Any]) -> tuple[Tree, ...]:
            # Of numbers with numpy, which is faster; of shapes alone, as a program is traced, there are none.
            given = jax.tree.map(lambda leaf: leaf if isinstance(leaf, Tracer) else np.asarray(leaf), tree["blocks"])
            return tuple(jax.tree.map(lambda leaf, i=i: jnp.asarray(leaf[i]), given) for i in range(self.depth - 1))

        return Variables(*(tree | {"blocks": blocks(tree)} for tree in variables))

    def by_use(self, params: dict[str, Any]) -> dict[str, Any]:
        """Trees like the parameters, with what is tied in the output layer, too."""
        if self.tied is None:
            return params
        return params | {"output_layer": {self.tied: params["input_layer"][self.tied]} | params["output_layer"]}

    def _init_blocks(self, key: Array) -> tuple[Tree, Tree]:
        keys = jax.vmap(partial(jax.random.fold_in, key))(jnp.arange(self.depth - 1, dtype=jnp.uint32))
        if not self._equal:
            drawn = [part.init(keys[i], i + 2) for i, part in enumerate(self.blocks)]
            return tuple(params for params, _ in drawn), tuple(stats for _, stats in drawn)
        if self.redrawn:
            return keys_of(keys, jnp.arange(2, self.depth + 1)), {}
        return jax.vmap(self.blocks[0].init)(keys, jnp.arange(2, self.depth + 1))

    def apply(
        self,
        variables: Variables,
        x: Float[Array, "batch features"],
        *,
        train: bool,
        probe: Probe | None = None,
        taps: Taps | None = None,
        describe: Describe | None = None,
    ) -> Output:
        """Run the network; with a probe, tap every h_l and, where `taps` asks for it, the weights of every layer."""
        taps, (now, later) = taps or Taps(), self.turns(describe)

        def visit(part: Part, params: Tree, stats: Tree, h: Array, tap: Taps) -> tuple[Array, tuple[Tree, Any]]:
            if tap.parameter is not None:
                params = observe_weights(params, tap.parameter)
            if tap.kind is not None:
                params = observe_kinds(self.kinds, params, tap.kind)
            if describe is None:
                (h, stats), given = part.apply(params, stats, h, train), []
            else:
                h, (stats, given) = part.watch(params, stats, h)
            seen = jax.tree.map(lambda leaf: leaf[0], now(alone(given), 1))
            if probe is None or tap.activation is None:
                return h, (stats, (None, seen))
            tapped = probe(h, tap.activation)
            if tap.state is not None:
                tapped = observe_positions(tapped, tap.state)
            return tapped, (stats, (largest_magnitude(h), seen))

        if self.remat:
            visit = jax.checkpoint(visit, prevent_cse=not self.stacked, static_argnums=0)
        parameter, output_params = None, self.by_use(variables.params)["output_layer"]
        if taps.parameter is not None:
            parameter, output_params = taps.parameter[:-1], observe_weights(output_params, taps.parameter[-1])
        hidden = Taps(
            taps.activation, parameter, taps.state if self.states else None, taps.kind if self.kinds else None
        )
        scan = scan_in_segments if self.segmented else jax.lax.scan
        h, stats, groups = self._walk(variables, visit, x.astype(self.dtype), hidden, scan)
        largest, seen = zip(*groups, strict=True)
        output_params = self.computing(output_params)
        answers, output_stats = self.output_layer.apply(output_params, variables.stats["output_layer"], h, train)
        described = described_by_layer(later, seen, [1, self.depth - 1] if self.stacked else [1] * self.depth)
        return Output(wide(answers), {**stats, "output_layer": output_stats}, by_layer(largest), described)

    def walk(self, variables: Variables, visit: Visit, carry: Any, inputs: Any) -> tuple[Any, dict[str, Any], Any]:
        """Carry something through the hidden layers: the input layer and the blocks, scanned or unrolled.

        Args:
            variables: of the whole network.
            visit: one layer's work, (part, params, stats, carry, input) -> (carry, (tree, record)).
            carry: what reaches the input layer; its shape may change there and not after.
            inputs: a tree of arrays [depth, ...], one slice for each layer.

        Returns:
            The last carry; the trees where the variables have those of their layers, as new statistics or parameters;
            and the records stacked to [depth, ...].
        """
        carry, trees, groups = self._walk(variables, visit, carry, inputs)
        return carry, trees, by_layer(groups)

    def _walk(
        self, variables: Variables, visit: Visit, carry: Any, inputs: Any, scan: Callable[..., Any] = jax.lax.scan
    ) -> tuple[Any, Tree, list[Any]]:
        """The same with the records of successive groups of layers, which may differ in shape."""
        params, stats = variables

        def lowered(part: Part, params: Tree, stats: Tree, carry: Any, inputs: Any) -> tuple[Any, tuple[Tree, Any]]:
            # Layer by layer, so that gradients are widened layer by layer, too.
            return visit(part, self.computing(params), stats, carry, inputs)

        inside = drawn_where_used(lowered, self.cast) if self.redrawn else lowered

        def block(carry: Any, layer: tuple[Tree, Tree, Any]) -> tuple[Any, tuple[Tree, Any]]:
            params, stats, inputs = layer
            return inside(self.blocks[0], params, stats, carry, inputs)

        def inputs_of(layers: int | slice) -> Any:
            return jax.tree.map(lambda array: array[layers], inputs)

        first = params["input_layer"], stats["input_layer"]
        carry, (tree, record) = lowered(self.input_layer, *first, carry, inputs_of(0))
        if self.stacked:
            layers = params["blocks"], stats["blocks"], inputs_of(slice(1, None))
            carry, (trees, records) = scan(block, carry, layers)
            groups = [alone(record), records]
        else:
            trees, groups = (), [alone(record)]
            for i, layer in enumerate(zip(self.blocks, params["blocks"], stats["blocks"], strict=True), start=1):
                carry, (new_tree, new_record) = lowered(*layer, carry, inputs_of(i))
                trees, groups = (*trees, new_tree), [*groups, alone(new_record)]
        return carry, {"input_layer": tree, "blocks": trees}, groups
