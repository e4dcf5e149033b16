"""What a coordinate check says: exponents, verdicts, tables and pictures, from root mean squares that are made up."""

import numpy as np
import pytest

import vgbench as vg
from vgbench.instruments.coordinate_check import QUANTITIES, Exponents, sweep_of
from vgbench.statistics import Interval

WIDTHS = (16, 64, 256)


def check(exponent: float, noise: float = 0.0) -> vg.CoordinateCheck:
    """Of one module whose root mean squares all go as this power of the width, before and after one step."""
    draw = np.random.default_rng(0)

    def run(width: int) -> dict[str, np.ndarray]:
        return {"block.0.linear": width**exponent * np.exp(noise * draw.normal(size=(2, len(QUANTITIES))))}

    sweep = sweep_of("width", WIDTHS, [[run(width) for _ in range(4)] for width in WIDTHS])
    return vg.CoordinateCheck((sweep,), steps=1)


def test_a_power_law_has_its_exponent_and_every_row_a_verdict() -> None:
    frame = check(-0.5).frame()
    assert list(frame["quantity"]) == ["size", "size", "change", "update", "own", "inputs"]
    np.testing.assert_allclose(frame["exponent"], -0.5, atol=1e-12)
    assert set(frame["verdict"]) == {"shrinks like width^-0.50"}


def test_printed_it_is_a_table_with_the_verdict_of_the_change() -> None:
    shown = str(check(1.0, noise=0.01))
    assert "block.0.linear" in shown
    assert "grows like width^1.00" in shown


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        (Interval(0.03, -0.02, 0.08), "independent"),
        (Interval(0.03, -0.5, 0.6), "unclear"),
        (Interval(0.9, 0.8, 1.0), "grows like width^0.90"),
        (Interval(-0.5, -0.6, -0.4), "shrinks like width^-0.50"),
        (Interval(0.5, float("nan"), float("nan")), "grows like width^0.50"),
        (Interval(float("nan"), float("nan"), float("nan")), "zero or not finite"),
    ],
)
def test_verdicts_wait_for_the_whole_interval(interval: Interval, verdict: str) -> None:
    assert Exponents("width", "linear", "change", 1, interval).verdict == verdict


def test_names_that_differ_in_the_numbers_of_layers_are_one_place_over_depth() -> None:
    def run(**places: float) -> dict[str, np.ndarray]:
        return {name.replace("__", "."): np.full((1, 5), value) for name, value in places.items()}

    shallow = run(blocks__0__fc1=3.0, blocks__0__fc2=1.0, Dense_0=2.0)
    deep = run(blocks__0__fc1=3.0, blocks__0__fc2=1.0, blocks__1__fc1=4.0, blocks__1__fc2=1.0, Dense_0=2.0, Dense_1=2.0)
    sweep = sweep_of("depth", (1, 2), [[shallow], [deep]])
    assert sweep.modules == ("blocks.*.fc1", "blocks.*.fc2", "Dense_*")
    np.testing.assert_allclose(sweep.rms[0, :, 0, :, 0], [[3, 1, 2], [np.sqrt(12.5), 1, 2]])
    widths = sweep_of("width", (1, 2), [[shallow], [deep]])
    assert widths.modules == tuple(shallow)  # of different models, the places that both have


def test_picture_has_a_panel_for_every_module() -> None:
    drawn = check(1.0).plot("size").to_dict()
    (panels,) = drawn["vconcat"]
    assert panels["facet"]["sort"] == ["block.0.linear"]
    rows = next(iter(drawn["datasets"].values()))
    np.testing.assert_allclose([row["rms"] for row in rows if row["step"] == 1], WIDTHS)
    with pytest.raises(vg.InputError, match=r"unknown quantity 'sizes'; did you mean 'size'\?"):
        check(1.0).plot("sizes")
