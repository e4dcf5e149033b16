"""Optimizers: from (transformed) gradients and a learning rate to updates."""

from functools import partial
from typing import Annotated, Any

import jax
import optax
import optax.contrib
from jax import Array
from pydantic import Field

from vgbench.spec.registry import OPTIMIZERS, Positive

Rate = float | Array
Fraction = Annotated[float, Field(ge=0, lt=1)]
WeightDecay = Annotated[float, Field(ge=0)]


@OPTIMIZERS.register(source="Robbins & Monro 1951; Polyak 1964", scope="element")
def sgd(rate: Rate, *, momentum: Fraction = 0.9, nesterov: bool = False) -> optax.GradientTransformation:
    """Stochastic gradient descent with momentum (0 for none)."""
    return optax.sgd(rate, momentum=momentum or None, nesterov=nesterov)


@OPTIMIZERS.register(source="Bernstein, Wang, Azizzadenesheli & Anandkumar 2018", scope="element")
def sign_sgd(rate: Rate) -> optax.GradientTransformation:
    """Sign descent: every number moves by the learning rate, however small its gradient."""
    return optax.sign_sgd(rate)


@OPTIMIZERS.register(source="Tieleman & Hinton 2012", scope="element")
def rmsprop(rate: Rate, *, decay: Fraction = 0.9, eps: Positive = 1e-8) -> optax.GradientTransformation:
    """RMSprop: the gradient over its running root mean square; `eps` is inside the root."""
    return optax.rmsprop(rate, decay=decay, eps=eps)


@OPTIMIZERS.register(source="Kingma & Ba 2015", scope="element")
def adam(rate: Rate, *, b1: Fraction = 0.9, b2: Fraction = 0.999, eps: Positive = 1e-8) -> optax.GradientTransformation:
    """Adam: nearly invariant to the gradient's scale, down to `eps`."""
    return optax.adam(rate, b1=b1, b2=b2, eps=eps)


@OPTIMIZERS.register(source="Loshchilov & Hutter 2019", scope="element")
def adamw(
    rate: Rate, *, b1: Fraction = 0.9, b2: Fraction = 0.999, eps: Positive = 1e-8, weight_decay: WeightDecay = 1e-4
) -> optax.GradientTransformation:
    """Adam with decoupled weight decay."""
    return optax.adamw(rate, b1=b1, b2=b2, eps=eps, weight_decay=weight_decay)


@OPTIMIZERS.register(source="Chen et al. 2023", scope="element")
def lion(
    rate: Rate, *, b1: Fraction = 0.9, b2: Fraction = 0.99, weight_decay: WeightDecay = 0.0
) -> optax.GradientTransformation:
    """Lion: the sign of an interpolated momentum, exact at any scale of the gradient."""
    return optax.lion(rate, b1=b1, b2=b2, weight_decay=weight_decay)


@OPTIMIZERS.register(source="You, Gitman & Ginsburg 2017", scope="layer")
def lars(
    rate: Rate, *, momentum: Fraction = 0.9, trust_coefficient: Positive = 0.001, weight_decay: WeightDecay = 0.0
) -> optax.GradientTransformation:
    """LARS: momentum with a learning rate for each array in proportion to ||weights|| / ||gradient||."""
    return optax.lars(rate, weight_decay=weight_decay, trust_coefficient=trust_coefficient, momentum=momentum)


@OPTIMIZERS.register(source="You et al. 2020", scope="layer")
def lamb(
    rate: Rate, *, b1: Fraction = 0.9, b2: Fraction = 0.999, eps: Positive = 1e-6, weight_decay: WeightDecay = 0.0
) -> optax.GradientTransformation:
    """LAMB: Adam with a learning rate for each array in proportion to ||weights|| / ||update||."""
    return optax.lamb(rate, b1=b1, b2=b2, eps=eps, weight_decay=weight_decay)


@OPTIMIZERS.register(source="Jordan et al. 2024", scope="layer")
def muon(rate: Rate, *, beta: Fraction = 0.95, weight_decay: WeightDecay = 0.0) -> optax.GradientTransformation:
    """Muon: orthogonalised momentum for weight matrices, Adam for everything else.

    A convolution's kernel counts as the matrix that maps a patch to its outputs; optax alone would leave it to Adam.
    """

    def matrix(leaf: Array) -> optax.contrib.MuonDimensionNumbers | None:
        last = leaf.ndim - 1
        return optax.contrib.MuonDimensionNumbers(tuple(range(last)), last) if last > 0 else None

    dimensions: Any = partial(jax.tree.map, matrix)
    return optax.contrib.muon(rate, beta=beta, weight_decay=weight_decay, muon_weight_dimension_numbers=dimensions)
