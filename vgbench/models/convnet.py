"""The convolutional network: the backbone with convolutions on images whose size stays, and a linear output layer.

An example of f numbers is read as a square image, its rows one after the other, the channels of a pixel side by side.
"""

import math
from functools import partial
from typing import Annotated, Any, Literal

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float
from pydantic import Field

from vgbench.errors import InputError
from vgbench.mitigations.norms import lost_at_one_place
from vgbench.models.backbone import Maps, Order, backbone, no_stream_norm
from vgbench.models.pooling import Pooling, pooled_linear
from vgbench.models.problem import Problem
from vgbench.models.stack import Stack
from vgbench.spec.case import Case
from vgbench.spec.registry import MODELS


class FirstConv(nnx.Conv):
    """A convolution of images that come as rows of numbers."""

    def __call__(
        self, inputs: Float[Array, "batch features"], out_sharding: Any = None
    ) -> Float[Array, "batch side side channels"]:
        """Fold the rows into images and convolve those."""
        side = math.isqrt(inputs.shape[-1] // self.in_features)
        return super().__call__(inputs.reshape(len(inputs), side, side, self.in_features), out_sharding)


def product_of_patches(
    h: Float[Array, "batch height width inputs"],
    kernel: Float[Array, "rows columns inputs outputs"],
    strides: Any,
    padding: str,
    **options: Any,
) -> Float[Array, "batch height2 width2 outputs"]:
    """The convolution as one matrix product; its arguments are those of `jax.lax.conv_general_dilated`.

    XLA on CPU has no fast convolution within loops, and side by side with others it becomes a slow grouped one: 16
    channels on 64 images of 8 by 8 took 470 ms where this took 41.
    """
    rows, columns = kernel.shape[:2]
    if padding == "SAME":
        around = [((size - 1) // 2, size // 2) for size in (rows, columns)]
        h = jnp.pad(h, ((0, 0), *around, (0, 0)))
    height, width = h.shape[1] - rows + 1, h.shape[2] - columns + 1
    shifted = [h[:, i : i + height, j : j + width] for i in range(rows) for j in range(columns)]
    return jnp.concatenate(shifted, axis=-1) @ kernel.reshape(-1, kernel.shape[-1])


@MODELS.register(
    source="LeCun et al. 1989; plain and very deep: Xiao, Bahri, Sohl-Dickstein, Schoenholz & Pennington 2018",
    refuses=no_stream_norm,
    defaults={"width": 16},
)
def convnet(
    case: Case,
    problem: Problem,
    scanned: bool,
    *,
    bias_std: Annotated[float, Field(ge=0)] = 0.0,
    order: Order = "before_addition",
    layers_per_block: Annotated[int, Field(ge=1)] = 1,
    kernel_size: Annotated[int, Field(ge=1)] = 3,
    padding: Literal["same", "circular"] = "same",
    channels: Annotated[int, Field(ge=1)] = 1,
    pooling: Pooling = "mean",
) -> Stack:
    """Convolutional network of equal width (channels) on square images, without pooling before its output layer.

    At the image's border `same` padding reads zeros, so that the signal shrinks there; `circular` padding is what
    mean-field theory assumes. The output layer is a linear map of the mean over all pixels, or of all pixels
    (`flatten`). `channels` are those of the data.
    """
    pixels = problem.features // channels
    if pixels * channels != problem.features or math.isqrt(pixels) ** 2 != pixels:
        raise InputError(f"model 'convnet': {problem.features} numbers are no square image of {channels} channels")
    reason = lost_at_one_place(case) if pixels == 1 else None
    if reason:
        raise InputError(f"norm {case.norm.name!r} in an image of one pixel: {reason}")
    options: dict[str, Any] = {"kernel_size": (kernel_size, kernel_size), "padding": padding.upper()}
    if scanned:
        options["conv_general_dilated"] = product_of_patches
    maps = Maps(partial(FirstConv, **options), partial(nnx.Conv, **options), pooled_linear(pooling, pixels))
    return backbone(case, problem, scanned, maps, features=channels, places=pixels)
