"""The columns of training: whether a row reaches the target, how well, how deep and how soon."""

from functools import partial

import numpy as np
import pandas as pd

from vgbench.diagnosis.answer import NOT_ENOUGH
from vgbench.report.benefit import seconds_to_target, steps_to_target
from vgbench.report.columns.column import (
    METRIC,
    NOTHING,
    Bold,
    Column,
    Row,
    Shown,
    as_it_is,
    interval,
    number,
    plus_minus,
)
from vgbench.report.columns.source import Source, of_training
from vgbench.report.diagnosed import diagnosed
from vgbench.spec.metric import ACCURACY
from vgbench.statistics import Interval, t_interval

_shown = partial(Shown, side="benefit")


def _trained(row: Row, name: str) -> str:
    if pd.isna(row[name]):
        return NOTHING
    seeds = f"{row[name]:.0f}/{row['seeds']:.0f}"
    diverged = f", {row['diverged']:.0f} diverged" if row["diverged"] > 0 else ""
    chance = row["none_better_than_chance"] is True
    if chance and row[name] == 0:
        return f"{seeds}{diverged}, none better than chance"
    edge = "*" if row["learning_rate_at_edge"] else ""
    tuning = " (none better than chance)" if chance else ""
    return f"{seeds} at {row['learning_rate']:.2g}{edge}{diverged}{tuning}"


def _outcome(row: Row, name: str) -> str:
    highest = 1.0 if row["metric"] == ACCURACY.name else float("inf")
    text = plus_minus(".3f", low=0.0, high=highest)(row, name)
    if row["against_best"] == "undecided":
        return f"{text} ?"
    equally_good = row["against_best"] in ("best", "within")
    return Bold(text) if equally_good and row["trained"] == row["seeds"] else text


def _gain(source: Source) -> Interval | None:
    cell, reference = source.cell, source.entry.reference
    if not (cell and reference and cell is not reference and cell.training and reference.training):
        return None
    if reference.case.seeds != cell.case.seeds:
        return None
    score, ends = cell.training.metric.score, (cell.training.test_metric, reference.training.test_metric)
    return t_interval(np.asarray(score(ends[0] - ends[1]), np.float64))


def _verdict(source: Source) -> str | None:
    if source.cell is None or source.gradients is None:
        return None
    answer = diagnosed(source.cell)
    if answer:
        return ", ".join(finding.name for finding in answer)

    def said(verdict: str) -> str:
        return verdict if source.training or verdict != NOT_ENOUGH else "no risk"

    return f"{answer.verdict}: {', '.join(map(said, answer.by_seed))}" if answer.by_seed else said(answer.verdict)


TRAINING = (
    Column(
        "trained",
        "how many of the evaluation seeds reach the target; empty where the case is not trained",
        of_training(lambda curves: curves.trained),
        _shown(
            "trained",
            _trained,
            direction="↑",
            room="index",
            legend="evaluation seeds that reach the target on the test examples after the last step, at the learning"
            " rate that was chosen on the tuning seeds (* where that is the lowest or the highest tried)",
            marks={
                "diverged": "the number of seeds whose loss became non-finite",
                "none better than chance": "on the tuning seeds no learning rate is better on the validation examples"
                " than guessing (an accuracy by a binomial test, level 0.05); evaluation seeds may do better",
            },
        ),
    ),
    Column(
        "metric",
        "what test and validation examples are judged by: `accuracy`, or `bits/byte` of a text (less is better)",
        of_training(lambda curves: curves.metric.name),
    ),
    Column(
        "target",
        "value of the metric on the test examples that counts as trained",
        of_training(lambda curves: curves.target),
    ),
    Column(
        "learning_rate",
        "learning rate chosen on the tuning seeds",
        of_training(lambda curves: curves.learning_rate),
    ),
    Column(
        "learning_rate_at_edge",
        "whether that is the lowest or the highest tried",
        of_training(lambda curves: curves.learning_rate_at_edge),
    ),
    Column(
        "none_better_than_chance",
        "whether no learning rate is better on the validation examples than guessing",
        of_training(lambda curves: curves.none_better_than_chance),
    ),
    Column(
        "diverged",
        "how many of the evaluation seeds had a loss that became non-finite",
        of_training(lambda curves: int(curves.diverged.sum())),
    ),
    *interval(
        "test_metric",
        "`metric` on the test examples after the last step, mean over the evaluation seeds",
        of_training(lambda curves: curves.outcome),
        _shown(
            f"test {METRIC}",
            _outcome,
            legend="on the test examples after the last step, mean over the evaluation seeds",
            room="index",
            marks={
                "bold": "every seed reaches the target, and it is the best among the rows of the same depth (and other"
                " swept values) or is shown to be within 0.02 of that",
                "?": "neither that nor the opposite is shown: one-sided t-tests paired by seed at level 0.05, each with"
                " Holm's correction over the table (Holm 1979)",
            },
        ),
    ),
    Column(
        "against_best",
        "`best` where that is the best of this device and these swept values; another row is `within` 0.02 of it or"
        " `worse` where a one-sided t-test paired by seed shows so, each with Holm's correction over all rows of the"
        " device at level 0.05, and otherwise `undecided`; empty without training or a second seed",
        lambda source: source.rank,
    ),
    *interval(
        "metric_gain",
        "how much better the test metric is than that of the reference, paired by seed",
        _gain,
        _shown("gain", plus_minus("+z.3f"), direction="↑"),
    ),
    Column(
        "trainable_depth",
        "greatest depth up to which every depth that was trained reaches the target for the median seed",
        lambda source: source.trainable_depth,
        _shown("trainable depth", as_it_is, direction="↑"),
    ),
    Column(
        "steps_to_target",
        "updates after which the median seed's validation metric, which is measured every 25th step, first reaches the"
        " target; infinite where it never does",
        of_training(steps_to_target),
    ),
    Column(
        "seconds_to_target",
        "the same times the latency of a step",
        lambda source: seconds_to_target(source.training, source.cost),
        _shown(
            "s to target",
            number(".2f"),
            direction="↓",
            legend="seconds of plain training until the median seed's validation metric, which is measured every 25th"
            " step, reaches the target",
            marks={"inf": "it never does"},
        ),
    ),
    Column(
        "verdict",
        "what `vgbench diagnose` finds in the training curves, the likeliest cause first, each in at least half of"
        " the seeds; `seeds differ` with the verdict on each seed, `nothing found` or `not enough recorded` if nothing;"
        " of a case that is not trained, the risk that its initialisation shows, or"
        " `no risk`",
        _verdict,
        _shown("verdict", as_it_is, room="page", align="left"),
    ),
)
"""How a row trains."""
