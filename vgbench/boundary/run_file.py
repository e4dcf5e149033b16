"""The run file: what was recorded of a training run, in whatever framework, a line of JSON for each record.

The first line may be a `Header`, known by its field `format`; every other line is a `Record`. Only `step` is needed.
Fields that are absent or null were not recorded; fields of other names are their writer's own and are passed over.

JSON has no infinity. Numbers that are not finite are written as the strings "-inf", "inf" and "nan" (readers also take
the words -Infinity, Infinity and NaN, as Python's `json` writes them). So the log10 norm of a gradient of zeros alone
is "-inf", that of one that holds an infinity is "inf", that of one that holds a NaN is "nan", and one that was not
recorded is null.
"""

import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema

FORMAT: Final = "vgbench-run"
VERSION: Final = 1
HISTOGRAM_EDGES = tuple(10.0**exponent for exponent in range(-36, 3, 2))
"""Edges of the histogram of |g|: every other decade from 1e-36 to 1e2."""
NONFINITE = {"-inf": -float("inf"), "inf": float("inf"), "nan": float("nan")}
"""How numbers that are not finite are written."""

Broken = Literal["loss", "gradients", "updates", "parameters"]
"""What can first hold a number that is not finite."""


def _number(value: Any) -> Any:
    if isinstance(value, str) and value in NONFINITE:
        return NONFINITE[value]
    scalar = isinstance(value, numbers.Real) or getattr(value, "shape", None) == ()
    if scalar and not isinstance(value, bool):
        return float(value)
    raise ValueError('needs a number, "-inf", "inf" or "nan"')


def _count(value: Any) -> Any:
    scalar = isinstance(value, numbers.Integral) or getattr(value, "shape", None) == ()
    if scalar and not isinstance(value, bool) and value == int(value):
        return int(value)
    raise ValueError("needs an integer")


Number = Annotated[
    float, BeforeValidator(_number), WithJsonSchema({"anyOf": [{"type": "number"}, {"enum": [*NONFINITE]}]})
]
"""A number, of Python, NumPy or a framework; the strings of `NONFINITE` stand for what is not finite."""
Count = Annotated[int, Field(ge=0, lt=2**63), BeforeValidator(_count)]
"""An integer from 0, of Python, NumPy or a framework."""
_CONFIG = ConfigDict(extra="ignore")


@dataclass(frozen=True, kw_only=True)
class Moments:
    """How large the numbers of an array of the batch are.

    Attributes:
        dtype: name of its dtype, such as "float32".
        mean: of all numbers.
        deviation: their standard deviation.
        largest: their largest magnitude.
    """

    __pydantic_config__ = _CONFIG
    dtype: str | None = None
    mean: Number | None = None
    deviation: Number | None = None
    largest: Number | None = None


