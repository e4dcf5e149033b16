"""Optimizers that find the size of their steps themselves.

Rprop's steps begin at the learning rate, those of Polyak and MoMo are at most as large, COCOB has no learning rate, and
all others multiply their steps by it.
"""

from typing import Annotated, TypeAlias

import optax
import optax.contrib
from pydantic import Field

from vgbench.mitigations.optimizers import Fraction, Rate, WeightDecay
from vgbench.spec.registry import OPTIMIZERS, Positive

Transformation: TypeAlias = optax.GradientTransformation
Bound = Annotated[float, Field(ge=0)]


@OPTIMIZERS.register(source="Riedmiller & Braun 1993", scope="element")
def rprop(
    rate: Rate,
    *,
    eta_minus: Fraction = 0.5,
    eta_plus: Annotated[float, Field(gt=1)] = 1.2,
    min_step_size: Positive = 1e-6,
    max_step_size: Positive = 50.0,
) -> Transformation:
    """Rprop: steps of the gradient's sign, which grow while that stays and shrink when it changes."""
    return optax.rprop(rate, eta_minus, eta_plus, min_step_size, max_step_size)


@OPTIMIZERS.register(source="Orabona & Tommasi 2017", scope="element")
def cocob(rate: Rate, *, alpha: Positive = 100.0, eps: Positive = 1e-8) -> Transformation:
    """COCOB: the size of every number's step by betting on its gradients; every learning rate gives the same steps."""
    return optax.contrib.cocob(rate, alpha, eps)


@OPTIMIZERS.register(source="Bernstein, Vahdat, Yue & Liu 2020", scope="layer")
def fromage(rate: Rate, *, min_norm: Positive = 1e-6) -> Transformation:
    """Fromage: steps in proportion to the norm of their array, and weights shrunk so that they do not grow."""
    return optax.fromage(rate, min_norm)


@OPTIMIZERS.register(source="Ivgi, Hinder & Carmon 2023", scope="global")
def dog(rate: Rate, *, first_step: Positive = 1e-6, eps: Positive = 1e-8) -> Transformation:
    """DoG: the distance from the start over the root of the summed squared gradient norms."""
    return optax.contrib.dog(rate, ("heuristic", first_step), eps)


@OPTIMIZERS.register(source="Khaled, Mishchenko & Jin 2023", scope="global")
def dowg(rate: Rate, *, eps: Positive = 1e-4) -> Transformation:
    """DoWG: DoG with gradient norms weighted by the distances at which they were seen."""
    return optax.contrib.dowg(rate, eps=eps)


@OPTIMIZERS.register(source="Defazio & Mishchenko 2023", scope="global")
def dadapt_adamw(rate: Rate, *, estim_lr0: Positive = 1e-6, weight_decay: WeightDecay = 0.0) -> Transformation:
    """D-Adaptation: Adam whose step size follows a lower bound of the distance to the solution."""
    return optax.contrib.dadapt_adamw(rate, estim_lr0=estim_lr0, weight_decay=weight_decay)


@OPTIMIZERS.register(source="Mishchenko & Defazio 2024", scope="global")
def prodigy(
    rate: Rate, *, estim_lr0: Positive = 1e-6, weight_decay: WeightDecay = 0.0, safeguard_warmup: bool = False
) -> Transformation:
    """Prodigy: D-Adaptation that approaches the distance faster."""
    return optax.contrib.prodigy(
        rate, estim_lr0=estim_lr0, weight_decay=weight_decay, safeguard_warmup=safeguard_warmup
    )


@OPTIMIZERS.register(source="Loizou, Vaswani, Laradji & Lacoste-Julien 2021", scope="global")
def polyak_sgd(rate: Rate, *, f_min: float = 0.0, eps: Bound = 0.0) -> Transformation:
    """Polyak's step: the loss above `f_min` over the squared gradient norm, at most the learning rate."""
    return optax.polyak_sgd(rate, f_min=f_min, eps=eps)


@OPTIMIZERS.register(source="Schaipp, Ohana, Eickenberg, Defazio & Gower 2024", scope="global")
def momo(rate: Rate, *, beta: Fraction = 0.9, lower_bound: float = 0.0) -> Transformation:
    """MoMo: momentum with Polyak's step, from a model of the loss and its `lower_bound`."""
    return optax.contrib.momo(rate, beta, lower_bound)


@OPTIMIZERS.register(source="Schaipp, Ohana, Eickenberg, Defazio & Gower 2024", scope="global")
def momo_adam(
    rate: Rate, *, b1: Fraction = 0.9, b2: Fraction = 0.999, eps: Positive = 1e-8, lower_bound: float = 0.0
) -> Transformation:
    """MoMo-Adam: Adam with Polyak's step, from a model of the loss and its `lower_bound`."""
    return optax.contrib.momo_adam(rate, b1, b2, eps, lower_bound)
