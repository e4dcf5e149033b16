"""Tables for people: the frame's numbers with their intervals, as text; what is shown, and what it means."""

from collections.abc import Callable
from typing import Any

import pandas as pd
from tabulate import tabulate

from vgbench.records.schema import RESULTS
from vgbench.report.columns import COLUMNS
from vgbench.spec.suite import BASELINE
from vgbench.theory.prediction import in_words

NOTHING = "-"

_Row = dict[str, Any]
_Formatter = Callable[[_Row], str]


class Bold(str):
    """Text of a cell that is set in bold."""


def _number(column: str, text: str, unit: float = 1) -> _Formatter:
    return lambda row: NOTHING if pd.isna(row[column]) else format(row[column] / unit, text)


def _plus_minus(column: str, text: str) -> _Formatter:
    """Format a mean with half its (symmetric) interval."""

    def formatter(row: _Row) -> str:
        value, low, high = (row[name] for name in (column, f"{column}_low", f"{column}_high"))
        if pd.isna(value):
            return NOTHING
        return format(value, text) if pd.isna(low) else f"{value:{text}} ± {(high - low) / 2:{text.lstrip('+')}}"

    return formatter


def _accuracy(row: _Row) -> str:
    text = _plus_minus("accuracy", ".3f")(row)
    if row["against_best"] == "undecided":
        return f"{text} ?"
    equally_good = row["against_best"] in ("best", "within")
    return Bold(text) if equally_good and row["trained"] == row["seeds"] else text


def _ratio(row: _Row) -> str:
    if pd.isna(row["step_ratio"]):
        return f"{NOTHING} ({row['cost_status']})" if isinstance(row["cost_status"], str) else NOTHING
    return f"{row['step_ratio']:.2f} [{row['step_ratio_low']:.2f}, {row['step_ratio_high']:.2f}]"


def _trained(row: _Row) -> str:
    if pd.isna(row["trained"]):
        return NOTHING
    seeds = f"{row['trained']:.0f}/{row['seeds']:.0f}"
    diverged = f", {row['diverged']:.0f} diverged" if row["diverged"] > 0 else ""
    if row["none_better_than_chance"] is True:
        return f"{seeds}{diverged}, none better than chance"
    edge = "*" if row["learning_rate_at_edge"] else ""
    return f"{seeds} at {row['learning_rate']:.2g}{edge}{diverged}"


def _decay(row: _Row) -> str:
    text = _plus_minus("decay", "+z.4f")(row)
    if row["status"] != "ok":
        return f"{text} ({row['status']})"
    return f"{text} (branches closed)" if row["branches_closed"] is True else text


def _mitigation(row: _Row) -> str:
    beside = f" (beside {row['beside']})" if row["beside"] not in (BASELINE, row["mitigation"]) else ""
    return f"{row['mitigation']}{beside}{' (mixed)' if row['mixed'] else ''}"


def _theory(row: _Row) -> str:
    if pd.isna(row["predicted_decay"]):
        return NOTHING
    if row["theory_claims"] == "order":
        return f"~{row['predicted_decay']:+z.2f}"
    p = "" if pd.isna(row["theory_p"]) else f" ({in_words(row['theory_p'])})"
    return f"{row['predicted_decay']:+z.4f}{p}{' departs' if row['departs'] is True else ''}"


def _text(column: str) -> _Formatter:
    return lambda row: row[column] if isinstance(row[column], str) else NOTHING


def _front(row: _Row) -> str:
    return "yes" if row["on_front"] is True else NOTHING


def _compile(row: _Row) -> str:
    text = _number("compile_seconds", ".2f")(row)
    return f"{text} (cache)" if row["persistent_cache"] is True else text


def _kind(row: _Row) -> str:
    if pd.isna(row["log10_kind_first_over_last"]):
        return NOTHING
    floor = " (rounding)" if row["below_rounding"] is True else ""
    return f"{row['kind']} {row['log10_kind_first_over_last']:+z.2f}{floor}"


def _in_16_bits(formatter: _Formatter) -> _Formatter:
    return lambda row: formatter(row) if row["dtype"] in ("float16", "bfloat16") else NOTHING


