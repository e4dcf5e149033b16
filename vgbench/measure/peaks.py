"""The peak of a device as its maker states it, by the name that JAX gives the device."""

from typing import NamedTuple

from vgbench.spec.case import Case


class Peak(NamedTuple):
    """Dense operations a second of the matrix units, and where they are stated.

    Attributes:
        half: of bfloat16 and float16 products.
        single: of float32 products at JAX's default precision: tensor float 32 on GPUs that have it, bfloat16 on TPUs.
        full: of float32 products at the precision `highest`; None where it is not stated.
        source: who states them.
    """

    half: float | None
    single: float
    full: float | None
    source: str


_NVIDIA, _CLOUD = "NVIDIA, {} data sheet", "Google Cloud, TPU {} system architecture"
_HOPPER = Peak(989.4e12, 494.7e12, 66.9e12, _NVIDIA.format("H100 and H200 Tensor Core GPU"))
_AMPERE = Peak(312e12, 156e12, 19.5e12, _NVIDIA.format("A100 Tensor Core GPU"))
_VOLTA = Peak(125e12, 15.7e12, 15.7e12, _NVIDIA.format("V100 SXM2"))


def _tpu(name: str, operations: float) -> Peak:
    return Peak(operations, operations, None, _CLOUD.format(name))


PEAKS = {
    "NVIDIA H100 80GB HBM3": _HOPPER,
    "NVIDIA H200": _HOPPER,
    "NVIDIA H100 PCIe": Peak(756e12, 378e12, 51e12, _NVIDIA.format("H100 PCIe")),
    "NVIDIA A100-SXM4-40GB": _AMPERE,
    "NVIDIA A100-SXM4-80GB": _AMPERE,
    "NVIDIA A100-PCIE-40GB": _AMPERE,
    "NVIDIA A100 80GB PCIe": _AMPERE,
    "NVIDIA L4": Peak(121e12, 60e12, 30.3e12, _NVIDIA.format("L4 Tensor Core GPU")),
    "Tesla V100-SXM2-16GB": _VOLTA,
    "Tesla V100-SXM2-32GB": _VOLTA,
    "Tesla T4": Peak(65e12, 8.1e12, 8.1e12, _NVIDIA.format("T4 70W")),
    "TPU v4": _tpu("v4", 275e12),
    "TPU v5 lite": _tpu("v5e", 197e12),
    "TPU v5": _tpu("v5p", 459e12),
    "TPU v6 lite": _tpu("v6e", 918e12),
}
"""By `jax.Device.device_kind`. GPUs of 16 bits alone, without bfloat16, have the peak of float16."""


def peak_flops_per_second(case: Case, kind: str) -> float | None:
    """Operations a second that the devices of a case could do at its dtype and precision; None where it is unknown."""
    peak = PEAKS.get(kind)
    if peak is None or case.dtype == "float64":
        return None
    if case.dtype != "float32":
        one = peak.half
    else:
        one = {"default": peak.single, "highest": peak.full}.get(case.matmul_precision)
    return None if one is None else case.devices * one
