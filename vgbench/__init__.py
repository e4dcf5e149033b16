"""vgbench: measure vanishing gradients in JAX.

Does the gradient reach the first layers at this depth, does the network train, which mitigation fixes it, and what does
that mitigation cost on this device?
"""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

# The public names. They are resolved when they are first used, so that the command line answers before jax and pandas
# are imported; `_homes` reads this block.
if TYPE_CHECKING:
    from vgbench.diagnosis import Diagnosis as Diagnosis
    from vgbench.diagnosis import Finding as Finding
    from vgbench.diagnosis import diagnose as diagnose
    from vgbench.diagnosis import verdict as verdict
    from vgbench.errors import InputError as InputError
    from vgbench.errors import PluginError as PluginError
    from vgbench.harness.merge import merge as merge
    from vgbench.harness.options import RunOptions as RunOptions
    from vgbench.harness.runner import run as run
    from vgbench.instruments.coordinate_check import CoordinateCheck as CoordinateCheck
    from vgbench.instruments.coordinates import coordinate_check as coordinate_check
    from vgbench.instruments.model_profile import ModelProfile as ModelProfile
    from vgbench.instruments.profiling import profile as profile
    from vgbench.instruments.tap import tap as tap
    from vgbench.instruments.watch import watch as watch
    from vgbench.instruments.watch import watched as watched
    from vgbench.measure.cost import Cost as Cost
    from vgbench.measure.forward import ForwardProfile as ForwardProfile
    from vgbench.measure.forward import measure_forward as measure_forward
    from vgbench.measure.gradients import GradientProfile as GradientProfile
    from vgbench.measure.gradients import measure_gradients as measure_gradients
    from vgbench.measure.snapshot import Snapshots as Snapshots
    from vgbench.measure.timing import measure_cost as measure_cost
    from vgbench.measure.training import TrainingCurves as TrainingCurves
    from vgbench.measure.training import measure_training as measure_training
    from vgbench.recording.recorder import Recorder as Recorder
    from vgbench.report import load as load
    from vgbench.report import write_report as write_report
    from vgbench.spec.case import Case as Case
    from vgbench.spec.suite import Suite as Suite
    from vgbench.spec.suite import read_suite as read_suite


@cache
def _homes() -> dict[str, str]:
    """The module of each public name, as the block above has them."""
    import ast
    import inspect
    import sys

    nodes = ast.walk(ast.parse(inspect.getsource(sys.modules[__name__])))
    imports = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(each.module) for each in imports for alias in each.names if alias.name == alias.asname}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("vgbench")
    if name == "__all__":
        return sorted(_homes())
    if name.startswith("_") or name not in _homes():
        raise AttributeError(f"module 'vgbench' has no attribute {name!r}")
    return getattr(import_module(_homes()[name]), name)


def __dir__() -> list[str]:
    return ["__version__", *_homes()]
