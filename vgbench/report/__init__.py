"""From records to frames, tables, sentences and pictures; needs no runner."""

from typing import TYPE_CHECKING, Any

# Resolved when they are first used: what a report is made with takes longer to import than to show one again.
if TYPE_CHECKING:
    from vgbench.report.frames import load as load
    from vgbench.report.write import write_report as write_report


def __getattr__(name: str) -> Any:
    from importlib import import_module

    homes = {"load": "vgbench.report.frames", "write_report": "vgbench.report.write"}
    if name not in homes:
        raise AttributeError(f"module 'vgbench.report' has no attribute {name!r}")
    return getattr(import_module(homes[name]), name)
