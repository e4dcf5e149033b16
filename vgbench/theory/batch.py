"""Perceptrons with batch norm on real data, whose batch is far from the fixed point that the closed forms assume.

Two examples of the digits are correlated. A layer with batch norm keeps a share of that, rho, which is near 1 for an
activation that is nearly linear, and all of it passes a skip. The gradient depends on it for about 1 / |ln rho| layers.
"""

from functools import lru_cache, partial
from typing import Any

import numpy as np

from vgbench.spec.case import Case
from vgbench.spec.registry import ACTIVATIONS, Choice
from vgbench.theory.batch_network import STEPS, BatchNetwork
from vgbench.theory.layers import Layers, hidden_variance
from vgbench.theory.normalised import growth_of_one_example, kept_correlation
from vgbench.theory.prediction import NoTheory, Prediction, from_factors
from vgbench.theory.skip import skip_of

KEPT_BEYOND = 0.8
"""Of the correlations of a batch of digits, a layer. Those that ReLU leaves (0.73) change no decay by more than its
scatter; with tanh (0.93) the decay over 8 and 24 layers of 256 units is 0.045 and 0.041, at the fixed point 0.037."""
UNSTABLE_BEYOND = 1.01
_MOST_BLOCKS, _MOST_EXAMPLES = 1_000, 256
_WIDE = 4
"""Units for each example of a batch, from which on the limit of many units is near."""
_PRECISE, _TOO_NARROW = 0.02, 0.5
"""Share of a decay that fluctuations of few units add: up to which it stays within the scatter, and from which on it is
no longer predicted. With 64 sigmoids and 128 digits they add 0.0034 decades a layer over 64 layers, to 0.0115."""


def kept(activation: Choice) -> float:
    """The share of a small correlation of two examples that a layer of a plain network keeps."""
    return _kept(activation)  # pyright: ignore[reportArgumentType]  # frozen, so hashable


def growth(activation: Choice) -> float:
    """What a layer of a plain network multiplies a small excess of one example's variance by."""
    return _growth(activation)  # pyright: ignore[reportArgumentType]


@lru_cache(maxsize=64)
def _kept(activation: Choice) -> float:
    return kept_correlation(partial(ACTIVATIONS.build, activation))


@lru_cache(maxsize=64)
def _growth(activation: Choice) -> float:
    return growth_of_one_example(partial(ACTIVATIONS.build, activation))


def follows(case: Case) -> bool:
    """Whether the Gram matrix of a batch is known from the case, can be followed, and is far from its fixed point."""
    model: Any = case.model
    skip = skip_of(case)
    known = case.data.name == "digits" and model.name == "mlp" and model.order in STEPS
    if not known or case.norm.name != "batch" or skip is None or skip.gate_bias is not None:
        return False
    if hidden_variance(case, case.width, case.width, raw=False) is None or case.depth > _MOST_BLOCKS:
        return False
    joined = skip.stream != 0 or model.order == "norm_after_activation"
    far = joined or kept(case.activation) > KEPT_BEYOND or growth(case.activation) > UNSTABLE_BEYOND
    return far and case.batch_size <= _MOST_EXAMPLES


def predict_batch(case: Case) -> Prediction:
    """Predict a perceptron that `follows` is true of.

    Raises:
        NoTheory: it has so few units that their fluctuations count as much as the prediction.
    """
    skip = skip_of(case)
    assert skip
    factors = BatchNetwork(Layers(case)).factors(skip)
    notes = f"a width of {case.width} counts as large", "gradients independent of the weights", "batches of the data"
    rough = from_factors(factors, "order", ("Yang et al. 2019",), notes)
    # What N units make of a batch fluctuates, of which plain sigmoid and tanh networks' squared gradient grows by up to
    # 2 / N a layer, as measured; a residual one's by less, as a branch counts less.
    share = np.mean(1 - skip.stream**2 / factors) / (case.width * np.log(10)) / abs(rough.decay)
    if share > _TOO_NARROW:
        raise NoTheory(
            f"batch norm with {case.activation.name!r}: over {case.depth} layers of {case.width} units the batch"
            f" fluctuates so much that up to {share:.0%} of a predicted decay of {rough.decay:.2g} may come on top"
        )
    wide = case.width >= _WIDE * case.batch_size and share < _PRECISE and growth(case.activation) < UNSTABLE_BEYOND
    return from_factors(factors, "asymptotic", rough.sources, notes) if wide else rough
