"""Suites: from one TOML file to cells, or to a message that says what is wrong with it."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from vgbench.errors import InputError
from vgbench.spec.case import Case
from vgbench.spec.suite import Suite, built_in_suites, read_suite

HEAD = 'title = "Title"\nquestion = "Question?"\n'
RATES = "[protocol]\nlearning_rate_centers = { adam = 0.01, sgd = 0.1 }\n"


def read(folder: Path, text: str | bytes) -> Suite:
    path = folder / "mine.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_suite(path)


def suite(**fields: Any) -> Suite:
    base = {"name": "mine", "title": "Title", "question": "Question?", "baseline": {"learning_rates": [0.1]}}
    return Suite(**{**base, **fields})


def shown(cells: Suite) -> list[tuple[str, dict[str, Any]]]:
    return [(cell.mitigation, dict(cell.axes)) for cell in cells.cells()]


def test_quickstart_reads_as_it_is_written() -> None:
    quickstart = read_suite("quickstart")
    assert (quickstart.name, quickstart.title) == ("quickstart", "Quickstart")
    assert list(quickstart.mitigations) == ["adam", "clipping", "relu_he", "batch_norm", "residual"]
    assert quickstart.sweep == {"depth": [4, 16, 64, 256]}
    assert (quickstart.references[0], quickstart.minutes) == (
        "Hochreiter 1991, Untersuchungen zu dynamischen neuronalen Netzen",
        2,
    )
    assert quickstart in built_in_suites()


def test_quickstart_expands_to_every_mitigation_at_every_depth() -> None:
    names = ["baseline", "adam", "clipping", "relu_he", "batch_norm", "residual"]
    cells = read_suite("quickstart").cells()
    assert [(cell.axes["depth"], cell.mitigation) for cell in cells] == [
        (d, n) for d in (4, 16, 64, 256) for n in names
    ]
    assert [cell.case.depth for cell in cells] == [cell.axes["depth"] for cell in cells]
    assert len({cell.case.cell_id for cell in cells}) == len(cells)


def test_quickstart_trains_to_depth_16_only() -> None:
    for cell in read_suite("quickstart").cells():
        assert cell.case.steps == (500 if cell.case.depth <= 16 else 0)


def test_reference_is_the_baseline_at_the_same_axes() -> None:
    for cell in read_suite("quickstart").cells():
        assert cell.reference.depth == cell.case.depth
        assert cell.reference.activation.name == "sigmoid"
        assert (cell.case == cell.reference) == (cell.mitigation == "baseline")


def test_cells_come_in_the_order_of_the_file_baseline_first() -> None:
    mine = suite(mitigations={"z": {"skip": "residual"}, "a": {"norm": "batch"}}, sweep={"width": [3, 2], "depth": [1]})
    assert shown(mine) == [
        ("baseline", {"width": 3, "depth": 1}),
        ("z", {"width": 3, "depth": 1}),
        ("a", {"width": 3, "depth": 1}),
        ("baseline", {"width": 2, "depth": 1}),
        ("z", {"width": 2, "depth": 1}),
        ("a", {"width": 2, "depth": 1}),
    ]


def test_every_combination_of_axes_is_taken() -> None:
    axes = [axes for _, axes in shown(suite(sweep={"width": [2, 3], "depth": [4, 5, 6]}))]
    assert axes == [{"width": w, "depth": d} for w in (2, 3) for d in (4, 5, 6)]


def test_suite_without_sweep_is_one_combination() -> None:
    assert shown(suite(mitigations={"res": {"skip": "residual"}})) == [("baseline", {}), ("res", {})]


def test_mitigation_goes_before_axis_and_axis_before_baseline() -> None:
    mine = suite(
        baseline={"learning_rates": [0.1], "depth": 9, "width": 9},
        mitigations={"narrow": {"width": 2}},
        sweep={"width": [3], "depth": [4]},
    )
    assert [(cell.case.depth, cell.case.width) for cell in mine.cells()] == [(4, 3), (4, 2)]


def test_equal_cases_appear_once_under_their_first_name() -> None:
    mine = suite(
        baseline={"learning_rates": [0.1], "activation": "tanh"},
        mitigations={
            "same": {},
            "also": {"activation": {"name": "tanh"}},
            "relu": {"activation": "relu"},
            "relu2": {"activation": "relu"},
        },
    )
    assert [name for name, _ in shown(mine)] == ["baseline", "relu"]


def test_label_names_mitigation_and_axes() -> None:
    labels = [cell.label for cell in suite(sweep={"width": [2], "depth": [4]}).cells()]
    assert labels == ["baseline, width 2, depth 4"]


@pytest.mark.parametrize(
    ("centers", "patch", "expected"),
    [
        ({"sgd": 0.1}, {}, (0.01, 0.0316, 0.1, 0.316, 1.0)),
        ({"sgd": 0.1, "adam": 3e-3}, {"optimizer": "adam"}, (3e-4, 9.49e-4, 3e-3, 9.49e-3, 3e-2)),
        (
            {"sgd": 0.1, "clip_by_global_norm": 1},
            {"gradient_transform": "clip_by_global_norm"},
            (0.1, 0.316, 1.0, 3.16, 10.0),
        ),
        ({"sgd": 0.1}, {"gradient_transform": "clip_by_global_norm"}, (0.01, 0.0316, 0.1, 0.316, 1.0)),
    ],
)
def test_rates_lie_half_a_decade_apart_around_the_centre_of_transform_else_optimizer(
    centers: dict[str, float], patch: dict[str, Any], expected: tuple[float, ...]
) -> None:
    mine = suite(
        baseline={"optimizer": "sgd"},
        mitigations={"changed": {"norm": "batch", **patch}},
        protocol={"learning_rate_centers": centers},
    )
    assert mine.cells()[1].case.learning_rates == expected


def test_rates_of_the_file_go_before_those_around_a_centre() -> None:
    mine = suite(
        baseline={"learning_rates": [0.5, 0.7]},
        mitigations={"one": {"learning_rates": [0.2]}},
        protocol={"learning_rate_centers": {}},
    )
    assert [cell.case.learning_rates for cell in mine.cells()] == [(0.5, 0.7), (0.2,)]


def test_cells_deeper_than_train_to_depth_are_not_trained() -> None:
    mine = suite(sweep={"depth": [4, 5]}, protocol={"train_to_depth": 4})
    trained, untrained = (cell.case for cell in mine.cells())
    assert (trained.steps, trained.learning_rates, trained.tuning_seeds) == (500, (0.1,), (1000, 1001))
    assert (untrained.steps, untrained.learning_rates, untrained.tuning_seeds) == (0, (), ())


def test_suite_of_no_steps_needs_no_centre() -> None:
    assert [cell.case.learning_rates for cell in suite(baseline={"steps": 0}).cells()] == [()]


def test_untrained_case_does_not_depend_on_the_protocol() -> None:
    without = suite(baseline={"steps": 0}).cells()[0].case
    shallow = (
        suite(baseline={"learning_rates": [0.3], "tuning_seeds": [7]}, protocol={"train_to_depth": 0}).cells()[0].case
    )
    assert without.cell_id == shallow.cell_id


def test_mitigation_changes_the_baseline_that_it_is_on_and_is_compared_with_it() -> None:
    mine = suite(
        baselines={"wide": {"width": 9}},
        mitigations={"bn": {"norm": "batch"}, "wide_bn": {"on": "wide", "norm": "batch"}},
    )
    baseline, wide, bn, wide_bn = mine.cells()
    assert [cell.mitigation for cell in mine.cells()] == ["baseline", "wide", "bn", "wide_bn"]
    assert (baseline.reference, bn.reference) == (baseline.case, baseline.case)
    assert (wide.reference, wide_bn.reference) == (wide.case, wide.case)
    assert (wide_bn.case.width, wide_bn.case.norm.name) == (9, "batch")


def test_mitigation_on_the_baseline_by_its_name_is_the_same_as_without() -> None:
    named, unnamed = ({"bn": {"norm": "batch", **on}} for on in ({"on": "baseline"}, {}))
    assert suite(mitigations=named).cells() == suite(mitigations=unnamed).cells()


class TestSelect:
    mine = suite(
        baseline={"learning_rates": [0.1], "activation": "tanh"},
        mitigations={"res": {"skip": "residual"}, "bn": {"norm": "batch"}},
        sweep={"depth": [2, 3]},
    )

    def test_nothing_selected_changes_nothing(self) -> None:
        assert self.mine.select() == self.mine

    def test_one_value_sets_a_field_of_every_case(self) -> None:
        assert {cell.case.width for cell in self.mine.select({"width": [5]}).cells()} == {5}
        assert list(self.mine.select({"width": [5]}).sweep) == ["depth"]

    def test_several_values_sweep_a_field_after_the_other_axes(self) -> None:
        axes = [cell.axes for cell in self.mine.select({"width": [5, 6]}, ["baseline"]).cells()]
        assert axes == [{"depth": d, "width": w} for d in (2, 3) for w in (5, 6)]

    def test_values_replace_those_of_a_swept_axis(self) -> None:
        assert self.mine.select({"depth": [7]}).sweep == {"depth": [7]}

    @pytest.mark.parametrize("field", ["learning_rates", "seeds", "tuning_seeds"])
    @pytest.mark.parametrize("values", [[5], [5, 6]])
    def test_values_of_a_list_make_one_list(self, field: str, values: list[int]) -> None:
        chosen = self.mine.select({field: values})
        assert list(chosen.sweep) == ["depth"]
        assert {getattr(cell.case, field) for cell in chosen.cells()} == {tuple(values)}

    def test_only_keeps_the_named_and_the_baseline_in_order(self) -> None:
        names = [name for name, _ in shown(self.mine.select({"depth": [2]}, ["bn", "res"]))]
        assert names == ["baseline", "res", "bn"]
        assert [name for name, _ in shown(self.mine.select({"depth": [2]}, ["bn"]))] == ["baseline", "bn"]

    def test_only_baseline_keeps_nothing_else(self) -> None:
        assert self.mine.select(only=["baseline"]).mitigations == {}

    def test_only_also_keeps_the_baselines_of_the_named(self) -> None:
        mine = suite(baselines={"c": {"width": 5}}, mitigations={"a": {"width": 3}, "b": {"on": "c", "depth": 4}})
        assert mine.select(only=["b"]).names == ("baseline", "c", "b")
        assert mine.select(only=["a"]).names == ("baseline", "a")
        assert mine.select(only=["c"]).names == ("baseline", "c")

    def test_selection_leaves_the_suite_itself_as_it_is(self) -> None:
        before = self.mine.model_dump()
        self.mine.select({"depth": [9], "width": [5]}, ["bn"])
        assert self.mine.model_dump() == before

    def test_set_value_is_checked_like_one_of_the_file(self) -> None:
        with pytest.raises(InputError, match=r"^suite 'mine', baseline: width: Input should be a valid integer$"):
            self.mine.select({"width": ["five"]}).cells()

    def test_unknown_field_names_the_nearest_and_all(self) -> None:
        with pytest.raises(InputError, match=r"^unknown field 'widht'; did you mean 'width'\? \(choose from: act"):
            self.mine.select({"widht": [3]})

    def test_unknown_mitigation_names_the_nearest_and_all(self) -> None:
        expected = r"^unknown mitigation 'ress'; did you mean 'res'\? \(choose from: baseline, bn, res\)$"
        with pytest.raises(InputError, match=expected):
            self.mine.select(only=["bn", "ress"])

    @pytest.mark.parametrize("field", ["width", "depth"])
    def test_no_value_at_all_is_refused(self, field: str) -> None:
        with pytest.raises(InputError, match=field):
            self.mine.select({field: []})


class TestQuickVersion:
    mine = suite(
        minutes=9.0,
        baseline={"steps": 50, "learning_rates": [0.1]},
        mitigations={"res": {"skip": "residual"}},
        sweep={"depth": [2, 3, 4]},
        quick={"depth": [2, 3], "steps": 5, "width": [6, 7], "seeds": 0},
    )

    def test_its_cells_are_those_of_the_settings(self) -> None:
        settings = {"depth": [2, 3], "steps": [5], "width": [6, 7], "seeds": [0]}
        assert self.mine.quick_version().cells() == self.mine.select(settings).cells()
        assert {cell.case.steps for cell in self.mine.quick_version().cells()} == {5}

    def test_it_is_a_suite_of_its_own_name_without_an_estimate_or_a_quicker_one(self) -> None:
        quick = self.mine.quick_version()
        assert (quick.name, quick.title, quick.minutes) == ("mine-quick", "Title", None)
        with pytest.raises(InputError, match=r"^suite 'mine-quick' has no quick version"):
            quick.quick_version()

    def test_the_suite_itself_stays_as_it_is(self) -> None:
        before = self.mine.model_dump()
        self.mine.quick_version()
        assert self.mine.model_dump() == before

    def test_further_settings_go_on_top(self) -> None:
        depths = {cell.case.depth for cell in self.mine.quick_version().select({"depth": [9]}).cells()}
        assert depths == {9}

    def test_suite_without_the_table_says_what_to_add(self) -> None:
        expected = r"^suite 'mine' has no quick version: add a table \[quick\] of settings, e\.g\. depth = "
        with pytest.raises(InputError, match=expected):
            suite().quick_version()

    def test_empty_list_is_a_value_of_a_list_only(self) -> None:
        mine = suite(baseline={"learning_rates": [0.1]}, quick={"tuning_seeds": []})
        assert mine.quick_version().cells()[0].case.tuning_seeds == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("title = ", "mine.toml: not valid TOML: Invalid value"),
        ("title = 'a'\ntitle = 'b'", "mine.toml: not valid TOML: Cannot overwrite a value"),
        ("[a]\n[a]", "mine.toml: not valid TOML: Cannot declare"),
        (b"title = '\xff\xfe'", "mine.toml: not valid TOML: 'utf-8' codec can't decode byte 0xff"),
        ("title = 'a'\0", "mine.toml: not valid TOML"),
        ("", "mine.toml: title: Field required\n"),
        ("title = 3\nquestion = ''\n[baseline]", "mine.toml: title: Input should be a valid string"),
        (HEAD, "mine.toml: baseline: Field required"),
        (HEAD + "baseline = 3", "mine.toml: baseline: Input should be a valid dictionary"),
        (
            HEAD + "name = 'x'\n[baseline]",
            "mine.toml: a suite is named after its file; remove the field 'name'",
        ),
        (
            HEAD + "[baseline]\n[mitigation]",
            "unknown field 'mitigation'; did you mean 'mitigations'? (choose from: bas",
        ),
        (HEAD + "[baseline]\n[mitigations]\na = 3", "mine.toml: mitigations.a: Input should be a valid dictionary"),
        (HEAD + "[baseline]\n[sweep]\ndepth = 3", "mine.toml: sweep.depth: Input should be a valid list"),
        (HEAD + "[baseline]\n[sweep]\ndepth = []", "mine.toml: sweep.depth: List should have at least 1 item"),
        (
            HEAD + "[baseline]\n[mitigations]\nbaseline = {}",
            "mine.toml: two baselines or mitigations have the name 'baseline'",
        ),
        (
            HEAD + "[baseline]\n[protocol]\ntrain_to_dpth = 3",
            "mine.toml: protocol: unknown field 'train_to_dpth'; did you mean 'train_to_depth'? (choose",
        ),
        (HEAD + "[baseline]\n[protocol]\ntrain_to_depth = 1.5", "protocol.train_to_depth: Input should be a valid int"),
        (
            HEAD + "[baseline]\n[protocol]\nlearning_rate_centers = {sgd = 0}",
            "protocol.learning_rate_centers.sgd: Input should be greater",
        ),
        (HEAD + "references = 'He 2015'\n[baseline]", "mine.toml: references: Input should be a valid tuple"),
        (HEAD + "references = [2015]\n[baseline]", "mine.toml: references.0: Input should be a valid string"),
        (
            HEAD + "[baseline]\n[baselines]\nwide = {}\n[mitigations]\nbn = {norm = 'batch', on = 'wdie'}",
            "mine.toml: mitigations.bn.on: unknown baseline 'wdie'; did you mean 'wide'? (choose from: baseline, wide)",
        ),
        (
            HEAD + "[baseline]\n[mitigations]\nbn = {norm = 'batch', on = ['bn']}",
            "mine.toml: mitigations.bn.on: unknown baseline ['bn']",
        ),
        (
            HEAD + "[baseline]\n[baselines.bn]\n[mitigations]\nbn = {norm = 'batch'}",
            "mine.toml: two baselines or mitigations have the name 'bn'",
        ),
        (
            HEAD + "[baseline]\n[mitigations]\nbn = {norm = 'batch'}\n[beside]\nbn = 'bn'",
            "mine.toml: beside: write a table [baselines.NAME] of fields instead, and on",
        ),
        (HEAD + "minutes = 0\n[baseline]", "mine.toml: minutes: Input should be greater than 0"),
        (HEAD + "minutes = '4'\n[baseline]", "mine.toml: minutes: Input should be a valid number"),
        (HEAD + "quick = 3\n[baseline]", "mine.toml: quick: Input should be a valid dictionary"),
        (
            HEAD + "[baseline]\n[quick]\ndpth = [4]",
            "mine.toml: quick: unknown field 'dpth'; did you mean 'depth'? (choose from: act",
        ),
        (HEAD + "[baseline]\n[quick]\ndepth = []", "mine.toml: quick: depth: needs at least one value"),
        (
            HEAD + "[baseline]\n[protocol]\nlearning_rate_centers = {sgd = nan}",
            "learning_rate_centers.sgd: Input should be a finite num",
        ),
    ],
)
def test_file_that_is_no_suite_is_refused_in_words(tmp_path: Path, text: str | bytes, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert expected in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[baseline]\nwidht = 3", "suite 'mine', baseline: unknown field 'widht'; did you mean 'width'? (choose from:"),
        ("[baseline]\nwidth = '3'", "suite 'mine', baseline: width: Input should be a valid integer"),
        ("[baseline]\nwidth = 2020-01-01", "suite 'mine', baseline: width: Input should be a valid integer"),
        (
            "[baseline]\nnorm = 'bach'",
            "suite 'mine', baseline: norm: unknown norm 'bach'; did you mean 'batch'? (choose",
        ),
        ("[baseline]\nnorm = {name = 'batch', eps = 1}", "norm 'batch': unknown field 'eps'; did you mean 'epsilon'?"),
        ("[baseline]\n[mitigations]\na = {nrom = 'batch'}", "suite 'mine', mitigation 'a': unknown field 'nrom'; did"),
        ("[baseline]\n[mitigations]\na = {depth = 0}", "suite 'mine', mitigation 'a': depth: Input should be greater"),
        ("[baseline]\n[sweep]\ndpth = [3]", "suite 'mine', baseline: unknown field 'dpth'; did you mean 'depth'?"),
        ("[baseline]\n[sweep]\ndepth = [3, '4']", "suite 'mine', baseline: depth: Input should be a valid integer"),
        ("[baseline]\noptimizer = 'sgd'\n", "protocol.learning_rate_centers: no centre for optimizer 'sgd'"),
        ("[baseline]\nseeds = [1]\ntuning_seeds = [1]", "baseline: tuning_seeds: [1] are also in seeds"),
    ],
)
def test_case_that_cannot_be_is_refused_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    protocol = "" if "optimizer" in text else RATES
    with pytest.raises(InputError, match=re.escape(expected)):
        read(tmp_path, f"{HEAD}{text}\n{protocol}").cells()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("title = 1" + "0" * 5000, "not valid TOML", id="integer of 5,000 digits"),
        pytest.param("title = " + "[" * 20_000 + "]" * 20_000, "not valid TOML", id="20,000 nested arrays"),
        pytest.param(f"{HEAD}[baseline]\ntarget = 1{'0' * 400}\n", "target", id="integer beyond floats"),
        pytest.param(
            f"{HEAD}[baseline]\n[protocol]\nlearning_rate_centers = {{adam = 1e308}}",
            "learning_rate_centers.adam: Input should be less than 1000000000",
            id="learning_rates overflow",
        ),
        pytest.param(
            f"{HEAD}[baseline]\n[protocol]\nlearning_rate_centers = {{adam = 1e-323}}",
            "learning_rate_centers.adam: Input should be greater than 0.000000001",
            id="learning_rates underflow",
        ),
    ],
)
def test_extreme_file_is_refused_in_words(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        read(tmp_path, text).cells()


def test_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    with pytest.raises(
        InputError, match=f"^{re.escape(str(path))}: cannot read this suite: No such file or directory$"
    ):
        read_suite(path)


def test_folder_is_no_suite(tmp_path: Path) -> None:
    path = tmp_path / "folder.toml"
    path.mkdir()
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: cannot read this suite: Is a directory$"):
        read_suite(path)


def test_path_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(InputError, match="cannot read this suite"):
        read_suite("a\0.toml")


def test_unknown_suite_names_the_nearest_all_and_the_other_way() -> None:
    expected = r"^unknown suite 'quikstart'; did you mean 'quickstart'\? \(choose from: .*quickstart.*\), or give the p"
    with pytest.raises(InputError, match=expected):
        read_suite("quikstart")


def test_suite_is_named_after_its_file(tmp_path: Path) -> None:
    assert read(tmp_path, f"{HEAD}[baseline]").name == "mine"


# Whatever a file holds, it gives a suite or an InputError.

FRAGMENTS = [
    *("title", "question", "baseline", "sweep", "mitigations", "protocol", "name", "depth", "optimizer", "seeds"),
    *("=", " = ", ".", ",", "\n", "\n", "[", "]", "[[", "]]", "{", "}", '"', "'", '"""', "#", "\\", "\t", "\r", " "),
    *("1", "-1", "0x1F", "1e999", "nan", "-inf", "true", '"x"', "'sgd'", "1979-05-27", "07:32:00", "\0", "é", "\u2028"),
    *("[baseline]\n", "[sweep]\n", "[protocol]\n", "[quick]\n", HEAD, RATES),
    *("depth = [2, 3]\n", 'a = {norm = "batch"}\n'),
]


