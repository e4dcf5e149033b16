"""What a device can do: plain matrix products and a plain copy, timed in the same run as the step."""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vgbench.measure.mesh import split, whole
from vgbench.models import Network
from vgbench.spec.case import Case

_PRODUCTS, _COPIES = 64, 16
_COPIED_AT_LEAST, _COPIED_AT_MOST = 2**16, 2**28


class Roof:
    """A program that does nothing but one kind of work.

    Attributes:
        work: floating-point operations, or bytes, of one call.
    """

    def __init__(self, function: Callable[..., Any], operands: tuple[Any, ...], work: int) -> None:
        self._run: Any = jax.jit(function).lower(*operands).compile()
        self._operands, self.work = operands, work
        self.per_second()  # the first call is slower

    def per_second(self) -> float:
        """Operations, or bytes, a second in one call."""
        begin = time.perf_counter()
        jax.block_until_ready(self._run(*self._operands))
        return self.work / (time.perf_counter() - begin)


def product(case: Case, network: Network) -> Roof:
    """Products as of the largest matrix of a block, there and back again and again.

    The shapes are [batch * places, reads] by [reads, gives], and that back. The numbers are normal and the matrix is
    orthogonal, so that they stay so: accelerators multiply ones and zeros faster, since those draw less power.
    """
    rows, (reads, gives) = case.batch_size * network.places, network.matrix
    draw = np.random.default_rng(0)
    dtype = jnp.dtype(case.dtype)
    h = jax.device_put(draw.standard_normal((rows, reads)).astype(dtype), split(case))
    orthogonal = np.linalg.qr(draw.standard_normal((max(reads, gives), min(reads, gives))))[0]
    w = jax.device_put((orthogonal if reads >= gives else orthogonal.T).astype(dtype), whole(case))
    return Roof(
        lambda h, w: jax.lax.fori_loop(0, _PRODUCTS // 2, lambda _, h: h @ w @ w.T, h),
        (h, w),
        _PRODUCTS * 2 * rows * reads * gives,
    )


def copy(case: Case, held: int) -> Roof:
    """Reads and writes of as many bytes on each device as a step holds there, to come from the same level of memory.

    Args:
        case: whose dtype is copied.
        held: bytes that the step holds at once on each device.
    """
    dtype = jnp.dtype(case.dtype)
    numbers = max(_COPIED_AT_LEAST, min(held // 2, _COPIED_AT_MOST)) // dtype.itemsize
    x = jax.device_put(np.ones((case.devices, numbers), dtype), split(case))
    one = jax.device_put(np.ones((), dtype), whole(case))
    # A product by a number that the compiler does not know, as in STREAM's "scale".
    return Roof(lambda x, one: jax.lax.fori_loop(0, _COPIES, lambda _, x: x * one, x), (x, one), _COPIES * 2 * x.nbytes)
