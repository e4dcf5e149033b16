"""Pictures: what their definitions say, by Vega-Lite's own schema and by what a reader has to see."""

import dataclasses
import json
import re
import struct
from pathlib import Path
from typing import Any

import altair as alt
import jsonschema
import numpy as np
import pytest
from helpers.drawn_texts import touching
from helpers.made import changed, gradients, measured, training, write_run

from vgbench.pictures.compose import Definition
from vgbench.pictures.panels import rounded, thinned, tooltip
from vgbench.pictures.render import RENDERERS, render
from vgbench.records.runs import Entry, Run, read_runs
from vgbench.report.charts import PICTURES
from vgbench.report.charts.forward import forward_signal
from vgbench.report.charts.gradients import gradient_norms
from vgbench.report.charts.places import compared_panels
from vgbench.report.frames import frame
from vgbench.spec.case import Case

SCHEMA = json.loads((Path(alt.__file__).parent / "vegalite/v6/schema/vega-lite-schema.json").read_text())
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)


def case(depth: int, init: Any = "glorot_normal", **fields: Any) -> Case:
    return Case(depth=depth, width=4, init=init, learning_rates=(0.1, 0.2), seeds=(0, 1), steps=50, **fields)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """A baseline that does not train at depth 6, and two mitigations that do, one of them at 3 as well."""
    cells = [
        *(("baseline", measured(case(depth), accuracy)) for depth, accuracy in ((3, 0.95), (6, 0.1))),
        *(("he", measured(case(depth, "he_normal"), accuracy)) for depth, accuracy in ((3, 0.96), (6, 0.97))),
        *(("lecun", measured(case(depth, "lecun_normal"), accuracy)) for depth, accuracy in ((3, 0.5), (6, 0.9))),
    ]
    return read_runs(write_run(tmp_path_factory.mktemp("run"), cells))


def drawn(runs: list[Run], name: str) -> Definition:
    definition = PICTURES[name].draw(runs, frame(runs), ())
    assert definition is not None
    return definition


def views(part: Any) -> list[Definition]:
    """Every view with one mark."""
    inner = [each for name in ("concat", "vconcat", "hconcat", "layer") for each in part.get(name, [])]
    inner += [part["spec"]] if "spec" in part else []
    return [view for each in inner for view in views(each)] if inner else [part]


def layered(part: Any) -> list[Definition]:
    """Every view with axes of its own, whose layers share the titles."""
    inner = [each for name in ("concat", "vconcat", "hconcat") for each in part.get(name, [])]
    inner += [part["spec"]] if "spec" in part else []
    return [view for each in inner for view in layered(each)] if inner else [part]


def marks(definition: Definition, kind: str) -> list[Definition]:
    return [view for view in views(definition) if view["mark"]["type"] == kind]


def rows(definition: Definition, part: Definition) -> list[dict[str, Any]]:
    data = part.get("data") or part["layer"][0]["data"]
    return definition["datasets"][data["name"]]


def everything(definition: Definition) -> list[dict[str, Any]]:
    return [row for values in definition["datasets"].values() for row in values]


def panels(definition: Definition) -> list[Definition]:
    """The parts that have a title: a place of the sweep each."""
    if "title" in definition:
        return [definition]
    inner = [each for name in ("concat", "vconcat", "hconcat") for each in definition.get(name, [])]
    return [panel for each in inner for panel in panels(each)]


OTHERS = ("gradients-in-time", "coordinates", "roofline")
FEED_FORWARD = [name for name in PICTURES if name not in OTHERS]


@pytest.mark.parametrize("name", FEED_FORWARD)
def test_definition_is_vega_lite(runs: list[Run], name: str) -> None:
    assert not list(VALIDATOR.iter_errors(drawn(runs, name)))


@pytest.mark.parametrize("name", FEED_FORWARD)
def test_definition_is_the_same_whenever_the_records_are(runs: list[Run], name: str) -> None:
    assert json.dumps(drawn(runs, name)) == json.dumps(drawn(runs, name))


@pytest.mark.parametrize("name", FEED_FORWARD)
def test_every_axis_has_a_title(runs: list[Run], name: str) -> None:
    for panel in layered(drawn(runs, name)):
        for channel in ("x", "y"):
            encodings = [view["encoding"].get(channel, {}) for view in views(panel)]
            shown = [
                each for each in encodings if each.get("field", "row") != "row"
            ]  # rows have names in place of a title
            assert not shown or any(each.get("title") for each in shown), encodings


