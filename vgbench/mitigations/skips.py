"""Skips: how a block's input and its branch are joined."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float
from pydantic import Field

from vgbench.mitigations.site import Site
from vgbench.spec.registry import SKIPS, Positive

Stream = Float[Array, "*batch width"]
Skip = Callable[[Stream, Stream], Stream]


@SKIPS.register(source="the plain network")
def none(site: Site) -> Skip:
    """No skip: the branch alone goes on."""
    return lambda h, branch: branch


class Residual(nnx.Module):
    """stream_scale * h + scale * branch; the scale is a constant, one learned number, or one for each channel."""

    def __init__(self, shape: tuple[int, ...], scale: float, stream_scale: float, *, learned: bool) -> None:
        self.scale = nnx.Param(jnp.full(shape, scale, jnp.float32)) if learned else scale
        self.stream_scale = stream_scale

    def __call__(self, h: Stream, branch: Stream) -> Stream:
        """Join the two."""
        scale = self.scale[...] if isinstance(self.scale, nnx.Param) else self.scale
        return self.stream_scale * h + scale * branch


def _constant_channels(case: Any) -> str | None:
    idle = case.skip.per_channel and not case.skip.learned
    return "per_channel = true has no meaning for a scale that is not learned (learned = true)" if idle else None


@SKIPS.register(source="He, Zhang, Ren & Sun 2016", refuses=_constant_channels)
def residual(
    site: Site,
    *,
    scale: Annotated[float, Field(ge=0)] = 1.0,
    learned: bool = False,
    per_channel: bool = False,
    stream_scale: Positive = 1.0,
) -> Skip:
    """Identity skip: the block's input (times `stream_scale`) plus its branch (times `scale`)."""
    return Residual((site.width,) if per_channel else (), scale, stream_scale, learned=learned)


@SKIPS.register(source="Hanin & Rolnick 2018; Arpit, Campos & Bengio 2019")
def scaled(site: Site) -> Skip:
    """Residual with the branch over the root of the number of branches, so that no depth explodes."""
    return residual(site, scale=site.skips**-0.5)


@SKIPS.register(source="Bachlechner, Majumder, Mao, Cottrell & McAuley 2021")
def rezero(site: Site) -> Skip:
    """Residual with one learned scale a block that starts at 0: at first every block is the identity."""
    return residual(site, scale=0.0, learned=True)


@SKIPS.register(source="De & Smith 2020")
def skip_init(site: Site) -> Skip:
    """Proposed to replace batch norm; in this block the same function as ReZero."""
    return residual(site, scale=0.0, learned=True)


@SKIPS.register(source="Goyal et al. 2017")
def zero_gamma(site: Site) -> Skip:
    """Residual with a learned scale a channel that starts at 0, as the last norm of a branch has with gamma = 0."""
    return residual(site, scale=0.0, learned=True, per_channel=True)


@SKIPS.register(source="Touvron, Cord, Sablayrolles, Synnaeve & Jegou 2021")
def layer_scale(site: Site) -> Skip:
    """Residual with a learned scale a channel that starts small: 0.1 up to 18 layers, 1e-5 up to 24, 1e-6 beyond."""
    scale = 0.1 if site.depth <= 18 else 1e-5 if site.depth <= 24 else 1e-6
    return residual(site, scale=scale, learned=True, per_channel=True)


class WeightRule(ABC):
    """A skip that also scales the initial weights of its branch."""

    @abstractmethod
    def gain(self, layer: int, layers: int) -> float:
        """What multiplies the initial weights of a branch's layer (counted from 1)."""


def _without_post_norm(case: Any) -> str | None:
    if getattr(case.model, "order", None) == "post_norm":
        return None
    return f'it raises the stream before a norm: needs model = {{ name = "{case.model.name}", order = "post_norm" }}'


class DeepNorm(Residual, WeightRule):
    """alpha * h + branch, with alpha = skips^(1/4), and branches whose weights start beta = (4 skips)^(-1/4) times."""

    def __init__(self, site: Site) -> None:
        super().__init__((), 1.0, site.skips**0.25, learned=False)
        self.beta = (4 * site.skips) ** -0.25

    def gain(self, layer: int, layers: int) -> float:
        """Beta in every layer; of attention, in those of values and outputs."""
        return self.beta


@SKIPS.register(source="Wang et al. 2022", refuses=_without_post_norm)
def deep_norm(site: Site) -> Skip:
    """Post-norm residual: the stream times skips^(1/4), the branches' initial weights times (4 skips)^(-1/4)."""
    return DeepNorm(site)


