"""Why no theory covers a multilayer perceptron."""

from typing import Any

from vgbench.mitigations.norms import SQUASHING
from vgbench.spec.case import Case
from vgbench.theory.batch import KEPT_BEYOND, UNSTABLE_BEYOND, follows, growth, kept
from vgbench.theory.layers import ELEMENTWISE, hidden_variance, normalised_over
from vgbench.theory.skip import skip_of

_FEWEST = 8

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
    unlike = case.norm.name in (*SQUASHING, "batch", "group")
    if model.order == "norm_after_activation" and unlike and not follows(case):
        return f"norm {case.norm.name!r} behind the activation reads a signal that is not Gaussian"
    return None


def _batch_uncovered(case: Case) -> str | None:
    model: Any = case.model
    if case.norm.name != "batch":
        return None
    if model.order == "post_norm" and model.layers_per_block > 1:
        return "batch norm after a branch of several layers: the inner ones are not normalised"
    if follows(case) or case.skip.name != "none":
        return None
    grown, held = growth(case.activation), kept(case.activation)
    if grown > UNSTABLE_BEYOND:
        return (
            f"batch norm with {case.activation.name!r}: single examples' variances grow by {grown - 1:.0%} a layer and"
            " leave the fixed point that the theory assumes (Yang et al. 2019)"
        )
    if held > KEPT_BEYOND and not case.data.name.startswith("gaussian"):
        return (
            f"batch norm with {case.activation.name!r}: a layer takes {1 - held:.0%} of what examples of the data have"
            " in common, so that the batch is far from the fixed point that the theory assumes (Yang et al. 2019)"
        )
    return None