def test_gradients_have_a_panel_for_each_depth_and_a_line_for_each_mitigation(runs: list[Run]) -> None:
    definition = drawn(runs, "gradients")
    assert [panel["title"] for panel in panels(definition)] == ["depth 3", "depth 6"]
    for panel, depth in zip(panels(definition), (3, 6), strict=True):
        shown = rows(definition, panel)
        assert [row["layer"] for row in shown[:depth]] == list(range(depth, 0, -1))
        assert [row["measured"] for row in shown[:depth]] == pytest.approx(np.linspace(-1, -depth, depth))
        assert panel["layer"][0]["mark"]["type"] == "area"
    assert marks(definition, "line")[0]["encoding"]["y"]["title"] == "log10 of ‖∂L/∂h‖"


@pytest.mark.parametrize("name", ["gradients", "forward"])
def test_three_layers_have_no_tick_at_half_a_layer(tmp_path: Path, name: str) -> None:
    runs = read_runs(write_run(tmp_path, [("baseline", measured(case(3)))]))
    svg = render(drawn(runs, name), "svg").decode()
    assert not {">1.5<", ">2.5<"} & set(re.findall(r">[\d.]+<", svg))


@pytest.mark.parametrize("name", ["gradients", "forward"])
def test_a_single_layer_is_no_line(tmp_path: Path, name: str) -> None:
    runs = read_runs(write_run(tmp_path, [("baseline", measured(case(depth))) for depth in (1, 3)]))
    assert [panel["title"] for panel in panels(drawn(runs, name))] == ["depth 3"]


def test_theory_is_drawn_dashed_from_the_last_measured_layer_on(runs: list[Run]) -> None:
    predicted = {case(3).cell_id: [-4.0, -2.0, 0.0]}
    definition = gradient_norms(runs, predicted)
    assert definition is not None
    (dashed,) = [view for view in marks(definition, "line") if "strokeDash" in view["mark"]]
    assert dashed["encoding"]["y"]["field"] == "predicted"
    assert [(row["mitigation"], row["predicted"]) for row in rows(definition, dashed)] == [
        ("baseline", -1.0),
        ("baseline", -3.0),
        ("baseline", -5.0),
    ]
    plain = gradient_norms(runs, {})
    assert plain is not None
    assert not [view for view in marks(plain, "line") if "strokeDash" in view["mark"]]


def test_theory_of_the_cells_themselves_is_drawn_unless_another_is_given(runs: list[Run]) -> None:
    dashed = [view for view in marks(drawn(runs, "gradients"), "line") if "strokeDash" in view["mark"]]
    assert len(dashed) == 2
    assert {row["mitigation"] for row in rows(drawn(runs, "gradients"), dashed[0])} <= {"baseline", "he", "lecun"}


def test_recurrent_networks_are_drawn_back_in_time_and_nowhere_else(tmp_path: Path) -> None:
    cell = measured(case(2, "orthogonal", model="recurrent", cell="rnn"), None)
    runs = read_runs(write_run(tmp_path, [("baseline", cell)]))
    definition = drawn(runs, "gradients-in-time")
    assert {(row["layer"], row["measured"]) for row in everything(definition)} == {(0, -1.0), (1, -2.0)}
    line = marks(definition, "line")[0]
    assert line["encoding"]["x"]["title"] == "time steps back from the last one"
    assert gradient_norms(runs) is None
    assert PICTURES["forward"].draw(runs, frame(runs), ()) is None


def test_what_a_run_does_not_have_is_not_drawn(tmp_path: Path) -> None:
    bare = dataclasses.replace(measured(case(3), None), forward=None)
    runs = read_runs(write_run(tmp_path, [("baseline", bare)]))
    assert [name for name, picture in PICTURES.items() if picture.draw(runs, frame(runs), ())] == [
        "answer",
        "answer-narrow",
        "gradients",
    ]


def test_run_that_diverged_is_drawn_as_far_as_it_goes(tmp_path: Path) -> None:
    cell = measured(case(3), 0.1)
    assert cell.training
    lost = changed(
        cell.training,
        loss=np.full((2, 50), np.nan, np.float32),
        log10_activation_norm=np.full((2, 3, 3), np.nan),
        gradient_histogram=np.zeros((2, 3, 4, 256), np.int32),
    )
    runs = read_runs(write_run(tmp_path, [("baseline", dataclasses.replace(cell, training=lost))]))
    assert PICTURES["heatmap"].draw(runs, frame(runs), ()) is None
    assert PICTURES["histograms"].draw(runs, frame(runs), ()) is None
    assert {row["what"] for row in everything(drawn(runs, "curves"))} == {"metric"}


