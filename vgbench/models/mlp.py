"""The multilayer perceptron: an input layer, blocks of one or more layers joined to their input by the skip, a readout.

Its layers are a linear map (W), a norm (N) and an activation (A), in the model's order:

    order              input layer   block with k layers a branch         readout
    before_addition    W N A         skip(h, k x (W N A))                 W
    post_activation    W N A         A(skip(h, k x (W N A) less an A))    W
    pre_activation     W             skip(h, k x (N A W))                 N A W
    post_norm          W N           N(skip(h, k x (A W)))                W

Sources: He, Zhang, Ren & Sun 2016 (post_activation in Deep Residual Learning, before_addition and pre_activation in
Identity Mappings in Deep Residual Networks); Vaswani et al. 2017 (post_norm).
"""

from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

import jax
from flax import nnx
from jaxtyping import Array, Float
from pydantic import Field

from vgbench.case import Case
from vgbench.mitigations.initializers import Signal
from vgbench.mitigations.norms import reparametrised
from vgbench.mitigations.site import Site
from vgbench.mitigations.skips import Fixup
from vgbench.models.network import Part
from vgbench.models.stack import Stack
from vgbench.problem import Problem
from vgbench.registry import ACTIVATIONS, INITIALIZERS, MODELS, NORMS, SKIPS

Order = Literal["before_addition", "post_activation", "pre_activation", "post_norm"]
Steps = tuple[Literal["linear", "norm", "activation"], ...]


class _Plan(NamedTuple):
    """The steps of the input layer, of a branch's layers and its last, after the skip, and of the readout."""

    entry: Steps
    layer: Steps
    last: Steps
    joined: Steps
    readout: Steps


_PLANS: dict[Order, _Plan] = {
    "before_addition": _Plan(
        entry=("linear", "norm", "activation"),
        layer=("linear", "norm", "activation"),
        last=("linear", "norm", "activation"),
        joined=(),
        readout=("linear",),
    ),
    "post_activation": _Plan(
        entry=("linear", "norm", "activation"),
        layer=("linear", "norm", "activation"),
        last=("linear", "norm"),
        joined=("activation",),
        readout=("linear",),
    ),
    "pre_activation": _Plan(
        entry=("linear",),
        layer=("norm", "activation", "linear"),
        last=("norm", "activation", "linear"),
        joined=(),
        readout=("norm", "activation", "linear"),
    ),
    "post_norm": _Plan(
        entry=("linear", "norm"),
        layer=("activation", "linear"),
        last=("activation", "linear"),
        joined=("norm",),
        readout=("linear",),
    ),
}


def _linear(case: Case, inputs: int, outputs: int, bias_std: float, rngs: nnx.Rngs, *, raw: bool) -> nnx.Linear:
    return nnx.Linear(
        inputs,
        outputs,
        kernel_init=INITIALIZERS.build(case.init, Signal(case.activation, bias_std, raw)),
        bias_init=jax.nn.initializers.normal(bias_std) if bias_std else jax.nn.initializers.zeros,
        rngs=rngs,
    )


class Layer(nnx.Module):
    """Some of a linear map, a norm and an activation, one after the other."""

    def __init__(
        self,
        steps: Steps,
        case: Case,
        inputs: int,
        outputs: int,
        layer: int | Array,
        rngs: nnx.Rngs,
        *,
        bias_std: float = 0.0,
        raw: bool = False,
    ) -> None:
        self.steps = steps
        linear = _linear(case, inputs, outputs, bias_std, rngs, raw=raw) if "linear" in steps else None
        if "norm" in steps:
            width = outputs if steps[0] == "linear" else inputs
            self.norm = NORMS.build(case.norm, Site(width, case.depth, layer, rngs))
        if linear:
            self.linear = reparametrised(self.norm, linear) if "norm" in steps else linear
        if "activation" in steps:
            self.activation = partial(ACTIVATIONS.build, case.activation)

    def __call__(self, h: Float[Array, "batch inputs"]) -> Float[Array, "batch outputs"]:
        """Take the steps."""
        for step in self.steps:
            h = getattr(self, step)(h)
        return h


class Block(nnx.Module):
    """A branch of layers joined to its input by the skip."""

    def __init__(self, case: Case, inputs: int, outputs: int, layer: int | Array, rngs: nnx.Rngs) -> None:
        model: Any = case.model
        plan, layers = _PLANS[model.order], model.layers_per_block
        self.branch = nnx.List([])
        for i in range(layers):
            steps = plan.layer if i < layers - 1 else plan.last
            reads = outputs if i else inputs
            self.branch.append(Layer(steps, case, reads, outputs, layer, rngs, bias_std=model.bias_std))
        self.skip = SKIPS.build(case.skip, Site(inputs, case.depth, layer, rngs))
        self.joined = Layer(plan.joined, case, outputs, outputs, layer, rngs)
        if isinstance(self.skip, Fixup):
            for i, each in enumerate(self.branch):
                each.linear.kernel[...] *= self.skip.gain(i + 1, layers)

    def __call__(self, h: Float[Array, "batch inputs"]) -> Float[Array, "batch outputs"]:
        """Map h_{l-1} to h_l."""
        branch = h
        for layer in self.branch:
            branch = layer(branch)
        return self.joined(self.skip(h, branch))


def _no_stream_norm(case: Case) -> str | None:
    model: Any = case.model
    lacks = model.order == "post_norm" and case.norm.name in ("none", "weight")
    return f"order 'post_norm' wants a norm of the signal, not norm {case.norm.name!r}" if lacks else None


@MODELS.register(source="Rumelhart, Hinton & Williams 1986", refuses=_no_stream_norm)
def mlp(
    case: Case,
    problem: Problem,
    scanned: bool,
    *,
    bias_std: Annotated[float, Field(ge=0)] = 0.0,
    order: Order = "before_addition",
    layers_per_block: Annotated[int, Field(ge=1)] = 1,
) -> Stack:
    """Multilayer perceptron of equal width, with norm, activation and skip in the given order.

    `bias_std` is the initial standard deviation of hidden biases.
    """
    plan = _PLANS[order]
    growth = getattr(case.skip, "growth", 0)  # of a skip that widens the stream block by block

    def block(inputs: int) -> Part:
        return Part(lambda rngs, layer: Block(case, inputs, growth or inputs, layer, rngs))

    widths = [case.width + growth * i for i in range(case.depth)]
    blocks = tuple(map(block, widths[:-1])) if growth else (block(case.width),) * (case.depth - 1)
    reads = problem.features
    entry = Part(
        lambda rngs, layer: Layer(plan.entry, case, reads, case.width, layer, rngs, bias_std=bias_std, raw=True)
    )
    readout = Part(lambda rngs, layer: Layer(plan.readout, case, widths[-1], problem.outputs, layer, rngs))
    first, others = entry.weights, sum(part.weights for part in (*blocks, readout))
    return Stack(
        entry=entry,
        blocks=blocks,
        readout=readout,
        scanned=scanned,
        problem=problem,
        dtype=case.dtype,
        remat=case.remat,
        forward_flops=2 * (first + others),
        backward_flops=2 * (first + 2 * others),  # the input layer passes no gradient on
    )
