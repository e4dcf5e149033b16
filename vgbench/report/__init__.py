"""From records to frames, tables, sentences and pictures; needs no runner."""

from vgbench.report.frames import load
from vgbench.report.write import write_report

__all__ = ["load", "write_report"]