def test_lines_that_coincide_are_one_with_the_names_of_all(runs: list[Run]) -> None:
    definition = drawn(runs, "gradients")
    (label, _) = marks(definition, "text")
    assert label["encoding"]["text"]["field"] == "names"
    assert [row["names"] for row in rows(definition, label)] == ["baseline, he, lecun"]


def test_legend_has_the_slots_of_which_a_line_is_seen(runs: list[Run]) -> None:
    def shown(name: str) -> set[str]:
        definition = drawn(runs, name)
        legends = [view["encoding"]["color"]["legend"] for view in views(definition) if "color" in view["encoding"]]
        return {slot for legend in legends for slot in legend["values"]}

    assert shown("gradients") == {"reference"}  # the lines of the two initialisers lie on the reference's
    assert shown("curves") == {"reference", "init"}


def test_lines_by_depth_join_cells_whose_width_grows_with_it(runs: list[Run]) -> None:
    def with_width(widths: dict[int, int]) -> list[Run]:
        def entry(each: Entry) -> Entry:
            axes = {**each.row.axes, "width": widths.get(each.row.axes["depth"], each.row.place)}
            return dataclasses.replace(each, row=dataclasses.replace(each.row, axes=axes))

        return [dataclasses.replace(run, entries=tuple(map(entry, run.entries))) for run in runs]

    grown = with_width({3: 16, 6: 32})
    definition = PICTURES["cost"].draw(grown, frame(grown), ())
    assert definition is not None
    assert {view["encoding"]["x"]["title"] for view in marks(definition, "line")} == {"depth and width"}
    assert {row["depth"] for row in rows(definition, marks(definition, "line")[0])} == {3, 6}
    every_width_once = with_width({})
    assert PICTURES["cost"].draw(every_width_once, frame(every_width_once), ()) is None


def test_choice_in_the_legend_is_of_slots_and_holds_for_all_panels(runs: list[Run]) -> None:
    definition = drawn(runs, "gradients")
    (choice,) = definition["params"]
    assert (choice["bind"], choice["select"]["fields"]) == ("legend", ["slot"])
    named = [view["name"] for view in views(definition) if "name" in view]
    assert choice["views"] == named
    assert len(named) == len(panels(definition))
    scales = [view["encoding"]["color"]["scale"] for view in marks(definition, "line") if "color" in view["encoding"]]
    assert {json.dumps(scale) for scale in scales} == {json.dumps(scales[0])}
    assert scales[0]["domain"] == ["reference", "init"]


def test_forward_signal_shows_scale_and_distance(runs: list[Run]) -> None:
    definition = drawn(runs, "forward")
    titles = [view["encoding"]["y"]["title"] for view in marks(definition, "line")]
    assert titles == ["log10 of rms(h)", "log10(1 - cosine)"] * 2
    assert {(row["layer"], row["distance"]) for row in rows(definition, panels(definition)[0]["vconcat"][1])} == {
        (1, 0.0),
        (2, -1.0),
        (3, -2.0),
    }


def test_curves_have_a_band_of_seeds_and_a_logarithmic_loss(runs: list[Run]) -> None:
    definition = drawn(runs, "curves")
    loss, accuracy = marks(definition, "line")[:2]
    assert loss["encoding"]["y"]["scale"]["type"] == "log"
    assert accuracy["encoding"]["y"]["scale"]["domain"] == [0, 1]
    ends = [row for row in everything(definition) if row["what"] == "metric" and row["step"] == 25]
    assert {(row["low"], row["median"], row["high"]) for row in ends} == {(0.25, 0.375, 0.5)}
    assert {view["encoding"]["y2"]["field"] for view in marks(definition, "area")} == {"high"}


def of_gradients(tmp_path: Path, *cells: tuple[str, list[float]]) -> list[Run]:
    """A run of a baseline that is trained, and of these norms by layer under other names at the same depth."""
    others = [
        (name, dataclasses.replace(measured(case(3, gain)), gradients=gradients(norms, [0.0, 0.0, 0.0])))
        for (name, norms), gain in zip(cells, ("he_normal", "lecun_normal"), strict=False)
    ]
    return read_runs(write_run(tmp_path, [("baseline", measured(case(3))), *others]))


@pytest.mark.parametrize("name", ["answer", "answer-narrow"])
def test_answer_marks_a_gradient_that_is_exactly_zero_at_the_first_layer(tmp_path: Path, name: str) -> None:
    definition = drawn(of_gradients(tmp_path, ("irnn", [-np.inf, -1.0, 0.0])), name)
    assert not list(VALIDATOR.iter_errors(definition))
    (mark,) = [view for view in marks(definition, "text") if view["mark"].get("text") == "∞"]
    assert {row["mitigation"]: row["zero"] for row in rows(definition, mark)} == {"baseline": False, "irnn": True}
    assert "∞: the gradient" in " ".join(definition["title"]["text"])
    render(definition, "svg")


