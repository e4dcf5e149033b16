"""vgbench: measure vanishing gradients in JAX.

Does the gradient reach the first layers at this depth, does the network train, which mitigation fixes it, and what does
that mitigation cost on this device?
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from vgbench.diagnosis import Finding, diagnose, verdict
    from vgbench.errors import InputError, PluginError
    from vgbench.harness.merge import merge
    from vgbench.harness.runner import run
    from vgbench.instruments.model_profile import ModelProfile, profile
    from vgbench.instruments.tap import tap
    from vgbench.instruments.watch import watch, watched
    from vgbench.measure.cost import Cost, measure_cost
    from vgbench.measure.forward import ForwardProfile, measure_forward
    from vgbench.measure.gradients import GradientProfile, measure_gradients
    from vgbench.measure.training import TrainingCurves, measure_training
    from vgbench.report import load, write_report
    from vgbench.spec.case import Case
    from vgbench.spec.suite import Suite, read_suite

_HOMES = {
    "Case": "vgbench.spec.case",
    "Cost": "vgbench.measure.cost",
    "Finding": "vgbench.diagnosis",
    "ForwardProfile": "vgbench.measure.forward",
    "GradientProfile": "vgbench.measure.gradients",
    "InputError": "vgbench.errors",
    "ModelProfile": "vgbench.instruments.model_profile",
    "PluginError": "vgbench.errors",
    "Suite": "vgbench.spec.suite",
    "TrainingCurves": "vgbench.measure.training",
    "diagnose": "vgbench.diagnosis",
    "load": "vgbench.report",
    "measure_cost": "vgbench.measure.cost",
    "measure_forward": "vgbench.measure.forward",
    "measure_gradients": "vgbench.measure.gradients",
    "measure_training": "vgbench.measure.training",
    "merge": "vgbench.harness.merge",
    "profile": "vgbench.instruments.model_profile",
    "read_suite": "vgbench.spec.suite",
    "run": "vgbench.harness.runner",
    "tap": "vgbench.instruments.tap",
    "verdict": "vgbench.diagnosis",
    "watch": "vgbench.instruments.watch",
    "watched": "vgbench.instruments.watch",
    "write_report": "vgbench.report",
}

__all__ = [
    "Case",
    "Cost",
    "Finding",
    "ForwardProfile",
    "GradientProfile",
    "InputError",
    "ModelProfile",
    "PluginError",
    "Suite",
    "TrainingCurves",
    "diagnose",
    "load",
    "measure_cost",
    "measure_forward",
    "measure_gradients",
    "measure_training",
    "merge",
    "profile",
    "read_suite",
    "run",
    "tap",
    "verdict",
    "watch",
    "watched",
    "write_report",
]


def __getattr__(name: str) -> Any:
    # Deferred, so that the command line answers before jax and pandas are imported.
    if name not in _HOMES:
        raise AttributeError(f"module 'vgbench' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