@dataclass(frozen=True, kw_only=True)
class Header:
    """What holds for the whole run.

    Attributes:
        format: "vgbench-run".
        version: of the format, 1.
        framework: what trained, such as "flax.nnx", "equinox" or "torch".
        dtype: of the gradients, such as "float32", "bfloat16" or "float16"; the narrowest where there are several.
        classes: how many classes a classifier tells apart.
        chance_loss: training loss of the best constant answer, such as ln(classes) for balanced classes.
        chance_accuracy: accuracy of the best constant answer, 0 to 1.
        every: steps from one record to the next.
        nonfinite_since: the step at which a number that is not finite was first seen, for each of "loss",
            "gradients", "updates" and "parameters" that had one; what is absent had none, if the field is there.
        batch: the arrays of the batch that modules were recorded on, by their place in it.
    """

    __pydantic_config__ = _CONFIG
    format: Literal["vgbench-run"] = FORMAT
    version: Literal[1] = VERSION
    framework: str | None = None
    dtype: str | None = None
    classes: Count | None = None
    chance_loss: Number | None = None
    chance_accuracy: Number | None = None
    every: Count | None = None
    nonfinite_since: Mapping[Broken, Count] | None = None
    batch: Mapping[str, Moments] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One array of weights (two axes, or one where none has two) at one record; of stacked layers, one of them.

    Attributes:
        gradient: log10 of the norm of dL/dW, as the optimizer gets it; "-inf" of zeros alone.
        weight: log10 of the norm of W before the update.
        update: log10 of the norm of what is added to W; "-inf" where nothing is.
        exact_to: log10 of the magnitude below which numbers of the gradient read zero.
        zero: share of the gradient's numbers that are zero, or that the dtype flushes to zero.
        nonfinite: share of the gradient's numbers that are not finite.
        histogram: share of the gradient's numbers below the first of `HISTOGRAM_EDGES` (zeros too), between each two,
            and above the last: 21 shares.
        moved: ||W - W_0|| / ||W_0||, W_0 the weights at the first update, of all numbers or an evenly spaced sample of
            them; NaN where those are zeros alone.
        cosine: of the update and the negative gradient; NaN where one of them is zeros alone.
        swallowed: share of the numbers of W whose update is not zero and that stay the same all the same, since the
            dtype rounds the sum back: w + u == w.
        bias: log10 of the norm of dL/db, of the bias b of these weights: as its layer's output is Wx + b, the sum over
            examples of the signal that arrives there.
        fan_in: how many numbers W has for each of b: with b's, the gradient of W shows the size of x.
        dtype: of W.
    """

    __pydantic_config__ = _CONFIG
    gradient: Number | None = None
    weight: Number | None = None
    update: Number | None = None
    exact_to: Number | None = None
    zero: Number | None = None
    nonfinite: Number | None = None
    histogram: tuple[Number, ...] | None = None
    moved: Number | None = None
    cosine: Number | None = None
    swallowed: Number | None = None
    bias: Number | None = None
    fan_in: Count | None = None
    dtype: str | None = None


@dataclass(frozen=True, kw_only=True)
class Module:
    """The output h of one module, or a tapped point, at one record; of a point in a loop, one of its iterations.

    Units are the entries of the last axis, examples all the others, unless a field says otherwise.

    Attributes:
        signal: log10 ||dL/dh||; "-inf" where it is exactly zero.
        exact_to: log10 of the magnitude below which numbers of dL/dh read zero in this pass: a `signal` well above it
            is exact, one near it or of "-inf" may be larger. In a pass that is renormalised it lies far below what the
            dtype holds.
        scale: log10 of the root mean square of h.
        spread: log10 of the root mean square of h with its mean over the examples taken off: how large the part of
            the signal is that tells inputs apart; "-inf" where all examples have become one.
        largest: largest magnitude in h.
        mean: of h.
        kurtosis: of h, E(h - mean)^4 / (E(h - mean)^2)^2: 3 of a normal distribution.
        zero: share of exact zeros in h.
        activation: name of the function that h is given to, or that gave it, where it is known, such as "relu".
        dead: share of units with slope zero for every example: of a rectifier, zero for all of them.
        saturated: share of units and examples that lie on a flat end of the activation.
        distance: log10 of the mean of 1 - cosine over pairs of different examples (first axis); "-inf" where all have
            become one but for their length.
        largest_logit: of attention, the largest score before the softmax.
        entropy: of attention, for each head the mean entropy of its weights in nats.
    """

    __pydantic_config__ = _CONFIG
    signal: Number | None = None
    exact_to: Number | None = None
    scale: Number | None = None
    spread: Number | None = None
    largest: Number | None = None
    mean: Number | None = None
    kurtosis: Number | None = None
    zero: Number | None = None
    activation: str | None = None
    dead: Number | None = None
    saturated: Number | None = None
    distance: Number | None = None
    largest_logit: Number | None = None
    entropy: tuple[Number, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Record:
    """What was seen at one step. Layers and modules are in the order of the forward pass, the input first.

    Attributes:
        step: updates made before this record.
        loss: mean of the finite training losses since the record before (at the first, of the first step).
        losses: the last training losses before this record, this step's last.
        nonfinite_losses: how many training losses since the record before were not finite; a `loss` that is null with
            a count above 0 means that none was.
        validation_loss: on data that are not trained on.
        accuracy: on such data, 0 to 1.
        learning_rate: of this step.
        loss_scale: what the loss is multiplied by before gradients are taken, where they are divided by it again.
        nonfinite_since: as in the header, as far as it is known at this record, for those who write while they train.
        layers: arrays of weights by name.
        modules: outputs of modules and tapped points by name.
    """

    __pydantic_config__ = _CONFIG
    step: Count
    loss: Number | None = None
    losses: tuple[Number, ...] | None = None
    nonfinite_losses: Count | None = None
    validation_loss: Number | None = None
    accuracy: Number | None = None
    learning_rate: Number | None = None
    loss_scale: Number | None = None
    nonfinite_since: Mapping[Broken, Count] | None = None
    layers: Mapping[str, Layer] = field(default_factory=dict)
    modules: Mapping[str, Module] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A whole run.

    Attributes:
        header: what holds for all records.
        records: in the order of the file.
    """

    header: Header
    records: tuple[Record, ...]

    @property
    def nonfinite_since(self) -> Mapping[Broken, int] | None:
        """The first steps with a number that is not finite, of header and records; None where it was not recorded."""
        said = [each.nonfinite_since for each in (self.header, *self.records) if each.nonfinite_since is not None]
        if not said:
            return None
        kinds: list[Broken] = [kind for found in said for kind in found]
        return {kind: min(found[kind] for found in said if kind in found) for kind in dict.fromkeys(kinds)}
