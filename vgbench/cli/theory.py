"""`vgbench theory`: the predictions of mean-field theory for every activation, a suite, a run, or gains and biases."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vgbench.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from vgbench.theory import PhaseDiagram

_STYLES = {"vanishing": "white on blue", "critical": "black on white", "exploding": "white on red"}
_SIGNS = {"vanishing": "-", "critical": "=", "exploding": "+"}


class Format(StrEnum):
    """The formats of a picture."""

    PNG = ".png"
    SVG = ".svg"
    HTML = ".html"


def theory(
    what: Annotated[
        str | None,
        typer.Argument(help="A suite or the folder of a run; default: all activations.", metavar="SUITE|DIR"),
    ] = None,
    activation: Annotated[str | None, typer.Option(help="Show the phase diagram of this activation instead.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the phase diagram to this .png, .svg or .html file.")] = None,
    gains: Annotated[str, typer.Option(metavar="LOW:HIGH", help="Gains of the phase diagram.")] = "0.25:3.25",
    biases: Annotated[
        str, typer.Option(metavar="LOW:HIGH", help="Standard deviations of the biases of the phase diagram.")
    ] = "0:1.5",
) -> None:
    """Predict how the gradient decays: for each activation, each cell of a suite, or each measured cell of a run."""
    from vgbench.cli.host import stay_on_host
    from vgbench.cli.terminal import console, say

    stay_on_host()
    if out is not None and activation is None:
        raise InputError("--out writes a phase diagram and needs --activation NAME")
    if out is not None and out.suffix not in list(Format):
        raise InputError(f"--out {out}: needs a name that ends in {', '.join(Format)}")
    if activation is None:
        console().print(_activations() if what is None else _run(what) if Path(what).is_dir() else _suite(what))
        return
    if what is not None:
        raise InputError(f"--activation shows a phase diagram; leave out {what!r}")
    diagram = _diagram(activation, _range("--gains", gains), _range("--biases", biases), fine=out is not None)
    if out is None:
        console().print(*_drawn(diagram), sep="\n")
        return
    _write(diagram, out)
    say(f"written: {out}")


def _range(option: str, text: str) -> tuple[float, float]:
    low, _, high = text.partition(":")
    try:
        ends = float(low), float(high)
    except ValueError:
        ends = 0.0, 0.0
    if not (text.isascii() and 0 <= ends[0] < ends[1] and 1e-3 <= ends[1] <= 1e3):
        raise InputError(f"{option} {text}: is not LOW:HIGH, two numbers from 0 to 1000 such as 0.5:2")
    return ends


def _diagram(activation: str, gains: tuple[float, float], biases: tuple[float, float], *, fine: bool) -> "PhaseDiagram":
    import numpy as np

    from vgbench.theory import phase_diagram

    columns, rows = (121, 61) if fine else (61, 16)
    low = max(gains[0], gains[1] / 1000)  # at gain 0 the gradient is zero
    return phase_diagram(activation, np.linspace(low, gains[1], columns), np.linspace(*biases, rows))


def _drawn(diagram: "PhaseDiagram") -> "list[Text]":
    from rich.text import Text

    from vgbench.theory.phase import phase_of

    lines = [Text(f"{diagram.activation}: - vanishing, = critical (within 0.005 decades a layer), + exploding")]
    for bias, row in reversed(list(zip(diagram.bias_std, diagram.decay, strict=True))):
        line = Text(f"bias std {bias:5.2f} ")
        for decay in row:
            phase = phase_of(float(decay))
            line.append(_SIGNS[phase], style=_STYLES[phase])
        lines.append(line)
    low, high = f"{diagram.gain[0]:.2f}", f"{diagram.gain[-1]:.2f}"
    lines.append(Text(" " * 15 + low + high.rjust(len(diagram.gain) - len(low))))
    lines.append(Text("gain".rjust(15 + len(diagram.gain) // 2)))
    edge, bias = diagram.edge[0], diagram.bias_std[0]
    gain = f"gain {edge:.4g}" if edge == edge else "none"
    return [*lines, Text(f"edge of chaos at bias std {bias:g}: {gain} (LeCun has gain 1, He 1.414)")]


def _write(diagram: "PhaseDiagram", out: Path) -> None:
    import vl_convert
    from altair import data_transformers

    from vgbench.boundary.files import write_bytes
    from vgbench.pictures.phase_diagram import phase_chart

    with data_transformers.enable("default", max_rows=None):
        chart = phase_chart(diagram.activation, diagram.gain, diagram.bias_std, diagram.decay, diagram.edge).to_json()
    if out.suffix == Format.PNG:
        content = vl_convert.vegalite_to_png(chart, scale=2)
    elif out.suffix == Format.SVG:
        content = vl_convert.vegalite_to_svg(chart).encode()
    else:
        content = vl_convert.vegalite_to_html(chart, bundle=True).encode()
    try:
        write_bytes(out, content)
    except OSError as error:
        raise InputError(f"--out {out}: cannot be written: {error.strerror}") from None


def _activations() -> "Table":
    from rich.table import Table
    from rich.text import Text

    from vgbench.spec.registry import ACTIVATIONS
    from vgbench.theory import point
    from vgbench.theory.phase import edge_of_chaos
    from vgbench.theory.predict import normalised_decay

    table = Table(
        "activation",
        "LeCun (gain 1)",
        "He (gain 1.414)",
        "xi, LeCun",
        "xi, He",
        "edge of chaos",
        "layer norm",
        "batch norm",
    )
    for member in ACTIVATIONS:
        choice = ACTIVATIONS.choose(member.name)
        lecun, he = point(choice, 1.0), point(choice, 2**0.5)
        edge = edge_of_chaos(choice)
        norms = [normalised_decay(member.name, norm) for norm in ("layer", "batch")]
        decays = [_number(each) for each in (lecun.decay, he.decay)]
        scales = [f"{each.depth_scale:.3g}" for each in (lecun, he)]
        gain = f"gain {edge:.4g}" if edge == edge else "-"
        table.add_row(member.name, *map(Text, (*decays, *scales, gain, *map(_number, norms))))
    table.caption = (
        "decades a layer of ||dL/dh|| in a deep, wide plain network without biases: negative is vanishing; xi: layers"
        " over which the squared gradient changes by e; norms are before the activation; - if there is no theory"
    )
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:+z.4f}"


def _suite(name: str) -> "Table":
    from rich.table import Table
    from rich.text import Text

    from vgbench.spec.suite import read_suite
    from vgbench.theory import predict, why_none

    table = Table("cell", "decay", "first/last", "kind", "source; assumptions, or why there is no prediction")
    for cell in read_suite(name).cells():
        found = predict(cell.case)
        if found is None:
            table.add_row(*map(Text, (cell.label, "-", "-", "-", why_none(cell.case) or "")))
            continue
        why = "; ".join([", ".join(found.sources), *found.assumptions])
        numbers = _number(found.decay), f"{found.log10_first_over_last:+z.2f}"
        table.add_row(*map(Text, (cell.label, *numbers, found.kind, why)))
    return table


def _run(directory: str) -> "Table":
    from rich.table import Table
    from rich.text import Text

    from vgbench.records.runs import read_runs
    from vgbench.theory import compare, predict, why_none
    from vgbench.theory.prediction import in_words

    table = Table("cell", "predicted", "measured", "difference", "p (t-test)", "kind", "")
    for entry in (entry for run in read_runs(Path(directory)) for entry in run.entries):
        if entry.cell is None or entry.cell.gradients is None:
            continue
        label, found, gradients = entry.row.label, predict(entry.cell.case), entry.cell.gradients
        decays = gradients.decay_per_seed
        if found is None:
            why = why_none(entry.cell.case) or ""
            table.add_row(*map(Text, (label, "-", _number(float(decays.mean())), "-", "-", "-", why)))
            continue
        compared = compare(found, decays, gradients.epsilon)
        difference = compared.measured - compared.predicted
        numbers = map(_number, (compared.predicted, compared.measured, difference))
        p = "-" if compared.p != compared.p else in_words(compared.p)
        table.add_row(*map(Text, (label, *numbers, p, found.kind, "departs" if compared.departs else "")))
    return table
