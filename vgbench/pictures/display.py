"""What notebooks show as a picture."""

from importlib import import_module
from typing import Any


class Displayed:
    """A measurement that a notebook shows as a picture.

    The report knows how to draw measurements, and measurements know nothing of the report: it is looked up by its name,
    when a reader first asks for a picture, as a plug-in would be.
    """

    def chart(self) -> Any:
        """The measurement as an Altair chart."""
        return import_module("vgbench.report.notebook").chart(self)

    def _repr_html_(self) -> str:
        return import_module("vgbench.report.notebook").html(self)