class Highway(nnx.Module):
    """gate * branch + (1 - gate) * h with a learned gate that reads h."""

    def __init__(self, site: Site, gate_bias: float) -> None:
        bias = jax.nn.initializers.constant(gate_bias)
        self.gate = nnx.Linear(site.width, site.width, bias_init=bias, rngs=site.rngs)

    def __call__(self, h: Stream, branch: Stream) -> Stream:
        """Join the two."""
        gate = jax.nn.sigmoid(self.gate(h))
        return gate * branch + (1 - gate) * h


@SKIPS.register(source="Srivastava, Greff & Schmidhuber 2015")
def highway(site: Site, *, gate_bias: float = -2.0) -> Skip:
    """Highway: a learned gate mixes input and branch; a negative `gate_bias` starts near the identity."""
    return Highway(site, gate_bias)


def _unequal_blocks(case: Any) -> str | None:
    if case.timed_form == "scan" or case.block_execution == "scan":
        return (
            'its blocks differ in width, so they cannot be scanned: needs depth up to 64 or block_execution = "unroll"'
        )
    if getattr(case.model, "order", None) in ("post_activation", "post_norm"):
        return f"order {case.model.order!r} would transform what earlier blocks have added to the stream"
    return None


@SKIPS.register(source="Huang, Liu, van der Maaten & Weinberger 2017", refuses=_unequal_blocks)
def dense(site: Site, *, growth: Annotated[int, Field(ge=1)] = 8) -> Skip:
    """Dense connections: every branch appends `growth` features to a stream that all later layers read."""
    return lambda h, branch: jnp.concatenate([h, branch], axis=-1)


class StochasticDepth(nnx.Module):
    """Residual whose branch is left out of a whole training batch with a probability that grows with the layer."""

    def __init__(self, site: Site, survival: float) -> None:
        # The key as plain numbers: keys themselves cannot be stacked by numpy.
        self.key = nnx.Variable(jax.random.key_data(site.rngs.params()))
        self.batches = nnx.Variable(jnp.zeros((), jnp.uint32))
        self.survival = nnx.Variable(1 - (1 - survival) * jnp.asarray((site.layer - 1) / site.blocks, jnp.float32))
        self.deterministic = False

    def __call__(self, h: Stream, branch: Stream) -> Stream:
        """Join the two; the expected branch where deterministic."""
        if self.deterministic:
            return h + self.survival[...].astype(branch.dtype) * branch
        key = jax.random.fold_in(jax.random.wrap_key_data(self.key[...]), self.batches[...])
        self.batches[...] += 1
        # Drawn in float32 whatever the network computes in, so that the same blocks survive.
        survives = jax.random.uniform(key, dtype=jnp.float32) < self.survival[...]
        return h + survives * branch


@SKIPS.register(source="Huang, Sun, Liu, Sedra & Weinberger 2016")
def stochastic_depth(site: Site, *, survival: Annotated[float, Field(gt=0, le=1)] = 0.5) -> Skip:
    """Residual that drops branches in training: survival falls linearly from 1 to `survival` at the last block."""
    return StochasticDepth(site, survival)


class Fixup(nnx.Module, WeightRule):
    """h + scale * branch + bias, both learned scalars, with a rule for the branch's initial weights."""

    def __init__(self, site: Site) -> None:
        self.blocks = site.blocks
        self.scale = nnx.Param(jnp.ones((), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((), jnp.float32))

    def gain(self, layer: int, layers: int) -> float:
        """Zero in the last layer; the smaller in the others the more blocks there are."""
        return 0.0 if layer == layers else self.blocks ** (-1 / (2 * layers - 2))

    def __call__(self, h: Stream, branch: Stream) -> Stream:
        """Join the two."""
        return h + self.scale[...] * branch + self.bias[...]


def _without_fixup_branch(case: Any) -> str | None:
    fits = getattr(case.model, "order", None) == "pre_activation" and case.model.layers_per_block > 1
    if not fits or case.norm.name != "none":
        name = "convnet" if case.model.name == "convnet" else "mlp"
        return (
            "it initialises branches of two layers or more that end in a linear map, without a norm: needs"
            f' norm = "none" and model = {{ name = "{name}", order = "pre_activation", layers_per_block = 2 }}'
        )
    return None


@SKIPS.register(source="Zhang, Dauphin & Ma 2019", refuses=_without_fixup_branch)
def fixup(site: Site) -> Skip:
    """Fixup: residual without norms; the last matrix of a branch starts at 0, the others shrink with depth.

    The linear maps' own biases take the place of its scalar ones. The output layer is not set to 0, which would
    leave no gradient to measure.
    """
    return Fixup(site)