_ROW: dict[str, _Formatter] = {
    "depth": _number("depth", ".0f"),
    "mitigation": _mitigation,
}
_BENEFIT: dict[str, _Formatter] = {
    "seeds": _number("seeds", ".0f"),
    "decay": _decay,
    "theory": _theory,
    "first/last": _number("log10_first_over_last", "+z.2f"),
    "after training": _number("log10_first_over_last_trained", "+z.2f"),
    "distance": _number("log10_pair_distance", "+z.2f"),
    "tokens": _number("token_cosine", ".3f"),
    "weights": _kind,
    "zeros": _in_16_bits(_number("zero_share", ".1%")),
    "skipped": _in_16_bits(_number("skipped_steps", ".0f")),
    "trained": _trained,
    "test accuracy": _accuracy,
    "gain": _plus_minus("accuracy_gain", "+z.3f"),
    "trainable depth": _number("trainable_depth", ".0f"),
    "s to target": _number("seconds_to_target", ".2f"),
    "verdict": _text("verdict"),
}
_COST: dict[str, _Formatter] = {
    "step ratio": _ratio,
    "step verdict": _text("step_verdict"),
    "blocks": _text("form"),
    "latency ms": _number("latency", ".3g", unit=1e-3),
    "examples/s": _number("examples_per_second", ",.0f"),
    "memory": _number("memory_ratio", ".2f"),
    "compile s": _compile,
    "parameters": _number("parameters", ",.0f"),
    "MFLOP": _number("step_flops", ".3g", unit=1e6),
    "of matmul": _number("utilisation", ".0%"),
    "front": _front,
}
DISPLAY = _ROW | _BENEFIT | _COST
"""The columns of a table and how each is written: what names a row, what it is worth, what it costs."""

OCCASIONAL = ("theory", "tokens", "weights", "zeros", "skipped")
"""The columns that are left out where no row has anything to say."""

IN_TERMINAL = (
    *_ROW,
    *("decay", "first/last", "trained", "test accuracy"),
    *("step ratio", "blocks", "examples/s", "compile s", "parameters"),
)
"""The columns that the terminal has room for."""

LEFT = ("mitigation", "verdict", "step verdict", "blocks")
"""The columns of text."""

BETTER = {
    **dict.fromkeys(("decay", "first/last", "after training"), "→0"),
    **dict.fromkeys(("trained", "test accuracy", "gain", "trainable depth"), "↑"),
    **dict.fromkeys(("s to target", "step ratio", "latency ms", "memory", "compile s"), "↓"),
    **dict.fromkeys(("examples/s", "of matmul"), "↑"),
}
"""Whether higher, lower or nearer to zero is better, for the heads of the columns."""

LEGEND = {
    "↑, ↓, →0": "higher, lower, nearer to zero is better",
    "seeds": "evaluation seeds that the row's gradients, training and intervals come from",
    "decay": "slope of log10 ||dL/dh_l|| along the backward path at initialisation, decades a layer (of a"
    " recurrent network, a time step); negative is vanishing",
    "theory": "the decay that theory predicts, and in parentheses the p of a t-test over the seeds that the measured"
    " one is that on average; `departs` where p is below 0.001, or where an exact prediction, which has no p, is missed"
    " by more than rounding; ~ marks an order of magnitude, and `vgbench theory SUITE` tells sources and assumptions",
    "branches closed": "the weights inside every branch have a gradient of exactly zero at initialisation, by design of"
    " the skip; the first steps open the branches",
    "first/last": "log10 of that norm at the first hidden layer (or time step) over the last",
    "after training": "the same after the last step of training",
    "distance": "log10(1 - cosine) of different inputs' signals in the last hidden layer; where it is very negative the"
    " network has lost what tells inputs apart",
    "tokens": "cosine between the tokens of an example in the last hidden layer, mean over pairs; 1 where their rank"
    " has collapsed",
    "weights": "the kind of weights whose gradient differs most between the first block and the last, with log10 of"
    " the ratio of its norms; with `rounding` the true difference is larger than the dtype can show",
    "zeros": "exact zeros among the entries of the weights' gradient at step 0, in the layer that has most",
    "skipped": "steps that dynamic loss scaling left out because gradients overflowed",
    "trained": "seeds that reach the target after the last step, at the learning rate chosen on other seeds (* the"
    " lowest or highest tried); `diverged` counts seeds whose loss became non-finite, and `none better than chance`"
    " says that no learning rate gave a validation accuracy above what guessing reaches (binomial, level 0.05)",
    "test accuracy": "after the last step, mean over seeds; bold where every seed reaches the target and it is the"
    " highest of its depth (and other axes), or is shown to be within 0.02 of that; ? where neither that nor the"
    " opposite is shown: one-sided t-tests paired by seed at level 0.05, each with Holm's correction over the table"
    " (Holm 1979)",
    "beside": "what a row is compared with in place of the baseline",
    "gain": "its difference to the baseline, paired by seed",
    "trainable depth": "greatest depth up to which every depth that was trained reaches the target for the median seed",
    "s to target": "seconds of plain training until the median seed's validation accuracy reaches the target, looked at"
    " every 25th step",
    "front": "on the Pareto front of these axes: no other row is as good in step ratio, memory, decay, trainable depth"
    " and time to target, and better in one",
    "latency ms": "median time of a plain training step that is waited for, in milliseconds",
    "examples/s": "batch size over the time of such a step where steps queue and the last one is waited for",
    "step ratio": "time of that step over the baseline's, in interleaved rounds, blocks in the same form;"
    " 95 % bootstrap interval",
    "verdict": "what the curves show, the likeliest cause first; of a row that is not trained, what its initialisation"
    " does; `vgbench diagnose DIR` tells the evidence",
    "step verdict": "SLOWER or FASTER than the baseline's step where the whole interval is beyond 3 %, SAME where it is"
    " within, UNCLEAR where it is neither",
    "memory": "the most bytes that the compiled step holds at once, over the baseline's",
    "compile s": "to trace, lower and compile that step; with `cache` jax could read it from disk",
    "MFLOP": "floating-point operations of the matrix products in one step, in millions",
    "of matmul": "operations of the matrix products a second, over what plain products of the shape that the blocks'"
    " have achieve on the device",
    "origin": "where there are several, the numbers of the lines below that say what produced the row",
    "mixed": "measured with another source of vgbench, other versions or other flags than the run's last start, and"
    " kept or merged all the same",
    "±": "half a 95 % t-interval over seeds",
}


