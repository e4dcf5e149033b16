"""Theory of the gradient at initialisation: predictions from the case alone, each with its source and assumptions."""

from vgbench.theory.phase import PhaseDiagram, Point, phase_diagram, point
from vgbench.theory.predict import predict, why_none
from vgbench.theory.prediction import Departure, NoTheory, Prediction, compare

__all__ = [
    "Departure",
    "NoTheory",
    "PhaseDiagram",
    "Point",
    "Prediction",
    "compare",
    "phase_diagram",
    "point",
    "predict",
    "why_none",
]
