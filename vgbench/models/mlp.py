"""The multilayer perceptron: the backbone with matrices for its linear maps."""

from typing import Annotated

from flax import nnx
from pydantic import Field

from vgbench.models.backbone import Maps, Order, backbone, no_stream_norm
from vgbench.models.problem import Problem
from vgbench.models.stack import Stack
from vgbench.spec.case import Case
from vgbench.spec.registry import MODELS


@MODELS.register(source="Rumelhart, Hinton & Williams 1986", refuses=no_stream_norm)
def mlp(
    case: Case,
    problem: Problem,
    scanned: bool,
    *,
    bias_std: Annotated[float, Field(ge=0)] = 0.0,
    order: Order = "before_addition",
    layers_per_block: Annotated[int, Field(ge=1)] = 1,
) -> Stack:
    """Multilayer perceptron of equal width, with norm, activation and skip in the given order.

    `bias_std` is the initial standard deviation of hidden biases.
    """
    return backbone(case, problem, scanned, Maps(nnx.Linear, nnx.Linear, nnx.Linear), features=problem.features)
