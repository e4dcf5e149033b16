"""Notebooks: measurements and reports show themselves, and the report stays out of what measures."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.made import cost, forward, gradients, learned, measured, write_run

import vgbench as vg
from vgbench.errors import InputError
from vgbench.report.write import write_report
from vgbench.spec.case import Case

MEASURED = {
    "gradients": (gradients([-2.0, -1.0], [-3.0, -1.0]), "Gradient over 2 layers, 2 seeds: decay -1.5000 ± 6.3531"),
    "forward": (forward(3), "Forward signal over 3 layers, 2 seeds; in the last one: log10 of the scale +0.00"),
    "training": (
        learned(3, 0.95),
        "Training for 50 steps at learning rate 0.2: test accuracy 0.950 ± 0.000; 2 of 2 seeds",
    ),
    "cost": (cost(1.5), "A step, unrolled, takes 10 ms, 1.50 [1.50, 1.50] times the baseline&#x27;s: SLOWER"),
}


@pytest.mark.parametrize("kind", MEASURED)
def test_measurement_is_shown_as_words_and_a_picture_without_script(kind: str) -> None:
    shown, words = MEASURED[kind]
    html = shown._repr_html_()
    assert html.startswith(f"<p>{words}")
    assert "<svg" in html
    assert "<script" not in html


@pytest.mark.parametrize("kind", MEASURED)
def test_measurement_has_a_chart_of_altair(kind: str) -> None:
    definition = MEASURED[kind][0].chart().to_dict()
    assert definition["$schema"].startswith("https://vega.github.io/schema/vega-lite/")
    assert any(definition["datasets"].values())


def test_gradients_are_shown_as_a_band_of_seeds() -> None:
    (rows,) = gradients([-2.0, -1.0], [-4.0, -1.0]).chart().to_dict()["datasets"].values()
    assert [(row["layer"], row["low"], row["mean"], row["high"]) for row in rows] == [(1, -4, -3, -2), (2, -1, -1, -1)]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    cases = Case(depth=2, width=4, seeds=(0, 1)), Case(depth=2, width=4, seeds=(0, 1), init="he_normal")
    names = ("baseline", "<b>he")
    return write_run(tmp_path / "run", [(name, measured(case)) for name, case in zip(names, cases, strict=True)])


def test_report_is_shown_with_its_findings_and_tables(run: Path) -> None:
    html: Any = write_report(run, formats=())._repr_html_()
    assert "<li>Depth 2: the cheapest mitigation" in html
    assert html.count("<table>") == 2
    assert "&lt;b&gt;he" in html
    assert "<b>he" not in html
    assert "<strong>0.950</strong>" in html
    assert "measured on 2026-01-01" in html


def test_report_gives_its_pictures_as_charts(run: Path) -> None:
    report = write_report(run, formats=())
    assert "vconcat" in report.chart("gradients").to_dict() or "concat" in report.chart("gradients").to_dict()
    assert report.chart("gradients-in-time") is None
    with pytest.raises(InputError, match=r"unknown picture 'gradient'; did you mean 'gradients'\?"):
        report.chart("gradient")


def test_loaded_frame_is_one_of_pandas(run: Path) -> None:
    data = vg.load(run)
    best = data.groupby("depth")["test_metric"].max()
    assert best.loc[2] == pytest.approx(0.95)
    assert data.pivot(index="mitigation", columns="depth", values="step_ratio").shape == (2, 1)


@pytest.mark.slow
def test_measuring_does_not_load_the_report() -> None:
    code = "import sys, vgbench.measure.gradients, vgbench.measure.cost; print('vgbench.report' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
