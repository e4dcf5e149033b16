"""Pictures, as Vega-Lite definitions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd

from vgbench.pictures.compose import Definition
from vgbench.records.runs import Run
from vgbench.report.charts.answer import NARROW, answer
from vgbench.report.charts.benefit import cost_and_benefit
from vgbench.report.charts.coordinates import coordinates
from vgbench.report.charts.curves import learning_curves
from vgbench.report.charts.depth import cost_by_depth, metric_by_depth
from vgbench.report.charts.forward import forward_signal
from vgbench.report.charts.gradients import gradient_in_time, gradient_norms
from vgbench.report.charts.heatmap import gradient_in_training
from vgbench.report.charts.histograms import gradient_histograms
from vgbench.report.charts.roofline import roofline
from vgbench.report.charts.tuning import learning_rates
from vgbench.report.coordinates import Check


@dataclass(frozen=True)
class Picture:
    """A picture of a run.

    Attributes:
        title: what it shows.
        draw: its definition from runs, their frame and their coordinate checks; None where they have nothing of the
            kind.
    """

    title: str
    draw: Callable[[Sequence[Run], pd.DataFrame, Sequence[Check]], Definition | None]


def _of_runs(draw: Callable[[Sequence[Run]], Definition | None]) -> Callable[..., Definition | None]:
    """A picture that needs no frame and no checks."""
    return lambda runs, frame, checks: draw(runs)


def _of_frame(draw: Callable[[Sequence[Run], pd.DataFrame], Definition | None]) -> Callable[..., Definition | None]:
    """A picture that needs no checks."""
    return lambda runs, frame, checks: draw(runs, frame)


_ANSWER = (
    "What each mitigation achieves and what it costs, sorted by what it achieves: a grey name misses the target with a"
    " seed, a filled circle is a seed that reaches it, a tick is theory's prediction, and lines are 95 % intervals"
)

PICTURES = {
    "answer": Picture(_ANSWER, _of_frame(answer)),
    "answer-narrow": Picture(_ANSWER, _of_frame(partial(answer, layout=NARROW))),
    "coordinates": Picture(
        "Coordinate check: how much the first steps change the output of each module, against width or depth; lines are"
        " flat under a parametrization in which a learning rate carries over",
        lambda runs, frame, checks: coordinates(runs, checks),
    ),
    "gradients": Picture(
        "Gradient norm by layer at initialisation: the mean over seeds, in a band from the lowest to the highest;"
        " dashed lines are theory's, and lines that lie on one another share a label",
        _of_runs(gradient_norms),
    ),
    "gradients-in-time": Picture(
        "Gradient norm by time steps back from the last one, at initialisation", _of_runs(gradient_in_time)
    ),
    "forward": Picture(
        "Forward signal at initialisation: its scale, and the cosine distance between inputs", _of_runs(forward_signal)
    ),
    "accuracy": Picture("Test metric against depth, with 95 % intervals", _of_frame(metric_by_depth)),
    "benefit": Picture("Cost against benefit, and their Pareto front", _of_frame(cost_and_benefit)),
    "curves": Picture(
        "Learning curves: the median over seeds, in a band from the lowest to the highest, cut at a hundred times the"
        " highest median",
        _of_runs(learning_curves),
    ),
    "heatmap": Picture(
        "Gradient norm in training, by layer (of recurrent networks, by time step) and step of the training; blank"
        " where it is exactly zero or not finite",
        _of_runs(gradient_in_training),
    ),
    "histograms": Picture(
        "Histograms of the entries of the weights' gradients, by layer", _of_runs(gradient_histograms)
    ),
    "learning-rates": Picture(
        "Choice of the learning rate: the validation metric by learning rate, the mean over tuning seeds",
        _of_runs(learning_rates),
    ),
    "cost": Picture(
        "Time, memory and compilation of a step against depth, unrolled and scanned blocks apart",
        _of_frame(cost_by_depth),
    ),
    "roofline": Picture(
        "Roofline: operations a second of the matrix products against operations a byte, under what plain products and"
        " a plain copy achieve in the same run; the table has its numbers (FLOP/byte, of roof)",
        _of_frame(roofline),
    ),
}
"""The pictures of a report, by the names of their files."""