def failures(frame: pd.DataFrame) -> list[str]:
    """A line for each row whose measurement or timing is not ok, with the reason."""
    lines = []
    for row in frame.to_dict("records"):
        depth = "" if pd.isna(row["depth"]) else f", depth {row['depth']:.0f}"
        who = f"{row['mitigation']}{depth}"
        if row["status"] != "ok":
            lines.append(f"{who}: {row['status']}: {row['reason']}".removesuffix(": "))
        if isinstance(row["cost_status"], str) and row["cost_status"] != "ok" and row["status"] in RESULTS:
            lines.append(f"timing {who}: {row['cost_status']}: {row['cost_reason']}".removesuffix(": "))
    return lines


def display(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as text (some `Bold`), with the columns of `DISPLAY`, after those swept axes that it does not show."""
    rows: list[_Row] = frame.to_dict("records")  # pyright: ignore[reportAssignmentType]
    names = [str(name) for name in frame.columns if name in ("family", "width", "dtype") or name not in COLUMNS]
    axes = {name: [str(row[name]) for row in rows] for name in names}
    columns = {name: values for name, values in axes.items() if len(set(values)) > 1}
    written = {name: [write(row) for row in rows] for name, write in DISPLAY.items()}
    columns |= {name: texts for name, texts in written.items() if name not in OCCASIONAL or {*texts} != {NOTHING}}
    origins = [str(row["origin"]) for row in rows]
    if len(set(origins)) > 1:
        columns["origin"] = origins
    return pd.DataFrame(columns, dtype=object)  # as text in pyarrow it would forget what is bold


def halves(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The same rows twice, with what they are worth and with what they cost, without columns that tell nothing."""
    empty = [name for name in table.columns if name in DISPLAY and set(table[name]) == {NOTHING}]
    told = table.drop(columns=empty)
    return told.drop(columns=list(_COST), errors="ignore"), told.drop(columns=list(_BENEFIT), errors="ignore")


def side_of(name: str) -> str:
    """Whether a column is an `axis` or another name of the `row`, or tells its `benefit` or its `cost`."""
    sides = {"row": _ROW, "benefit": _BENEFIT, "cost": _COST}
    return next((side for side, columns in sides.items() if name in columns), "axis")


def header(name: str) -> str:
    """A column's name with the sign of what is better."""
    return f"{name} {BETTER[name]}" if name in BETTER else name


def alignment(table: pd.DataFrame) -> list[str]:
    """The side of each column: text left, numbers right."""
    return ["left" if name in LEFT else "right" for name in table.columns]


def tabulated(table: pd.DataFrame, form: str, cell: Callable[[str], str], head: Callable[[str], str]) -> str:
    """The table as text, text left and numbers right.

    Args:
        table: of text.
        form: a format of `tabulate`.
        cell: what is written for the text of a cell.
        head: what is written for the name of a column.
    """
    return tabulate(
        table.map(cell),  # pyright: ignore[reportArgumentType]
        headers=[head(str(name)) for name in table.columns],
        tablefmt=form,
        showindex=False,
        disable_numparse=True,
        colalign=alignment(table),
    )
