"""The columns that say what a row costs: time, memory and operations of a training step."""

from functools import partial

import pandas as pd

from vgbench.report.benefit import price_to_target, seconds_to_target
from vgbench.report.columns.column import NOTHING, Column, Row, Shown, as_it_is, interval, number
from vgbench.report.columns.source import Source, of_cost
from vgbench.report.roofline import intensity, share

_shown = partial(Shown, side="cost")


def _ratio(row: Row, name: str) -> str:
    if pd.isna(row[name]):
        return f"{NOTHING} ({row['cost_status']})" if isinstance(row["cost_status"], str) else NOTHING
    return f"{row[name]:.2f} [{row[f'{name}_low']:.2f}, {row[f'{name}_high']:.2f}]"


def _compile(row: Row, name: str) -> str:
    text = number(".2f")(row, name)
    return f"{text} (cache)" if row["persistent_cache"] is True else text


def _front(row: Row, name: str) -> str:
    return "yes" if row[name] is True else NOTHING


def _bound(row: Row, name: str) -> str:
    return "launch" if row[name] is True else NOTHING


def _price(source: Source) -> float | None:
    seconds = seconds_to_target(source.training, source.cost)
    return price_to_target(seconds, source.cell.case.devices if source.cell else 1, source.price)


def _status(source: Source) -> str | None:
    if source.entry.row.cost_id is None:
        return None
    return source.entry.cost.status if source.entry.cost else "missing"


def _reason(source: Source) -> str | None:
    if source.entry.row.cost_id is None:
        return None
    return source.entry.cost.reason if source.entry.cost else ""


