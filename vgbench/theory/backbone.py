"""Multilayer perceptrons of any order, norm and skip by mean field: second moments forward, squared gradients back.

Of the stream only numbers are carried from block to block: its mean square over units (over the examples of a batch its
variance, where batch norm takes out the mean) and its mean. Weights are independent of the signal that they multiply,
and so are branch and stream: a block multiplies the squared gradient by stream_scale^2 + branch_scale^2 * (the branch's
own factor), whatever the branch is (Yang & Schoenholz 2017).
"""

import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from vgbench.spec.case import Case
from vgbench.theory.after_addition import factors_after_addition
from vgbench.theory.batch import follows, predict_batch
from vgbench.theory.inputs import last_gradient
from vgbench.theory.layers import ELEMENTWISE, Layers, Sizes, Through, hidden_variance
from vgbench.theory.prediction import Kind, NoTheory, Prediction, from_factors
from vgbench.theory.skip import ZERO_SOURCES, Skip, join, skip_of
from vgbench.theory.uncovered import NORM_SOURCES, uncovered

_STRAYS_BEYOND = 0.1
_SCALE_FREE_WITHIN = 1e-6
_COMMON_SHARE = 0.03
"""Of the squared gradient along one direction; it begins as one of `width`."""

MEAN_FIELD = "Poole et al. 2016", "Schoenholz et al. 2017"


def predict_backbone(case: Case) -> Prediction:
    """Predict an MLP.

    Raises:
        NoTheory: no theory covers it.
    """
    exact = _exact(case)
    if exact:
        return exact
    reason = uncovered(case)
    if reason:
        raise NoTheory(reason)
    if follows(case):
        return predict_batch(case)
    layers = Layers(case)
    if _ties(case):
        return _after_addition(layers)
    walked = _walk(layers)
    sources = MEAN_FIELD if case.skip.name == "none" and case.norm.name in ELEMENTWISE else ()
    sources += NORM_SOURCES.get(case.norm.name, ())
    if case.skip.name != "none" and "Yang & Schoenholz 2017" not in sources:
        sources += ("Yang & Schoenholz 2017",)
    assumptions = _assumptions(layers, walked.strays)
    # What a width leaves is no longer known to the width's own precision.
    kind: Kind = "order" if walked.strays > _STRAYS_BEYOND else "asymptotic"
    return from_factors(walked.factors, kind, sources, assumptions, walked.last)


def _ties(case: Case) -> bool:
    """Whether activations on the stream itself tie the gradient to the signal."""
    model: Any = case.model
    return model.order == "post_activation" and case.skip.name != "none"


def _after_addition(layers: Layers) -> Prediction:
    skip, width = skip_of(layers.case), layers.case.width
    assert skip
    notes = (
        f"a width of {width} counts as large: along one direction of {width} the gradient grows faster",
        "inputs of the same size",
    )
    return from_factors(factors_after_addition(layers, skip), "order", ("Yang & Schoenholz 2017",), notes)


class _Walk(NamedTuple):
    """What `_walk` finds, for each size of input.

    Attributes:
        factors: of the squared gradient, for every block.
        strays: by how much these factors stray at this width, in proportion.
        last: squared gradient in the last layer.
    """

    factors: Float[np.ndarray, "gaps sizes"]
    strays: float
    last: Float[np.ndarray, "sizes"]


def _walk(layers: Layers) -> _Walk:
    model: Any = layers.case.model
    gaps, width = layers.case.depth - 1, layers.case.width
    stream, deviation, strays, common = _input_layer(layers, model.order), 0.0, 0.0, 1.0
    has_norm = layers.case.norm.name not in ELEMENTWISE
    blocks: list[Through] = []
    while len(blocks) < gaps:
        through = _block(layers, model.order, stream)
        common *= _common_growth(layers, stream) ** 2 / through.factor
        if np.mean(common) > _COMMON_SHARE * width:
            raise NoTheory(
                f"activations of {layers.case.activation.name!r} have a mean that adds up on the stream, along which"
                " the gradient outgrows what independent weights give"
            )
        # A norm sets deviations of a width right again.
        sensitivity = _Sensitivity(0, 0) if has_norm else _sensitivity(layers, model.order, stream, through)
        deviation = math.hypot(deviation * sensitivity.power, (5 / width) ** 0.5)
        strays = max(strays, abs(sensitivity.factor) * deviation)
        settled = np.allclose(through.power, stream.power, rtol=1e-12, atol=0) and np.all(through.mean == stream.mean)
        blocks.append(through)
        if settled and sensitivity.power < 1 + _SCALE_FREE_WITHIN:  # it repeats itself to the last block
            left = gaps - len(blocks)
            # Where no deviation dies out, as in a network of ReLUs, those of all layers add up.
            grown = (deviation**2 + left * 5 / width) ** 0.5 if sensitivity.power > 1 - _SCALE_FREE_WITHIN else 0.0
            strays = max(strays, abs(sensitivity.factor) * grown)
            blocks += [through] * left
        stream = through
    sizes = layers.inputs.mean_square.shape
    read = layers.normalise_and_activate(stream.power).power if model.order == "pre_activation" else stream.power
    logits = np.broadcast_to(layers.logits(read), sizes)
    return _Walk(np.stack([np.broadcast_to(at.factor, sizes) for at in blocks]), strays, last_gradient(logits))


