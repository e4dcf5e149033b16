"""The interface of a network to all measurements, and the modules that networks are made of as pure functions."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PyTree, Shaped

from vgbench.instruments.probe import Probe, zero_taps
from vgbench.models.problem import Problem
from vgbench.spec.case import Case
from vgbench.spec.registry import MODELS

T = TypeVar("T")
Tree: TypeAlias = PyTree[Array]
Describe: TypeAlias = Callable[[list[Array], int], Any]
"""From the inputs of the activations of layers, arrays [layers, batch, ...], and how many layers they are, to a tree of
arrays [layers, ...]."""


class Variables(NamedTuple):
    """The variables of a network, each a dict with the keys `input_layer`, `blocks` and `output_layer`."""

    params: dict[str, Any]
    stats: dict[str, Any]


class Taps(NamedTuple):
    """Dummy inputs whose gradients carry norms out of a backward pass; None for those that are not computed.

    Attributes:
        activation: Float[depth, 2], for dL/dh_l.
        parameter: Float[layers, 2], for dL/dW_l, the output layer last.
        state: Float[depth, states, 2], for the arrays that h_l is made of.
        kind: Float[depth, kinds, 2], for each kind of dL/dW_l.
    """

    activation: Array | None = None
    parameter: Array | None = None
    state: Array | None = None
    kind: Array | None = None


class Output(NamedTuple):
    """The result of a forward pass.

    Attributes:
        answers: Float[batch, outputs]; Float[batch, answers, outputs] in problems with several; at least float32.
        stats: the updated state.
        largest: Float[depth], largest magnitude of each tapped h_l; None without a probe.
        described: what `describe` says of the inputs of the activations, arrays [depth, ...]; nothing without it.
    """

    answers: Array
    stats: dict[str, Any]
    largest: Array | None
    described: Any = None


@dataclass(frozen=True)
class Part:
    """A module as pure functions, split once.

    Variables are plain dicts of arrays: jax takes an NNX state of 50 layers apart in Python at every call, which took
    longer than computing a step of 64 units.

    Attributes:
        build: makes the module from its random numbers and the number of its layer (counted from 1; traced where blocks
            are drawn side by side, so that no shape may depend on it).
    """

    build: Callable[[nnx.Rngs, int | Array], nnx.Module]

    @cached_property
    def _split(self) -> tuple[Any, Any, Any]:
        graphdef, params, stats = nnx.split(self.blank, nnx.Param, ...)
        return graphdef, params, stats

    @cached_property
    def blank(self) -> Any:
        """The module with shapes in place of arrays."""
        return nnx.eval_shape(lambda: self.build(nnx.Rngs(0), 1))

    @cached_property
    def weights(self) -> int:
        """Numbers in the weight matrices: the multiplications of one example where each is used once."""
        return sum(leaf.size for leaf in jax.tree.leaves(self._split[1]) if leaf.ndim >= 2)

    @cached_property
    def matrix(self) -> tuple[int, int]:
        """Numbers that the largest weight matrix reads and gives; a convolution's reads a whole patch."""
        largest = max((leaf for leaf in jax.tree.leaves(self._split[1]) if leaf.ndim >= 2), key=lambda leaf: leaf.size)
        return math.prod(largest.shape[:-1]), largest.shape[-1]

    def init(self, key: Array, layer: int | Array) -> tuple[Tree, Tree]:
        """Draw (parameters, other state)."""
        _, params, stats = nnx.split(self.build(nnx.Rngs(key), layer), nnx.Param, ...)
        return nnx.to_pure_dict(params), nnx.to_pure_dict(stats)

    def apply(self, params: Tree, stats: Tree, x: Any, train: bool) -> tuple[Any, Tree]:
        """Return (output, updated state)."""
        return called(self.module(params, stats, train), x)

    def watch(self, params: Tree, stats: Tree, x: Any) -> tuple[Any, tuple[Tree, list[Array]]]:
        """Apply in training mode, watching every attribute named `activation` (or as Flax's cells call it).

        Returns:
            The output, and (the updated state, the input of each activation).
        """
        module, given = self.module(params, stats, train=True), []
        for _, inner in nnx.iter_modules(module):
            for name in ("activation", "activation_fn"):
                activation = getattr(inner, name, None)
                if activation is not None:
                    setattr(inner, name, _recorded(activation, given))
        y, stats = called(module, x)
        return y, (stats, given)

    def module(self, params: Tree, stats: Tree, train: bool) -> Any:
        """A module of its own that holds these variables."""
        graphdef, *blank = self._split
        held = map(_shaped, blank, (params, stats))
        # Without the copy, modules that keep statistics would write into the caller's tree.
        module = nnx.merge(graphdef, *held, copy=True)
        module.train() if train else module.eval()
        return module


