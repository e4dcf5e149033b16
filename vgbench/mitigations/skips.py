"""Skips: how a block's input and its branch are joined."""

from collections.abc import Callable

from jax import Array

from vgbench.mitigations.site import Site
from vgbench.registry import SKIPS

Skip = Callable[[Array, Array], Array]


@SKIPS.register(source="the plain trunk")
def none(site: Site) -> Skip:
    """No skip: the branch alone goes on."""
    return lambda h, branch: branch


@SKIPS.register(source="He, Zhang, Ren & Sun 2016")
def residual(site: Site) -> Skip:
    """Identity skip: the block's input is added to its branch."""
    return lambda h, branch: h + branch
