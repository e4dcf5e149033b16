"""Why no theory covers a multilayer perceptron."""

from functools import lru_cache, partial
from typing import Any

from vgbench.mitigations.norms import SQUASHING
from vgbench.spec.case import Case
from vgbench.spec.registry import ACTIVATIONS, Choice
from vgbench.theory import normalised
from vgbench.theory.layers import ELEMENTWISE, hidden_variance, normalised_over
from vgbench.theory.skip import skip_of

_UNSTABLE_BEYOND = 1.01
_FEWEST = 8
_KEPT_BEYOND = 0.8
"""Of the correlations of a batch of digits, a layer. Those that ReLU leaves (0.73) change no decay by more than its
scatter; with tanh (0.93) the decay over 8 and 24 layers of 256 units is 0.045 and 0.041, at the fixed point 0.037."""

NORM_SOURCES = {
    "batch": ("Yang et al. 2019",),
    "layer": ("Yang & Schoenholz 2017", "Yang et al. 2019"),
    "rms": ("Yang & Schoenholz 2017",),
    "group": ("Yang et al. 2019",),
}
_NO_SKIP = {
    "stochastic_depth": "which branches are left out is drawn anew for every batch",
    "dense": "layers of a growing stream share the gradient unevenly: no closed form is known",
}


def uncovered(case: Case) -> str | None:
    """Why no theory covers an MLP."""
    checks = _skip_uncovered, _norm_uncovered, _init_uncovered, _order_uncovered, _batch_uncovered
    return next(filter(None, (check(case) for check in checks)), None)


def _skip_uncovered(case: Case) -> str | None:
    name = case.skip.name
    if name in _NO_SKIP:
        return f"skip {name!r}: {_NO_SKIP[name]}"
    return None if skip_of(case) else f"skip {name!r}: no theory of it is known here"


def _norm_uncovered(case: Case) -> str | None:
    name = case.norm.name
    if name in ELEMENTWISE:
        return None
    if name not in NORM_SOURCES:
        return f"norm {name!r}: no theory of it is known here"
    over = normalised_over(case)
    few = over < _FEWEST
    return f"norm {name!r} over {over} numbers: the integrals need at least {_FEWEST}" if few else None


def _init_uncovered(case: Case) -> str | None:
    name = case.init.name
    if name == "identity":
        return "init 'identity': its weights are not random, so that every layer repeats the one before"
    if name == "gpt2" and case.skip.name != "none":
        return "init 'gpt2': the last weights of a branch are smaller than the others, which is not followed here"
    unknown = hidden_variance(case, case.width, case.width, raw=False) is None and name != "lsuv"
    return f"init {name!r}: the variance of its weights is not known here" if unknown else None


def _order_uncovered(case: Case) -> str | None:
    model: Any = case.model
    bare = case.norm.name in ("none", "weight") and case.init.name != "lsuv" and case.skip.name != "highway"
    if model.order == "post_activation" and case.skip.name != "none" and not bare:
        return (
            "order 'post_activation': activations on the stream itself tie the gradient to the signal, which is"
            " followed through branches of weights and activations alone"
        )
    if model.order == "post_norm" and case.norm.name in SQUASHING:
        return f"norm {case.norm.name!r} on the stream itself ties the gradient to the signal"
    if model.order == "norm_after_activation" and case.norm.name in (*SQUASHING, "batch", "group"):
        return f"norm {case.norm.name!r} behind the activation reads a signal that is not Gaussian"
    return None


def _batch_uncovered(case: Case) -> str | None:
    model: Any = case.model
    if case.norm.name != "batch":
        return None
    if model.order == "post_norm" and model.layers_per_block > 1:
        return "batch norm after a branch of several layers: the inner ones are not normalised"
    growth = _growth(case.activation)  # pyright: ignore[reportArgumentType]
    if case.skip.name == "none" and growth > _UNSTABLE_BEYOND:
        return (
            f"batch norm with {case.activation.name!r}: single examples' variances grow by {growth - 1:.0%} a layer and"
            " leave the fixed point that the theory assumes (Yang et al. 2019)"
        )
    kept = _kept(case.activation)  # pyright: ignore[reportArgumentType]
    uncorrelated = case.data.name.startswith("gaussian")
    if case.skip.name == "none" and kept > _KEPT_BEYOND and not uncorrelated:
        return (
            f"batch norm with {case.activation.name!r}: a layer takes {1 - kept:.0%} of what examples of the data have"
            " in common, so that the batch is far from the fixed point that the theory assumes (Yang et al. 2019)"
        )
    return None


@lru_cache(maxsize=64)
def _kept(activation: Choice) -> float:
    return normalised.kept_correlation(partial(ACTIVATIONS.build, activation))


@lru_cache(maxsize=64)
def _growth(activation: Choice) -> float:
    return normalised.growth_of_one_example(partial(ACTIVATIONS.build, activation))
