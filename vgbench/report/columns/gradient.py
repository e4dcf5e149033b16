"""The columns of the gradient and the forward signal, most of them at initialisation."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from vgbench.report.columns.column import NOTHING, Column, Row, Shown, Text, as_it_is, interval, number, plus_minus
from vgbench.report.columns.source import of_cell, of_forward, of_gradients, of_theory, of_training
from vgbench.theory.prediction import in_words

_shown = partial(Shown, side="benefit")


def _decay(row: Row, name: str) -> str:
    text = plus_minus("+z.4f")(row, name)
    if row["status"] != "ok":
        return f"{text} ({row['status']})"
    if row["branches_closed"] is True:
        return f"{text} (branches closed)"
    return f"{text} (then zero)" if row["log10_first_over_last"] == -np.inf else text


def _theory(row: Row, name: str) -> str:
    if pd.isna(row[name]):
        return NOTHING
    if row["theory_claims"] == "order":
        return f"~{row[name]:+z.2g}"
    p = "" if pd.isna(row["theory_p"]) else f" ({in_words(row['theory_p'])})"
    return f"{row[name]:+z.4f}{p}{' departs' if row['departs'] is True else ''}"


def _kind(row: Row, name: str) -> str:
    if pd.isna(row[name]):
        return NOTHING
    floor = " (rounding)" if row["below_rounding"] is True else ""
    return f"{row['kind']} {row[name]:+z,.2f}{floor}"


def _in_16_bits(text: Text) -> Text:
    return lambda row, name: text(row, name) if row["dtype"] in ("float16", "bfloat16") else NOTHING


def _last_layer(read: Callable[..., np.ndarray]) -> Callable[..., float]:
    return lambda profile: float(read(profile)[:, -1].mean())


GRADIENT = (
    Column(
        "seeds",
        "number of evaluation seeds, over which gradients and training are averaged and intervals are taken",
        of_cell(lambda cell: len(cell.case.seeds)),
        _shown("seeds", as_it_is),
    ),
    *interval(
        "decay",
        "slope of log10 ||dL/dh_l|| along the backward path at initialisation, in decades a layer (of a recurrent"
        " network, a time step); negative where the gradient vanishes, positive where it explodes",
        of_gradients(lambda gradients: gradients.decay),
        _shown(
            "decay",
            _decay,
            direction="→0",
            room="index",
            marks={
                "branches closed": "the weights inside every branch have a gradient of exactly zero at initialisation,"
                " by design of the skip; the first steps open the branches",
                "then zero": "of one seed at least, the gradient is exactly zero at the first layers (or time steps),"
                " and the slope is that of the layers where it is not",
            },
        ),
    ),
    *interval(
        "power_exponent",
        "the exponent a where ||dL/dh_l|| goes as l ** a at initialisation, as -1/2 with pre-norm residual branches;"
        " empty where a power law does not describe the profile, or not better than an exponential or a stretched one",
        of_gradients(lambda gradients: gradients.power_exponent),
        _shown(
            "power of l",
            plus_minus("+.2f"),
            when="known",
            legend="the exponent a where ||dL/dh_l|| goes as l ** a, l being the layer, and an exponential in l"
            " or in its root does not describe it as well",
        ),
    ),
    Column(
        "predicted_decay",
        "the decay that theory predicts; empty where no theory is known (`vgbench theory` says why)",
        of_theory(lambda found: found[1].predicted),
        _shown(
            "theory",
            _theory,
            when="known",
            legend="the decay that theory predicts, and in parentheses the p-value of a two-sided t-test over seeds"
            " that the mean of the measured decay equals it (1 where the dtype's rounding explains the difference);"
            " `vgbench theory SUITE` lists sources and assumptions",
            marks={
                "~": "an order of magnitude only",
                "departs": "the measured decay departs from theory: p is below 0.001, or an exact prediction, which has"
                " no p, is missed by more than rounding",
            },
        ),
    ),
    Column(
        "theory_claims",
        "how precise that prediction is: exact, asymptotic, or an order of magnitude only",
        of_theory(lambda found: found[0].kind),
    ),
    Column(
        "theory_p",
        "p-value of a two-sided t-test over seeds that the mean decay is predicted_decay; empty of a single seed, and"
        " where the prediction is exact or an order of magnitude",
        of_theory(lambda found: found[1].p),
    ),
    Column(
        "departs",
        "whether theory_p is below 0.001, or an exact prediction is missed by more than rounding; empty where neither"
        " can be decided",
        of_theory(lambda found: found[1].departs),
    ),
    Column(
        "log10_first_over_last",
        "log10 of ||dL/dh_1|| / ||dL/dh_depth|| at initialisation, mean over seeds",
        of_gradients(lambda gradients: gradients.log10_first_over_last.value),
        _shown(
            "first/last",
            number("+z.2f"),
            direction="→0",
            legend="log10 of the gradient norm ||dL/dh|| at the first hidden layer (or time step) over that at the last"
            " one, at initialisation, mean over seeds",
            marks={"-inf": "of one seed at least, the gradient is exactly zero at the first"},
        ),
    ),
    Column(
        "log10_first_over_last_trained",
        "log10 of ||dL/dh_1|| / ||dL/dh_depth|| after the last step, mean over seeds",
        of_training(lambda curves: curves.log10_first_over_last.value),
        _shown(
            "after training",
            number("+z.2f"),
            direction="→0",
            legend="first/last after the last training step",
        ),
    ),
    Column(
        "plain_zero_layer",
        "last layer at which plain backpropagation in the case's dtype reads zero, if any",
        of_gradients(lambda gradients: gradients.plain_zero_layer),
    ),
    Column(
        "branches_closed",
        "whether the weights of every block start with a gradient of exactly zero, as ReZero's do",
        of_gradients(lambda gradients: gradients.branches_closed),
    ),
    Column(
        "forward_limit",
        "first layer whose activations leave the dtype's range, if any",
        of_gradients(lambda gradients: gradients.forward_limit),
    ),
    Column(
        "log10_activation_scale",
        "log10 of the root mean square of the last hidden layer's activations at initialisation, mean over seeds",
        of_forward(_last_layer(lambda forward: forward.log10_activation_scale)),
    ),
    Column(
        "log10_pair_distance",
        "log10(1 - cosine) between the last hidden layer's activations for different inputs at initialisation, mean"
        " over pairs and seeds",
        of_forward(_last_layer(lambda forward: forward.log10_pair_distance)),
        _shown(
            "cosine distance",
            number("+z.2f"),
            legend="log10(1 - cosine) between the last hidden layer's activations for different inputs at"
            " initialisation, mean over pairs and seeds: 0 where they are orthogonal, very negative where all inputs"
            " end in nearly the same direction, so that the output layer can hardly distinguish them",
        ),
    ),
    Column(
        "token_cosine",
        "mean cosine between the tokens of an example in the last hidden layer at initialisation, mean over seeds; 1"
        " where all tokens have become one direction (rank collapse); empty where there are no tokens",
        of_forward(_last_layer(lambda forward: forward.token_cosine)),
        _shown("tokens", number(".3f"), when="known"),
    ),
    Column(
        "kind",
        "the kind of weights whose gradient differs most between the first block and the last; empty where all weights"
        " of a block are of one kind",
        lambda source: source.kind and source.kind[0],
    ),
    Column(
        "log10_kind_first_over_last",
        "log10 of the norm of its gradient in the first block over that in the last, mean over seeds",
        lambda source: source.kind and source.kind[1],
        _shown(
            "weights",
            _kind,
            when="known",
            legend="the kind of weights whose gradient differs most between the first block and the last, with log10 of"
            " its norm in the first block over that in the last",
            marks={"rounding": "the true difference is larger than the dtype can show"},
        ),
    ),
    Column(
        "below_rounding",
        "whether rounding hides a kind's gradient in some block: the true difference is then larger",
        lambda source: source.kind and source.gradients and bool(source.gradients.below_rounding.any()),
    ),
    Column(
        "zero_share",
        "exact zeros among the entries of the weights' gradient at step 0, in the layer that has most, mean over seeds",
        of_training(lambda curves: float(curves.snapshots.zero_share[:, 0].mean(axis=0).max())),
        _shown("zeros", _in_16_bits(number(".1%")), when="known"),
    ),
    Column(
        "skipped_steps",
        "steps that dynamic loss scaling left out because gradients overflowed, mean over seeds",
        of_training(lambda curves: float(curves.snapshots.skipped_steps[:, -1].mean())),
        _shown("skipped", _in_16_bits(number(".0f")), when="known"),
    ),
)
"""What the gradient and the forward signal of a row are."""
