"""How notebooks show measurements and reports: a line of words and a picture that needs no script, or a table."""

import html as markup
import json
from functools import singledispatch
from typing import Any

import altair as alt
import pandas as pd
import vl_convert
from tabulate import tabulate

from vgbench.measure.cost import Cost
from vgbench.measure.forward import ForwardProfile
from vgbench.measure.gradients import GradientProfile
from vgbench.measure.training import TrainingCurves
from vgbench.pictures import single
from vgbench.pictures.compose import Definition, alone
from vgbench.pictures.style import LIGHT
from vgbench.report.charts.curves import over_seeds
from vgbench.report.tables import Bold, alignment, header
from vgbench.statistics import Interval


@singledispatch
def chart(shown: Any) -> Any:
    """A measurement as an Altair chart."""
    raise TypeError(f"there is no picture of a {type(shown).__name__}")


@singledispatch
def words(shown: Any) -> str:
    """A measurement in a line."""
    raise TypeError(f"there are no words for a {type(shown).__name__}")


@chart.register
def _(profile: GradientProfile) -> Any:
    return single.layers_view(single.gradient_layers(profile))


@words.register
def _(profile: GradientProfile) -> str:
    seeds, depth = profile.log10_activation_norm.shape
    decay = f"{_within(profile.decay, '+z.4f')} decades a layer or time step"
    return f"Gradient over {depth} layers, {seeds} seeds: decay {decay}; {profile.status}"


@chart.register
def _(profile: ForwardProfile) -> Any:
    return single.forward_view(single.forward_layers(profile))


@words.register
def _(profile: ForwardProfile) -> str:
    seeds, depth = profile.log10_activation_scale.shape
    scale, distance = (each[:, -1].mean() for each in (profile.log10_activation_scale, profile.log10_pair_distance))
    last = f"log10 of the scale {scale:+z.2f}, log10(1 - cosine) of input pairs {distance:+z.2f}"
    return f"Forward signal over {depth} layers, {seeds} seeds; in the last one: {last}"


@chart.register
def _(curves: TrainingCurves) -> Any:
    return single.curves_view(over_seeds(curves))


@words.register
def _(curves: TrainingCurves) -> str:
    seeds, steps = curves.loss.shape
    reached = f"{curves.trained} of {seeds} seeds reach {curves.target:.0%}"
    accuracy = _within(curves.accuracy, ".3f")
    return (
        f"Training for {steps} steps at learning rate {curves.learning_rate:.2g}: test accuracy {accuracy}; {reached}"
    )


@chart.register
def _(cost: Cost) -> Any:
    return single.rounds_view(single.timing_rounds(cost))


@words.register
def _(cost: Cost) -> str:
    ratio = f"{cost.ratio.value:.2f} [{cost.ratio.low:.2f}, {cost.ratio.high:.2f}] times the baseline's"
    return f"A step, {cost.form}, takes {cost.latency * 1e3:.3g} ms, {ratio}: {cost.verdict}"


def html(shown: Any) -> str:
    """A measurement as HTML, its picture as SVG."""
    definition = {**alone(chart(shown)), "config": LIGHT}
    return f"<p>{markup.escape(words(shown))}</p>{vl_convert.vegalite_to_svg(json.dumps(definition))}"


def interactive(definition: Definition) -> Any:
    """A picture of a report as an Altair chart."""
    return alt.Chart.from_dict({**definition, "config": LIGHT})


def html_table(table: pd.DataFrame) -> str:
    """A table of a report as HTML."""
    return tabulate(
        table.map(_cell),  # pyright: ignore[reportArgumentType]
        headers=[markup.escape(header(str(name))) for name in table.columns],
        tablefmt="unsafehtml",
        showindex=False,
        disable_numparse=True,
        colalign=alignment(table),
    )


def _cell(text: str) -> str:
    return f"<strong>{markup.escape(text)}</strong>" if isinstance(text, Bold) else markup.escape(text)


def _within(interval: Interval, text: str) -> str:
    return f"{interval.value:{text}} ± {interval.half_width:{text.lstrip('+')}}"
