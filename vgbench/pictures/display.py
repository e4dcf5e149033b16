"""What notebooks show as a line of words and a picture."""

import html
from abc import ABC, abstractmethod
from typing import Any


class Displayed(ABC):
    """A measurement that a notebook shows as a line of words and a picture.

    A subclass draws its arrays with the other modules of this package, which it imports only when somebody asks for the
    picture: Altair takes longer to import than most processes that measure take to start.
    """

    @abstractmethod
    def chart(self) -> Any:
        """The measurement as an Altair chart."""

    @abstractmethod
    def summary(self) -> str:
        """The measurement in one line of words."""

    def _repr_html_(self) -> str:
        from vgbench.pictures.render import svg

        return f"<p>{html.escape(self.summary())}</p>{svg(self.chart())}"
