"""Optimizers that give every number, row or array a step size of its own, as Adam does."""

from typing import Annotated, TypeAlias

import optax
import optax.contrib
from pydantic import Field

from vgbench.mitigations.optimizers import Fraction, Rate, WeightDecay
from vgbench.spec.registry import OPTIMIZERS, Positive

Transformation: TypeAlias = optax.GradientTransformation


@OPTIMIZERS.register(source="Duchi, Hazan & Singer 2011", scope="element")
def adagrad(rate: Rate, *, initial_accumulator_value: Positive = 0.1, eps: Positive = 1e-7) -> Transformation:
    """Adagrad: the gradient over the root of the sum of its squares since the first step."""
    return optax.adagrad(rate, initial_accumulator_value, eps)


@OPTIMIZERS.register(source="Zeiler 2012", scope="element")
def adadelta(rate: Rate, *, rho: Fraction = 0.9, eps: Positive = 1e-6) -> Transformation:
    """Adadelta: the gradient scaled by the running root mean squares of updates over gradients."""
    return optax.adadelta(rate, rho, eps)


@OPTIMIZERS.register(source="Kingma & Ba 2015", scope="element")
def adamax(rate: Rate, *, b1: Fraction = 0.9, b2: Fraction = 0.999, eps: Positive = 1e-8) -> Transformation:
    """AdaMax: Adam with a decaying maximum in place of the second moment."""
    return optax.adamax(rate, b1, b2, eps)


@OPTIMIZERS.register(source="Dozat 2016", scope="element")
def nadam(rate: Rate, *, b1: Fraction = 0.9, b2: Fraction = 0.999, eps: Positive = 1e-8) -> Transformation:
    """NAdam: Adam with Nesterov's momentum."""
    return optax.nadam(rate, b1, b2, eps)


@OPTIMIZERS.register(source="Reddi, Kale & Kumar 2018", scope="element")
def amsgrad(rate: Rate, *, b1: Fraction = 0.9, b2: Fraction = 0.999, eps: Positive = 1e-8) -> Transformation:
    """AMSGrad: Adam whose second moment never falls."""
    return optax.amsgrad(rate, b1, b2, eps)


@OPTIMIZERS.register(source="Zaheer, Reddi, Sachan, Kale & Kumar 2018", scope="element")
def yogi(rate: Rate, *, b1: Fraction = 0.9, b2: Fraction = 0.999, eps: Positive = 1e-3) -> Transformation:
    """Yogi: Adam whose second moment changes by a bounded amount at each step."""
    return optax.yogi(rate, b1, b2, eps)


@OPTIMIZERS.register(source="Liu, Jiang, He, Chen, Liu, Gao & Han 2020", scope="element")
def radam(rate: Rate, *, b1: Fraction = 0.9, b2: Fraction = 0.999, eps: Positive = 1e-8) -> Transformation:
    """Rectified Adam: momentum alone until the second moment has seen enough steps."""
    return optax.radam(rate, b1, b2, eps)


@OPTIMIZERS.register(source="Zhuang et al. 2020", scope="element")
def adabelief(rate: Rate, *, b1: Fraction = 0.9, b2: Fraction = 0.999, eps: Positive = 1e-16) -> Transformation:
    """AdaBelief: Adam whose second moment is that of the gradient's distance from its momentum."""
    return optax.adabelief(rate, b1, b2, eps, eps)


@OPTIMIZERS.register(source="Xie, Zhou, Li, Lin & Yan 2024", scope="element")
def adan(
    rate: Rate,
    *,
    b1: Fraction = 0.98,
    b2: Fraction = 0.92,
    b3: Fraction = 0.99,
    eps: Positive = 1e-8,
    weight_decay: WeightDecay = 0.0,
) -> Transformation:
    """Adan: Adam with Nesterov's momentum estimated from the differences of successive gradients."""
    return optax.adan(rate, b1, b2, b3, eps, weight_decay=weight_decay)


@OPTIMIZERS.register(source="Pagliardini, Ablin & Grangier 2024", scope="element")
def ademamix(
    rate: Rate,
    *,
    b1: Fraction = 0.9,
    b2: Fraction = 0.999,
    b3: Fraction = 0.9999,
    alpha: Annotated[float, Field(ge=0)] = 5.0,
    eps: Positive = 1e-8,
    weight_decay: WeightDecay = 0.0,
) -> Transformation:
    """AdEMAMix: Adam with a second, slower momentum, `alpha` times as strong."""
    return optax.contrib.ademamix(rate, b1, b2, b3, alpha, eps, weight_decay=weight_decay)


@OPTIMIZERS.register(source="Taniguchi et al. 2024", scope="element")
def adopt(rate: Rate, *, b1: Fraction = 0.9, b2: Fraction = 0.9999, eps: Positive = 1e-6) -> Transformation:
    """ADOPT: Adam that divides by the second moment of the steps before, and then takes its momentum."""
    return optax.contrib.adopt(rate, b1, b2, eps)


@OPTIMIZERS.register(source="Defazio & Jelassi 2022", scope="element")
def madgrad(
    rate: Rate, *, momentum: Fraction = 0.9, eps: Positive = 1e-6, weight_decay: WeightDecay = 0.0
) -> Transformation:
    """MADGRAD: dual averaging with the cube root of summed squares."""
    return optax.contrib.madgrad(rate, momentum, weight_decay, eps)


@OPTIMIZERS.register(source="Shazeer & Stern 2018", scope="layer")
def adafactor(rate: Rate, *, decay_rate: Fraction = 0.8, clipping_threshold: Positive = 1.0) -> Transformation:
    """Adafactor: second moments kept as one number a row and column, updates clipped by array."""
    return optax.adafactor(rate, decay_rate=decay_rate, clipping_threshold=clipping_threshold)


@OPTIMIZERS.register(source="Ginsburg et al. 2019", scope="layer")
def novograd(
    rate: Rate, *, b1: Fraction = 0.9, b2: Fraction = 0.25, eps: Positive = 1e-6, weight_decay: WeightDecay = 0.0
) -> Transformation:
    """NovoGrad: momentum of gradients that are divided by the running norm of their array."""
    return optax.novograd(rate, b1, b2, eps, weight_decay=weight_decay)


@OPTIMIZERS.register(source="Anil, Gupta, Koren & Singer 2019", scope="layer")
def sm3(rate: Rate, *, momentum: Fraction = 0.9) -> Transformation:
    """SM3: Adagrad whose accumulators are shared by the rows and columns of an array."""
    return optax.sm3(rate, momentum)