def test_answer_without_such_a_gradient_has_no_mark_for_it(runs: list[Run]) -> None:
    assert "∞" not in json.dumps(drawn(runs, "answer"), ensure_ascii=False)


def test_long_names_keep_their_ends_in_the_answer(tmp_path: Path) -> None:
    names = "initializers_orthogonal_auto", "initializers_orthogonal_critical"
    runs = of_gradients(tmp_path, *((name, [-2.0, -1.0, 0.0]) for name in names))
    shown = {row["name"] for row in everything(drawn(runs, "answer-narrow")) if "name" in row}
    assert shown == {"baseline", "initi…onal_auto", "initi…_critical"}


def test_panels_that_are_compared_with_the_baseline_say_so_among_others() -> None:
    assert compared_panels(["", ""], ["rnn", "baseline"]) == ["compared with rnn", "compared with baseline"]
    assert compared_panels(["", ""], ["baseline", "baseline"]) == ["", ""]


def test_no_labels_touch_at_a_depth_of_thousands(tmp_path: Path) -> None:
    cells = [
        (name, measured(case(3000, init), None)) for name, init in (("glorot", "glorot_normal"), ("he", "he_normal"))
    ]
    runs = read_runs(write_run(tmp_path, cells))
    for definition in (gradient_norms(runs, {}), forward_signal(runs)):
        assert definition is not None
        svg = render(definition, "svg").decode()
        assert ">depth 3,000<" in svg
        assert ">3,000<" in svg
        assert touching(svg) == []


def test_numbers_in_tooltips_have_their_thousands_apart() -> None:
    assert [each.to_dict(validate=False).get("format") for each in tooltip(["depth:Q", "step:O", "slot:N"])] == [
        ",",
        ",",
        None,
    ]


def test_seed_that_diverges_does_not_flatten_the_learning_curves(tmp_path: Path) -> None:
    trained = case(3).model_copy(update={"seeds": (0, 1, 2)})
    curves = training(0.9, 0.9, 0.9, case=trained)
    curves = changed(curves, loss=np.stack([np.full(50, last) for last in (1, 1, 1e30)]).astype(np.float32))
    profile = gradients(*[[-3.0, -2.0, -1.0]] * 3)
    cell = dataclasses.replace(measured(trained), gradients=profile, forward=None, training=curves)
    shown = everything(drawn(read_runs(write_run(tmp_path, [("baseline", cell)])), "curves"))
    assert {(row["median"], row["high"]) for row in shown if row["what"] == "loss"} == {(1.0, 100.0)}


def test_heat_map_of_a_recurrent_network_is_by_time_step(tmp_path: Path) -> None:
    cell = measured(case(3, "orthogonal", model="recurrent", cell="rnn"))
    runs = read_runs(write_run(tmp_path, [("baseline", cell)]))
    (rect, *_) = marks(drawn(runs, "heatmap"), "rect")
    assert rect["encoding"]["y"]["title"] == "time step"


def test_heat_map_has_a_cell_for_each_layer_and_record(runs: list[Run]) -> None:
    definition = drawn(runs, "heatmap")
    assert [panel["title"] for panel in panels(definition)] == ["depth 3", "depth 6"]
    first = [row for row in rows(definition, definition["vconcat"][0]) if row["mitigation"] == "baseline"]
    assert {(row["step"], row["layer"]): row["norm"] for row in first} == {
        (25 * record, layer): -(3 - layer) - record for record in range(3) for layer in (1, 2, 3)
    }
    (rect, _) = marks(definition, "rect")
    assert rect["encoding"]["color"]["scale"]["scheme"] == "viridis"


def test_histograms_are_ridges_with_the_share_of_each_bin(runs: list[Run]) -> None:
    definition = drawn(runs, "histograms")
    shown = rows(definition, definition["vconcat"][0])
    ridge = [row for row in shown if (row["mitigation"], row["moment"], row["layer"]) == ("he", "after training", 2)]
    assert [row["share"] for row in ridge] == [0, 0.25, 0.5, 0.25, 0]
    # Bin 121 counts from 2**-6 to 2**-5.
    assert ridge[2]["magnitude"] == pytest.approx(-5.5 * np.log10(2), abs=0.01)
    assert {row["foot"] for row in ridge} == {1}