def _exact(case: Case) -> Prediction | None:
    """What holds for every network, not only on average."""
    model: Any = case.model
    gaps = case.depth - 1
    kind: Kind = "exact"
    if gaps == 0:
        return from_factors(np.empty(0), kind, (), ("one hidden layer",))
    skip = Skip(1.0, 0.0) if case.skip.name == "fixup" else skip_of(case)
    if skip and skip.branch == 0 and model.order in ("before_addition", "norm_after_activation", "pre_activation"):
        sources = ZERO_SOURCES.get(case.skip.name, ("Bachlechner et al. 2021",))
        return from_factors(np.full(gaps, skip.stream**2), kind, sources, ("every branch starts at zero",))
    isometric = case.init.name in ("orthogonal", "identity") and case.activation.name == "linear"
    if isometric and case.skip.name == "none" and case.norm.name in ("none", "weight"):
        factor = (hidden_variance(case, case.width, case.width, raw=False) or 1.0) ** model.layers_per_block
        sources = ("Saxe, McClelland & Ganguli 2014",)
        return from_factors(np.full(gaps, factor), kind, sources, ("square layers",))
    return None


def _input_layer(layers: Layers, order: str) -> Through:
    size = layers.inputs.mean_square
    # A batch norm sees all sizes together.
    z = layers.linear(size.mean() if layers.case.norm.name == "batch" else size, raw=True)
    if order == "pre_activation":
        return z
    if order == "post_norm":
        return layers.normalise(z.power)
    if order == "norm_after_activation":
        return layers.activate_and_normalise(z.power)
    return layers.normalise_and_activate(z.power)


def _block(layers: Layers, order: str, stream: Through) -> Through:
    """The moments of the stream after a block, and the block's factor."""
    model: Any = layers.case.model
    branch = Through(stream.power, stream.mean, 1.0)
    for i in range(model.layers_per_block):
        for step in _steps(layers, order, first=i == 0):
            after = step(branch.power)
            branch = Through(after.power, after.mean, branch.factor * after.factor)
    joined = join(layers.case, stream, branch)
    if order != "post_norm":
        return joined
    normal = layers.normalise(joined.power)
    return Through(normal.power, 0.0, joined.factor * normal.factor)


def _steps(layers: Layers, order: str, *, first: bool) -> tuple[Any, ...]:
    if order == "pre_activation":
        return layers.normalise_and_activate, layers.linear
    if order == "post_norm":
        return (lambda _: layers.activate_normalised()) if first else layers.activate, layers.linear
    if order == "norm_after_activation":
        return layers.linear, layers.activate_and_normalise
    return layers.linear, layers.normalise_and_activate


def _common_growth(layers: Layers, stream: Through) -> Sizes:
    """What a block multiplies the gradient by along the direction in which all units agree, without a random sign.

    Activations with a mean add up there on the stream, and weights are correlated with the slopes that they decide:
    stream + branch * weight_variance * E[h] E[phi'']. A norm takes it out again.
    """
    case, skip = layers.case, skip_of(layers.case)
    model: Any = case.model
    adds_up = model.order in ("before_addition", "norm_after_activation") and case.norm.name in ELEMENTWISE
    if skip is None or not adds_up or skip.stream == 0 or skip.gate_bias is not None:
        return 0.0
    inner = layers.linear(stream.power)
    return skip.stream + skip.branch * inner.factor * stream.mean * layers.curves(inner.power).curvature


class _Sensitivity(NamedTuple):
    """By how many per cent a block's outcome changes where the stream's mean square is a per cent larger."""

    power: float
    factor: float


def _sensitivity(layers: Layers, order: str, stream: Through, at: Through) -> _Sensitivity:
    step = 1.001
    moved = _block(layers, order, stream._replace(power=stream.power * step, mean=stream.mean * step**0.5))
    at = _block(layers, order, stream)
    changes = (moved.power, at.power), (moved.factor, at.factor)
    return _Sensitivity(*(float(np.mean(np.log(a / b))) / math.log(step) for a, b in changes))


def _assumptions(layers: Layers, strays: float) -> tuple[str, ...]:
    case = layers.case
    notes = [f"a width of {case.width} counts as large", "gradients independent of the weights"]
    if not layers.inputs.known:
        notes.append(f"{layers.inputs.features} inputs of mean square 1 in every example")
    if case.norm.name == "batch":
        notes.append("the batch has reached its fixed point")
    if strays > _STRAYS_BEYOND:
        notes.append(f"near an unstable point, which this width leaves: factors may be off by {strays:.0%}")
    return tuple(notes)
