"""The base class of measurements that notebooks show as a line of text and a picture."""

import html
from abc import ABC, abstractmethod
from typing import Any


class Displayed(ABC):
    """A measurement that a notebook shows as a line of text and a picture.

    A subclass draws its arrays with the other modules of this package. It imports them only when it draws, since the
    import of Altair would slow down the start of worker processes.
    """

    @abstractmethod
    def chart(self) -> Any:
        """The measurement as an Altair chart."""

    @abstractmethod
    def summary(self) -> str:
        """The measurement in one line of text."""

    def _repr_html_(self) -> str:
        from vgbench.pictures.render import svg

        return f"<p>{html.escape(self.summary())}</p>{svg(self.chart())}"