def test_accuracy_by_depth_shows_the_target(runs: list[Run]) -> None:
    definition = drawn(runs, "accuracy")
    assert any(view["encoding"].get("y", {}).get("field") == "target" for view in marks(definition, "rule"))
    assert {row["depth"] for row in everything(definition) if "depth" in row} == {3, 6}


def test_benefit_joins_what_nothing_beats(runs: list[Run]) -> None:
    definition = drawn(runs, "benefit")
    assert [panel["title"] for panel in panels(definition)] == ["depth 3", "depth 6"]
    fronts = [{row["mitigation"] for row in rows(definition, view)} for view in marks(definition, "line")]
    assert fronts == [{"baseline", "he"}, {"baseline", "he"}]
    axes = [view["encoding"] for view in marks(definition, "point")]
    assert {axis[channel]["scale"]["type"] for axis in axes for channel in ("x", "y")} == {"log"}


def test_benefit_has_a_panel_for_each_reference(tmp_path: Path) -> None:
    data = [("baseline", measured(case(3))), ("he", measured(case(3, "he_normal")))]
    other = [("convnet", measured(case(6), None)), ("lecun", measured(case(6, "lecun_normal"), None))]
    (run,) = read_runs(write_run(tmp_path, [*data, *other]))
    entries = [dataclasses.replace(each, row=dataclasses.replace(each.row, axes={"width": 4})) for each in run.entries]
    definition = drawn([dataclasses.replace(run, entries=tuple(entries))], "benefit")
    assert [panel["title"] for panel in panels(definition)] == ["width 4", "width 4, compared with convnet"]


def test_costs_are_apart_by_the_form_of_the_blocks(runs: list[Run], tmp_path: Path) -> None:
    definition = drawn(runs, "cost")
    assert [view["encoding"]["y"]["title"] for view in marks(definition, "line")] == [
        "time of a step, ms",
        "peak memory of a step, MiB",
        "trace, lower and compile, s",
    ]
    (first, *_) = everything(definition)
    assert (first["latency"], first["compile_seconds"]) == (10.0, 0.875)


@pytest.mark.parametrize(("form", "start"), [("png", b"\x89PNG\r\n\x1a\n"), ("svg", b"<svg"), ("pdf", b"%PDF")])
def test_one_definition_gives_every_form(runs: list[Run], form: str, start: bytes) -> None:
    content = render(drawn(runs, "gradients"), form)
    assert content.lstrip().startswith(start)
    if form == "png":
        width, height = struct.unpack(">II", content[16:24])
        assert width > 600
        assert height > 200


def test_svg_and_pdf_hold_their_fonts(runs: list[Run]) -> None:
    svg, pdf = (render(drawn(runs, "answer"), form) for form in ("svg", "pdf"))
    assert svg.count(b"@font-face") == 2
    assert b"font-family=\"'DejaVu Sans', " in svg
    assert b"/FontFile2" in pdf
    width, height = (float(number) for number in re.findall(rb"MediaBox \[0 0 (\S+) (\S+)\]", pdf)[0])
    drawing = re.search(rb'width="([\d.]+)" height="([\d.]+)"', svg)
    assert drawing
    assert (width, height) == pytest.approx((0.75 * float(drawing[1]), 0.75 * float(drawing[2])), abs=1)


@pytest.mark.slow
def test_one_definition_gives_a_page_that_stands_alone(runs: list[Run]) -> None:
    content = render(drawn(runs, "gradients"), "html")
    assert content.lstrip().startswith(b"<!DOCTYPE html>")
    assert b"<script src" not in content
    assert set(RENDERERS) == {"png", "svg", "pdf", "html"}


@pytest.mark.parametrize("name", ["a\u2028b", "a\u2029b", "a\nb", '"', "'", "\\"])
def test_picture_is_drawn_whatever_a_mitigation_is_called(tmp_path: Path, name: str) -> None:
    runs = read_runs(write_run(tmp_path, [(name, measured(case(3)))]))
    assert render(drawn(runs, "gradients"), "svg").startswith(b"<svg")


def test_long_things_are_thinned_with_their_ends_kept() -> None:
    assert list(thinned(3)) == [0, 1, 2]
    indices = thinned(10_000, 100)
    assert len(indices) == 100
    assert (indices[0], indices[-1]) == (0, 9_999)


def test_numbers_are_rounded_to_what_a_picture_can_show() -> None:
    assert list(rounded([1.23456789, 12345.6789], 3)) == [1.23, 12300.0]
    assert np.isnan(rounded([np.inf, np.nan, -np.inf])).all()
