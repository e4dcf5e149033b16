"""Evidence from a run file, or from records as `vgbench.watched` gives them."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from vgbench.boundary.run_file import Header, Layer, Module, Record, Run
from vgbench.boundary.run_lines import run_of
from vgbench.diagnosis.evidence import Evidence, Flat
from vgbench.instruments.probe import smallest_number

_DTYPES = "float16", "bfloat16", "float32", "float64"
_RECTIFIERS = ("relu", "relu6", "leaky_relu", "gelu", "silu", "swish", "elu", "celu", "selu", "softplus")
_SATURATING = ("tanh", "sigmoid", "hard_tanh", "hard_sigmoid", "softsign", "softmax", "erf")
_ROUNDING = 1e-6
"""A share of numbers below which it is of none: it is one minus what is left, in single precision."""
_ITERATION = re.compile(r"\[\d+\]$")
"""The end of the name of a point in a loop."""


def from_lines(lines: Sequence[Any], places: Sequence[str] | None = None) -> Evidence:
    """A run from the objects of a run file, or from records as `vgbench.watched` gives them.

    Args:
        lines: the records, behind a header or none.
        places: what messages call them; `record 1` and so on if None.

    Raises:
        InputError: there is no record, or one is of another form; names it and the field.
    """
    return from_run(run_of(lines, places))


def from_run(run: Run) -> Evidence:
    """A run from a run file."""
    records, header = run.records, run.header
    layers = _Table(records, lambda record: record.layers)
    modules = _Table(records, lambda record: record.modules)
    nonfinite = _nonfinite(layers)
    bad = np.zeros(len(records), bool) if nonfinite is None else np.nansum(nonfinite, axis=1) > 0
    gradient, weight = _norms(layers, "gradient", bad), _norms(layers, "weight", bad)
    update, loss = _norms(layers, "update", bad), _series(records, "loss")
    timed = _timed(modules, layers)
    return Evidence(
        step=np.asarray([record.step for record in records], np.int64),
        loss=None if loss is None else np.where(np.isfinite(loss), loss, np.nan),
        peak=_peaks(records),
        nonfinite_loss=_nonfinite_loss(run, loss, bad),
        nonfinite_since=None if run.nonfinite_since is None else {**run.nonfinite_since},
        validation_loss=_series(records, "validation_loss"),
        accuracy=_series(records, "accuracy"),
        chance=header.chance_loss,
        chance_accuracy=header.chance_accuracy,
        input_scale=_input_scale(header),
        signal=_signal(modules),
        gradient=gradient,
        bias=layers.column("bias"),
        fan_in=layers.column("fan_in"),
        weight=weight,
        update=_ratio(update, weight),
        moved=layers.column("moved"),
        zero=layers.column("zero"),
        nonfinite=nonfinite,
        histogram=_histogram(layers),
        swallowed=layers.column("swallowed"),
        cosine=layers.column("cosine"),
        smallest=_smallest(run),
        saturated=modules.column("saturated"),
        dead=modules.column("dead"),
        scale=modules.column("scale"),
        distance=_distance(modules),
        largest_logit=modules.column("largest_logit"),
        flat=_flat(modules),
        bounded=_bounded(modules),
        timed=timed,
        names=layers.names,
        places=tuple(name.replace("layer ", "time step ") for name in modules.names) if timed else modules.names,
    )


class _Table:
    """What each record says by name; the names are those of all records, in their order."""

    def __init__(self, records: Sequence[Record], of: Callable[[Record], Any]) -> None:
        self.rows: list[dict[str, Layer | Module]] = [dict(of(record)) for record in records]
        self.names = tuple(dict.fromkeys(name for row in self.rows for name in row))

    def cells(self, field: str) -> list[list[Any]]:
        """One field, None where it was not recorded."""
        return [[getattr(row.get(name), field, None) for name in self.names] for row in self.rows]

    def column(self, field: str) -> Float[np.ndarray, "records names"] | None:
        """One field as numbers, NaN where it was not recorded; None where it was nowhere."""
        cells = self.cells(field)
        if all(each is None for row in cells for each in row):
            return None
        return np.asarray([[np.nan if each is None else each for each in row] for row in cells], np.float64)


def _series(records: Sequence[Record], field: str) -> Float[np.ndarray, "records"] | None:
    values = [getattr(record, field) for record in records]
    if all(value is None for value in values):
        return None
    return np.asarray([np.nan if value is None else value for value in values], np.float64)


def _norms(layers: _Table, field: str, bad: np.ndarray) -> Float[np.ndarray, "records layers"] | None:
    """log10 norms. Where some are recorded, or the zeros of the gradient are counted, one that is not is of zeros.

    So `vgbench.watched` writes None for the norm of zeros alone, and for that of what is not finite.
    """
    norms, zero = layers.column(field), layers.column("zero")
    if field != "gradient":
        zero = None
    if norms is None and zero is None:
        return None
    if norms is None:
        norms = np.full((len(layers.rows), len(layers.names)), np.nan)
    asked = np.asarray([[name in row for name in layers.names] for row in layers.rows])
    unwritten = np.asarray([[each is None for each in row] for row in layers.cells(field)])
    if zero is not None:
        asked &= np.nan_to_num(zero, nan=0.0) >= 1
    return np.where(unwritten & asked & ~bad[:, None], -np.inf, norms)


def _ratio(update: np.ndarray | None, weight: np.ndarray | None) -> Float[np.ndarray, "records layers"] | None:
    if update is None or weight is None:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(np.isneginf(update), 0.0, 10.0 ** (update - weight))


def _nonfinite(layers: _Table) -> Float[np.ndarray, "records layers"] | None:
    shares, gradient = layers.column("nonfinite"), layers.column("gradient")
    if shares is not None:
        return np.where(shares < _ROUNDING, 0.0, shares)
    if gradient is None:
        return None
    said = np.asarray([[each is not None and not each < np.inf for each in row] for row in layers.cells("gradient")])
    return said.astype(np.float64)


def _nonfinite_loss(run: Run, loss: np.ndarray | None, bad: np.ndarray) -> np.ndarray:
    """Whether a loss was no number: one that is missing is so only where other numbers were, too."""
    counted = np.asarray([(record.nonfinite_losses or 0) > 0 for record in run.records])
    if loss is None:
        return counted
    return counted | np.isinf(loss) | (np.isnan(loss) & np.logical_or.accumulate(bad))


def _peaks(records: Sequence[Record]) -> Float[np.ndarray, "records"] | None:
    known = [[each for each in (record.loss, *(record.losses or ())) if each is not None] for record in records]
    finite = [[each for each in row if np.isfinite(each)] for row in known]
    return np.asarray([max(row, default=np.nan) for row in finite]) if any(finite) else None


def _input_scale(header: Header) -> float | None:
    """Of the first array of the batch, if it holds floating-point numbers."""
    first = next(iter(header.batch.values()), None)
    if first is None or not (first.dtype or "float").startswith(("float", "bfloat")):
        return None
    known = [abs(each) for each in (first.mean, first.deviation) if each is not None and np.isfinite(each)]
    return max(known, default=None)


def _signal(modules: _Table) -> Float[np.ndarray, "records places"] | None:
    """One that reads zero in a pass that is not exact may be as large as what that pass still shows."""
    signal, floor = modules.column("signal"), modules.column("exact_to")
    if signal is None or floor is None:
        return signal
    return np.where(np.isneginf(signal) & np.isfinite(floor), floor, signal)


def _distance(modules: _Table) -> Float[np.ndarray, "records places"] | None:
    """log10(1 - cosine) as it is of signals whose part that tells inputs apart is this much smaller than the whole."""
    spread, scale = modules.column("spread"), modules.column("scale")
    if spread is None or scale is None:
        return None
    with np.errstate(invalid="ignore"):
        return 2 * (spread - scale)


def _histogram(layers: _Table) -> Float[np.ndarray, "records layers bins"] | None:
    cells = layers.cells("histogram")
    bins = {len(each) for row in cells for each in row if each is not None}
    if len(bins) != 1:
        return None
    blank = (np.nan,) * bins.pop()
    return np.asarray([[blank if each is None else each for each in row] for row in cells], np.float64)


def _smallest(run: Run) -> float | None:
    if run.header.dtype not in _DTYPES:
        return None
    scales = [record.loss_scale for record in run.records if record.loss_scale]
    return smallest_number(run.header.dtype) / (float(np.median(scales)) if scales else 1.0)


def _flat(modules: _Table) -> Flat:
    known = {each for row in modules.cells("activation") for each in row if each}
    if known & set(_RECTIFIERS):
        return "below"
    return "both" if known & set(_SATURATING) else "unknown"


def _bounded(modules: _Table) -> Bool[np.ndarray, "places"] | None:
    """Whether each place's activation saturates; None where none is known."""
    kinds = [{each for each in column if each} for column in zip(*modules.cells("activation"), strict=True)]
    return np.asarray([bool(each & {*_SATURATING}) for each in kinds]) if any(kinds) else None


def _timed(modules: _Table, layers: _Table) -> bool:
    """Whether the places are more than the layers, and all of one loop: steps in time, which share their weights."""
    numbered = all(name.startswith("layer ") or _ITERATION.search(name) for name in modules.names)
    return numbered and len(modules.names) > len(layers.names) > 0