COST = (
    Column("cost_status", "how its timing ended; `missing` before it is timed, empty where it is not to be", _status),
    Column("cost_reason", "that status in words", _reason),
    *interval(
        "step_ratio",
        "time of a step over the reference's, median over interleaved rounds, with the blocks of both in the same form",
        of_cost(lambda cost: cost.ratio),
        _shown(
            "step ratio",
            _ratio,
            direction="↓",
            room="index",
            legend="time of a training step over that of the reference's, median over interleaved rounds with the"
            " blocks of both in the same form; in brackets its 95 % bootstrap interval; in the row of a reference, two"
            " timings of the same step",
        ),
        of="95 % bootstrap interval",
    ),
    Column(
        "step_verdict",
        "SLOWER or FASTER than the reference where the whole interval is beyond 3 %, SAME where it is within, UNCLEAR"
        " otherwise",
        of_cost(lambda cost: cost.verdict),
        _shown("step verdict", as_it_is, align="left"),
    ),
    Column(
        "form",
        "blocks of the timed networks, scanned or unrolled; of both, where a row and its reference differ in it",
        of_cost(lambda cost: cost.forms),
        _shown("blocks", as_it_is, align="left"),
    ),
    Column(
        "device_seconds",
        "seconds a step in a queue that the device is at work by the profiler's trace; empty where the profiler does"
        " not see it, as on CPUs",
        of_cost(lambda cost: cost.device_seconds),
    ),
    Column(
        "device_ratio",
        "device_seconds over the reference's",
        of_cost(lambda cost: cost.device_ratio),
        _shown("device ratio", number(".2f"), direction="↓", when="known"),
    ),
    Column(
        "launch_bound",
        "whether the device is idle for more than half of a queue of steps, so that `step_ratio` compares launches, not"
        " work; empty where the device's own time is unknown",
        of_cost(lambda cost: cost.launch_bound),
        _shown(
            "bound by",
            _bound,
            when="known",
            align="left",
            legend="`launch` where the device is idle for more than half of a queue of steps, so that the step ratio"
            " compares launches, not work",
        ),
    ),
    Column("rounds", "interleaved rounds that were timed", of_cost(lambda cost: len(cost.step_seconds))),
    Column(
        "compilations",
        "times that both steps were compiled, each in a process of its own; `step_ratio` has its interval over all",
        of_cost(lambda cost: len(cost.compilation_rounds) or 1),
    ),
    Column(
        "outlying_rounds",
        "those whose ratio lies far from the others; they count all the same",
        of_cost(lambda cost: int(cost.outliers.sum())),
    ),
    Column(
        "latency",
        "median seconds of a plain training step that is waited for",
        of_cost(lambda cost: cost.latency),
        _shown(
            "latency ms",
            number(".3g", unit=1e-3),
            direction="↓",
            legend="median milliseconds of a plain training step, each waited for before the next begins",
        ),
    ),
    Column(
        "examples_per_second",
        "batch size over the median seconds of a plain training step in a queue of steps, of which only the last is"
        " waited for",
        of_cost(lambda cost: cost.examples_per_second),
        _shown("examples/s", number(".0f"), direction="↑"),
    ),
    Column(
        "memory_ratio",
        "peak_bytes over the reference's",
        of_cost(lambda cost: cost.memory_ratio),
        _shown(
            "memory",
            number(".2f"),
            direction="↓",
            room="page",
            legend="the most bytes that the compiled step holds at once, over the reference's",
        ),
    ),
    Column(
        "compile_seconds",
        "seconds to trace, lower and compile the plain step",
        of_cost(lambda cost: cost.compilation.seconds),
        _shown(
            "compile s",
            _compile,
            direction="↓",
            marks={"cache": "JAX could read the executable from its cache on disk"},
        ),
    ),
    Column(
        "persistent_cache",
        "whether JAX could read the executable from its cache on disk in place of compiling it",
        of_cost(lambda cost: cost.compilation.persistent_cache),
    ),
    Column(
        "parameters",
        "trainable numbers",
        of_cost(lambda cost: cost.parameters),
        _shown("parameters", number(".0f")),
    ),
    Column(
        "step_flops",
        "floating-point operations of the matrix products in one step",
        of_cost(lambda cost: cost.step_flops),
        _shown(
            "MFLOP",
            number(".3g", unit=1e6),
            legend="floating-point operations of the matrix products in one step, in millions",
        ),
    ),
    Column(
        "xla_flops",
        "all operations of one step by XLA's own count, which takes the body of a loop once",
        of_cost(lambda cost: cost.xla_flops),
    ),
    Column(
        "flops_differ",
        "whether the two counts are over 20 % apart",
        of_cost(lambda cost: cost.flops_differ),
    ),
    Column(
        "flops_per_second",
        "operations of the matrix products in a second where steps queue",
        of_cost(lambda cost: cost.flops_per_second),
    ),
    Column(
        "utilisation",
        "flops_per_second over what plain matrix products in the shape of a block's largest matrix achieve on the"
        " device",
        of_cost(lambda cost: cost.utilisation),
        _shown(
            "of matmul",
            number(".0%"),
            direction="↑",
            legend="operations of the matrix products in a second, over what plain matrix products in the shape of a"
            " block's largest matrix achieve on the device; above 100 % where the step's own are faster",
        ),
    ),
    Column(
        "intensity",
        "operations for each byte that is read or written, both by XLA's count; empty where blocks are scanned, since"
        " XLA counts the body of a loop once, and on GPUs, where it does not count matrix products",
        of_cost(intensity),
        _shown("FLOP/byte", number(".3g"), when="known"),
    ),
    Column(
        "roof_share",
        "flops_per_second over the roof, which is the lower of what plain products achieve and of what a plain copy"
        " allows at this intensity, both timed in the same run",
        of_cost(share),
        _shown(
            "of roof",
            number(".0%"),
            direction="↑",
            when="known",
            legend="operations of the matrix products in a second, over the lower of what plain products achieve and of"
            " what a plain copy allows at this FLOP/byte, both timed in the same run; above 100 % where the step is"
            " faster than these",
        ),
    ),
    Column(
        "peak_share",
        "flops_per_second over the peak of the device at this dtype and precision as its maker states it (MFU); empty"
        " where it is unknown",
        of_cost(lambda cost: cost.peak_share),
        _shown("MFU", number(".1%"), direction="↑", when="known"),
    ),
    Column(
        "peak_bytes",
        "most memory that the compiled step holds at once on a device, by the executable's own figures: arguments,"
        " results that do not take their places, and scratch memory",
        of_cost(lambda cost: cost.memory.peak),
    ),
    Column(
        "device_peak_bytes",
        "the same as the device's own statistics report it for a fresh process that runs the step alone; empty where"
        " the device keeps none",
        of_cost(lambda cost: cost.device_peak_bytes),
    ),
    Column(
        "joules_per_step",
        "energy of a step in a queue by the device's counter; empty where there is none that can be read",
        of_cost(lambda cost: None if cost.energy is None else cost.energy.joules_per_step),
        _shown("J/step", number(".3g"), direction="↓", when="known"),
    ),
    Column(
        "energy_ratio",
        "joules_per_step over the reference's",
        of_cost(lambda cost: cost.energy_ratio),
        _shown("energy ratio", number(".2f"), direction="↓", when="known"),
    ),
    Column(
        "disturbance",
        "what lowered the device's clocks or shared the device while the energy was metered; empty if nothing is known",
        of_cost(lambda cost: (cost.energy.disturbance or None) if cost.energy else None),
        _shown("disturbed by", as_it_is, when="known", align="left"),
    ),
    Column(
        "price_to_target",
        "price of `seconds_to_target` on the row's devices, at the price of an hour of one that the report was asked"
        " for (`--price`); empty without",
        _price,
        _shown(
            "price",
            number(".3g"),
            direction="↓",
            when="known",
            legend="price of the training steps until the median seed's validation metric reaches the target;"
            " compiling, choosing the learning rate and evaluating are not included",
        ),
    ),
    Column("parameter_bytes", "memory of the parameters", of_cost(lambda cost: cost.memory.parameters)),
    Column("optimizer_bytes", "memory of the optimizer's state", of_cost(lambda cost: cost.memory.optimizer)),
    Column("temporary_bytes", "scratch memory of the compiled step", of_cost(lambda cost: cost.memory.temporary)),
    Column(
        "on_front",
        "whether the row is on the Pareto front of its reference and swept values: no other row is as good in"
        " step_ratio, memory_ratio, |decay|, trainable_depth and seconds_to_target, and better in one; empty where it"
        " is not timed",
        lambda source: source.on_front,
        _shown(
            "front",
            _front,
            legend="on the Pareto front of the rows with the same reference and swept values: no other row is as good"
            " in step ratio, memory, decay, trainable depth and time to target, and better in one",
        ),
    ),
)
"""What a row costs."""