def _shaped(state: Any, tree: Tree) -> Any:
    """An NNX state like this one that holds the arrays of a plain dict."""
    return jax.tree.unflatten(jax.tree.structure(state), jax.tree.leaves(tree))


def called(module: Any, x: Any) -> tuple[Any, Tree]:
    """A module's output and its state after the call, without its parameters."""
    y = module(x)
    return y, nnx.to_pure_dict(nnx.state(module, nnx.Not(nnx.Param)))


def _recorded(function: Callable[[Array], Array], given: list[Array]) -> Callable[[Array], Array]:
    def recorded(z: Array) -> Array:
        given.append(z)
        return function(z)

    return recorded


@dataclass(frozen=True, kw_only=True)
class Network(ABC):
    """A network as pure functions: places h_1 to h_depth one after the other, which all gradient passes through.

    Attributes:
        problem: the sizes of its input and output, and its objective.
        dtype: that it computes in. Draws are always float32, so that a float64 network is the float32 one with more
            digits; variables are kept in float32 at least, and copied to a shorter dtype by every pass.
        forward_flops: floating-point operations of the matrix products in one forward pass, for one example.
        backward_flops: the same of the backward pass.
        remat: whether the backward pass computes the inner values of each place anew; not counted in the operations.
        places: how often a block applies each of its matrices to one example, as at every pixel.
    """

    problem: Problem
    dtype: str
    forward_flops: int
    backward_flops: int
    remat: bool
    places: int = 1

    @property
    @abstractmethod
    def depth(self) -> int:
        """Places h_l."""

    @property
    @abstractmethod
    def layers(self) -> int:
        """Layers with weights of their own: the input layer, the blocks and the output layer."""

    @property
    @abstractmethod
    def stacked(self) -> bool:
        """Whether the parameters of all blocks are stacked along a leading axis, rather than a tuple of trees."""

    @property
    @abstractmethod
    def matrix(self) -> tuple[int, int]:
        """Numbers that the largest weight matrix of a block, or of a cell, reads and gives."""

    @property
    def shared(self) -> bool:
        """Whether the places share their weights, so that only an undivided pass has the gradients of those."""
        return False

    @cached_property
    def states(self) -> tuple[str, ...]:
        """Names of the arrays that each h_l is made of; empty where it is a single one."""
        return ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the kinds of weights that each block has; empty where they are all of one."""
        return ()

    @abstractmethod
    def init(self, key: Array) -> Variables:
        """Draw all variables; each layer from a key of its own."""

    @abstractmethod
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
        """Run the network; with a probe, tap every h_l, and whatever else `taps` has a tap for.

        With `describe`, which is for training mode, describe the inputs of the activations of each layer.
        """

    def by_use(self, params: dict[str, Any]) -> dict[str, Any]:
        """Trees like the parameters, with those that several layers use in each of them.

        The network can be applied to them, too: every layer then uses its own.
        """
        return params

    def turns(self, describe: Describe | None) -> tuple[Describe, Describe]:
        """What is done with the inputs of activations layer by layer, and what with those of all layers afterwards.

        All are described afterwards, so that it is compiled once, unless rematerialisation says that memory cannot
        hold them.
        """
        if describe is None or not self.remat:
            return _as_they_are, describe or _as_they_are
        return describe, _as_they_are

    def probed_loss(self, answers: Float[Array, "..."], y: Shaped[Array, "..."]) -> Float[Array, ""]:
        """The loss whose gradient is profiled."""
        return self.problem.objective.loss(answers, y)

    def zero_taps(self) -> Taps:
        """All dummy inputs."""

        def table(names: tuple[str, ...]) -> Array:
            return zero_taps(self.depth * len(names), self.dtype).reshape(self.depth, len(names), 2)

        activation, parameter = zero_taps(self.depth, self.dtype), zero_taps(self.layers, self.dtype)
        return Taps(activation, parameter, table(self.states), table(self.kinds))

    def cast(self, variables: T) -> T:
        """Variables in the dtype that they are kept in."""
        return _floating(variables, jnp.promote_types(self.dtype, jnp.float32))

    def computing(self, params: T) -> T:
        """Parameters in the dtype that the network computes in."""
        return _floating(params, self.dtype)


def _as_they_are(given: Any, layers: int) -> Any:
    del layers
    return given


def _floating(tree: T, dtype: Any) -> T:
    def leaf(array: Array) -> Array:
        return array.astype(dtype) if jnp.issubdtype(array.dtype, jnp.floating) else array

    return jax.tree.map(leaf, tree)


def build_network(case: Case, problem: Problem, scanned: bool | None = None) -> Network:
    """Build the network of a case for the problem of its data.

    Args:
        case: what to build.
        problem: the sizes of its input and output, and its objective.
        scanned: layout of the blocks; the case's own for probing and training if None.

    Raises:
        InputError: the network cannot read such data.
    """
    return MODELS.build(case.model, case, problem, case.scanned if scanned is None else scanned)
