"""The backbone that perceptrons and convolutional networks have in common: an input layer, blocks and an output layer.

Its layers are a linear map (W), a norm (N) and an activation (A), in the model's order:

    order                    input layer   block with k layers a branch         output layer
    before_addition          W N A         skip(h, k x (W N A))                 W
    norm_after_activation    W A N         skip(h, k x (W A N))                 W
    post_activation          W N A         A(skip(h, k x (W N A) less an A))    W
    pre_activation           W             skip(h, k x (N A W))                 N A W
    post_norm                W N           N(skip(h, k x (A W)))                W

Sources: He, Zhang, Ren & Sun 2016 (post_activation in Deep Residual Learning, before_addition and pre_activation in
Identity Mappings in Deep Residual Networks); Vaswani et al. 2017 (post_norm); Mishkin, Sergievskiy & Matas 2017
(norm_after_activation, of batch norm).
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
from flax import nnx
from jaxtyping import Array, Float

from vgbench.mitigations.initializers import Signal
from vgbench.mitigations.norms import WEIGHT_NORMS, reparametrised
from vgbench.mitigations.parametrizations import skip_in
from vgbench.mitigations.site import Site
from vgbench.mitigations.skips import WeightRule
from vgbench.mitigations.streams import read
from vgbench.models.network import Part
from vgbench.models.problem import Problem
from vgbench.models.stack import Stack
from vgbench.spec.case import Case
from vgbench.spec.registry import ACTIVATIONS, INITIALIZERS, NORMS, SKIPS

Order = Literal["before_addition", "norm_after_activation", "post_activation", "pre_activation", "post_norm"]
Steps = tuple[Literal["linear", "norm", "activation"], ...]


class _Plan(NamedTuple):
    """The steps of the input layer, of a branch's layers and its last, after the skip, and of the output layer."""

    input_layer: Steps
    layer: Steps
    last: Steps
    joined: Steps
    output_layer: Steps


_PLANS: dict[Order, _Plan] = {
    "before_addition": _Plan(
        input_layer=("linear", "norm", "activation"),
        layer=("linear", "norm", "activation"),
        last=("linear", "norm", "activation"),
        joined=(),
        output_layer=("linear",),
    ),
    "norm_after_activation": _Plan(
        input_layer=("linear", "activation", "norm"),
        layer=("linear", "activation", "norm"),
        last=("linear", "activation", "norm"),
        joined=(),
        output_layer=("linear",),
    ),
    "post_activation": _Plan(
        input_layer=("linear", "norm", "activation"),
        layer=("linear", "norm", "activation"),
        last=("linear", "norm"),
        joined=("activation",),
        output_layer=("linear",),
    ),
    "pre_activation": _Plan(
        input_layer=("linear",),
        layer=("norm", "activation", "linear"),
        last=("norm", "activation", "linear"),
        joined=(),
        output_layer=("norm", "activation", "linear"),
    ),
    "post_norm": _Plan(
        input_layer=("linear", "norm"),
        layer=("activation", "linear"),
        last=("activation", "linear"),
        joined=("norm",),
        output_layer=("linear",),
    ),
}


LinearMap: TypeAlias = nnx.Linear | nnx.Conv


MakeMap: TypeAlias = Callable[..., LinearMap]
"""Draws a linear map as Flax's modules are made: (inputs, outputs, kernel_init=, bias_init=, rngs=)."""


class Maps(NamedTuple):
    """The linear maps of a family: of the input layer, inside blocks, and of the output layer."""

    input_layer: MakeMap
    hidden: MakeMap
    output_layer: MakeMap


