"""Norms: applied to the pre-activation, before the activation."""

from collections.abc import Callable
from typing import Annotated

from flax import nnx
from jax import Array
from pydantic import Field

from vgbench.mitigations.site import Site
from vgbench.registry import NORMS

Norm = Callable[[Array], Array]


@NORMS.register(source="the unnormalised network")
def none(site: Site) -> Norm:
    """No normalisation: the pre-activation as it is."""
    return lambda z: z


@NORMS.register(source="Ioffe & Szegedy 2015")
def batch(
    site: Site,
    *,
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9,
    epsilon: Annotated[float, Field(gt=0)] = 1e-5,
) -> Norm:
    """Batch normalization: batch statistics in training, running averages (kept by `momentum`) in evaluation."""
    return nnx.BatchNorm(site.width, momentum=momentum, epsilon=epsilon, use_fast_variance=False, rngs=site.rngs)