def outcome(folder: Path, text: str) -> Suite | str:
    """The suite of `text` after it has been expanded, or the message of its error; anything else escapes."""
    try:
        mine = read(folder, text)
        mine.cells()
        if mine.quick:
            mine.quick_version().cells()
    except InputError as error:
        return str(error)
    return mine


@settings(deadline=None, max_examples=100)
@given(fragments=st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=4), max_size=25))
def test_text_gives_a_suite_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, fragments: Sequence[str]
) -> None:
    text = "".join(fragments).encode("utf-8", "replace").decode()
    assert outcome(tmp_path_factory.getbasetemp(), text)


def toml(value: Any) -> str:
    """Write JSON-like data as an inline value."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k, ensure_ascii=False)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False)


words = st.sampled_from([*Case.model_fields, "name", "momentum", "gain", "sgd", "adam", "batch", "relu", "digits", "x"])
keys = words | st.text(st.characters(codec="utf-8"), max_size=5)
values = st.recursive(
    st.booleans() | st.integers(-3, 2000) | st.integers() | st.floats() | keys,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
some_fields = st.dictionaries(words, values, max_size=4)
suites = st.fixed_dictionaries(
    {"title": st.just("T"), "question": st.just("Q"), "baseline": some_fields | st.just({})},
    optional={
        "mitigations": st.dictionaries(keys, some_fields, max_size=3) | values,
        "sweep": st.dictionaries(words, st.lists(values, max_size=3), max_size=2) | values,
        "protocol": st.just({"train_to_depth": 0})
        | st.just({"learning_rate_centers": {"adam": 0.1}})
        | st.fixed_dictionaries({}, optional={"train_to_depth": values, "learning_rate_centers": values}),
        "references": st.just(["A 2000"]) | values,
        "minutes": st.just(4) | values,
        "quick": some_fields | values,
        "other": values,
    },
)


@settings(deadline=None, max_examples=120)
@given(table=suites)
def test_table_gives_a_suite_or_an_input_error(tmp_path_factory: pytest.TempPathFactory, table: dict[str, Any]) -> None:
    text = "\n".join(f"{name} = {toml(value)}" for name, value in table.items())
    assert outcome(tmp_path_factory.getbasetemp(), text)


@settings(deadline=None, max_examples=40)
@given(
    depths=st.lists(st.integers(1, 999), min_size=1, max_size=3, unique=True),
    names=st.lists(keys.filter(lambda name: name != "baseline"), max_size=3, unique=True),
)
def test_every_written_mitigation_is_read_back_whatever_its_name(
    tmp_path_factory: pytest.TempPathFactory, depths: list[int], names: list[str]
) -> None:
    names = [name for name in names if "\x7f" not in name]  # which TOML forbids and JSON does not escape
    patches = {name: {"width": i + 1} for i, name in enumerate(names)}
    text = f"{HEAD}baseline = {{steps = 0}}\nmitigations = {toml(patches)}\nsweep = {{depth = {depths}}}"
    mine = outcome(tmp_path_factory.getbasetemp(), text)
    assert isinstance(mine, Suite)
    assert shown(mine) == [(name, {"depth": depth}) for depth in depths for name in ["baseline", *names]]


def test_without_tuning_seeds_the_centre_is_the_only_rate(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(
        'title = "t"\nquestion = "q?"\n[baseline]\ntuning_seeds = []\noptimizer = "sgd"\n'
        '[mitigations]\nadam = { optimizer = "adam" }\n[protocol]\nlearning_rate_centers = { sgd = 0.1, adam = 3e-3 }\n'
    )
    assert [cell.case.learning_rates for cell in read_suite(path).cells()] == [(0.1,), (0.003,)]


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".",
        "",
        "/etc",
        "a/b",
        "a\\b",
        "../a",
        "C:a",
        "nul",
        "Con.x",
        "com1",
        "a.",
        "a ",
        ".a",
        "a\x00b",
        "a\u202eb",
    ],
)
def test_name_that_no_folder_can_have_everywhere_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="cannot be the name of a folder"):
        Suite(name=name, title="T", question="Q", baseline={})


@pytest.mark.parametrize("name", ["mine", "mine-2", "my suite", "größe", "console", "a.b", "x" * 99])
def test_name_that_folders_can_have_is_taken(name: str) -> None:
    assert Suite(name=name, title="T", question="Q", baseline={}).name == name


def test_file_whose_name_is_a_trick_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "...toml"
    path.write_text('title = "T"\nquestion = "Q"\nbaseline = {}\n')
    with pytest.raises(InputError, match=r"name: '\.\.' cannot be the name of a folder: it is empty, begins"):
        read_suite(path)
