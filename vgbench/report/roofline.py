"""The roofline of a step, where XLA's count holds the step's matrix products.

On a GPU these are calls of a library, of which XLA counts no operations: an intensity by its count would be of all that
a step does but its products.
"""

from vgbench.measure.cost import FLOPS_AGREE, Cost

_UNKNOWN = float("nan")


def intensity(cost: Cost) -> float:
    """`Cost.intensity`; NaN where XLA counts fewer operations than the products have."""
    return cost.intensity if _counted(cost) else _UNKNOWN


def roof(cost: Cost) -> float:
    """`Cost.roof`; NaN where XLA counts fewer operations than the products have."""
    return cost.roof if _counted(cost) else _UNKNOWN


def share(cost: Cost) -> float:
    """Operations of the matrix products in a second where steps queue, over the roof; NaN where that is unknown."""
    return cost.flops_per_second / roof(cost)


def _counted(cost: Cost) -> bool:
    return cost.xla_flops >= (1 - FLOPS_AGREE) * cost.step_flops