class Layer(nnx.Module):
    """Some of a linear map, a norm and an activation, one after the other."""

    def __init__(
        self,
        steps: Steps,
        make: MakeMap,
        case: Case,
        inputs: int,
        outputs: int,
        layer: int | Array,
        rngs: nnx.Rngs,
        *,
        bias_std: float = 0.0,
        raw: bool = False,
        summands: int = 1,
    ) -> None:
        self.steps = steps
        linear = None
        if "linear" in steps:
            kernel = INITIALIZERS.build(case.init, Signal(case.activation, bias_std, raw, summands))
            bias = jax.nn.initializers.normal(bias_std) if bias_std else jax.nn.initializers.zeros
            linear = make(inputs, outputs, kernel_init=kernel, bias_init=bias, rngs=rngs)
        if "norm" in steps:
            features = outputs if steps[0] == "linear" else inputs
            self.norm = NORMS.build(case.norm, Site(features, case.depth, layer, rngs, case.activation))
        if linear:
            self.linear = reparametrised(self.norm, linear) if "norm" in steps else linear
        if "activation" in steps:
            self.activation = partial(ACTIVATIONS.build, case.activation)

    def __call__(self, h: Float[Array, "batch *place inputs"]) -> Float[Array, "batch *places outputs"]:
        """Take the steps."""
        for step in self.steps:
            h = getattr(self, step)(h)
        return h


def summands(case: Case, site: Site) -> int:
    """How many branches the network adds up on its residual stream; 1 without skips."""
    return 1 if case.skip.name == "none" else site.skips


class Block(nnx.Module):
    """A branch of layers joined to its input by the skip."""

    def __init__(
        self, make: MakeMap, case: Case, inputs: int, outputs: int, layer: int | Array, rngs: nnx.Rngs
    ) -> None:
        model: Any = case.model
        plan, layers = _PLANS[model.order], model.layers_per_block
        site = Site(inputs, case.depth, layer, rngs)
        self.branch = nnx.List([])
        for i in range(layers):
            last = i == layers - 1
            steps, reads = plan.last if last else plan.layer, outputs if i else inputs
            given: dict[str, Any] = {"bias_std": model.bias_std, "summands": summands(case, site) if last else 1}
            self.branch.append(Layer(steps, make, case, reads, outputs, layer, rngs, **given))
        self.skip = SKIPS.build(skip_in(case), site)
        self.joined = Layer(plan.joined, make, case, outputs, outputs, layer, rngs)
        if isinstance(self.skip, WeightRule):
            for i, each in enumerate(self.branch):
                each.linear.kernel[...] *= self.skip.gain(i + 1, layers)

    def __call__(self, h: Float[Array, "batch *place inputs"]) -> Float[Array, "batch *place outputs"]:
        """Map h_{l-1} to h_l."""
        branch = read(self.skip, h)
        for layer in self.branch:
            branch = layer(branch)
        return self.joined(self.skip(h, branch))


def no_stream_norm(case: Case) -> str | None:
    """Why the model's order has nothing to normalise the stream with, or None where it has."""
    model: Any = case.model
    lacks = model.order == "post_norm" and case.norm.name in ("none", *WEIGHT_NORMS)
    return f"order 'post_norm' needs a norm of the signal, not norm {case.norm.name!r}" if lacks else None


def backbone(case: Case, problem: Problem, scanned: bool, maps: Maps, *, features: int, places: int = 1) -> Stack:
    """Build the backbone of a case.

    Args:
        case: its model has the options `order`, `layers_per_block` and `bias_std`.
        problem: the sizes of its input and output, and its objective.
        scanned: whether blocks are to be scanned.
        maps: the linear maps.
        features: that the input layer reads at every place.
        places: how often the input layer and the blocks apply each map to one example.
    """
    model: Any = case.model
    plan = _PLANS[model.order]
    growth = getattr(case.skip, "growth", 0)  # of a skip that widens the stream block by block

    def layer(steps: Steps, make: MakeMap, inputs: int, outputs: int, **options: Any) -> Part:
        return Part(lambda rngs, number: Layer(steps, make, case, inputs, outputs, number, rngs, **options))

    def block(inputs: int) -> Part:
        return Part(lambda rngs, number: Block(maps.hidden, case, inputs, growth or inputs, number, rngs))

    widths = [case.width + growth * i for i in range(case.depth)]
    blocks = tuple(map(block, widths[:-1])) if growth else (block(case.width),) * (case.depth - 1)
    input_layer = layer(plan.input_layer, maps.input_layer, features, case.width, bias_std=model.bias_std, raw=True)
    output_layer = layer(plan.output_layer, maps.output_layer, widths[-1], problem.outputs)
    return Stack.of(
        case,
        problem,
        scanned,
        input_layer=input_layer,
        blocks=blocks,
        output_layer=output_layer,
        places=places,
    )
