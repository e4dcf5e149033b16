"""The case: strict, frozen, hashed by content alone."""

import hashlib
import json
import os
import subprocess
import sys
from typing import Any, Literal, get_args, get_origin

import pytest
from helpers.needs import NEEDS
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from vgbench.errors import explain
from vgbench.spec.case import Case, case_id, content_id
from vgbench.spec.registry import REGISTRIES

OTHER = {
    "model": {"name": "mlp", "bias_std": 0.5},
    "depth": 17,
    "width": 65,
    "activation": "tanh",
    "init": "lecun_normal",
    "norm": "batch",
    "skip": "residual",
    "cell": "lstm",
    "gradient_transform": "clip_by_global_norm",
    "optimizer": "adamw",
    "learning_rates": (0.1,),
    "data": "gaussian",
    "schedule": "cosine",
    "warmup_steps": 10,
    "batch_size": 126,
    "devices": 2,
    "dtype": "float64",
    "loss_scaling": "static",
    "parametrization": "mup",
    "matmul_precision": "highest",
    "coordinate_steps": 5,
    "remat": True,
    "steps": 499,
    "target": 0.8,
    "seeds": (0, 1),
    "tuning_seeds": (1000,),
    "block_execution": "scan",
}
"""For every field a valid value that is not its default."""

MEMBERS = [
    (slot, member.name)
    for slot, registry in REGISTRIES.items()
    for member in registry
    if not any(option.is_required() for option in member.choice.model_fields.values())  # people's own data
]
OPTIONS = [
    (slot, member.name, option)
    for slot, registry in REGISTRIES.items()
    for member in registry
    if (slot, member.name) in MEMBERS
    for option in member.choice.model_fields
    if option not in ("name", "path", "digest")  # people's own data count by what they hold
]

positive = st.floats(min_value=1e-6, max_value=1e6)
fraction = st.floats(min_value=0.0, max_value=1.0, exclude_max=True)


def _tables(name: str, **options: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.just(name) | st.fixed_dictionaries({"name": st.just(name)}, optional=options)


FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "model": _tables("mlp", bias_std=fraction),
    "depth": st.integers(1, 10_000),
    "width": st.integers(1, 4096),
    "activation": st.sampled_from(["sigmoid", "tanh", "relu"]),
    "init": st.sampled_from(["glorot_normal", "lecun_normal"]) | _tables("he_normal", gain=positive),
    "norm": st.just("none") | _tables("batch", momentum=fraction, epsilon=positive),
    "skip": st.sampled_from(["none", "residual"]),
    "cell": st.just("none"),
    "gradient_transform": st.just("none") | _tables("clip_by_global_norm", max_norm=positive),
    "optimizer": _tables("sgd", momentum=fraction, nesterov=st.booleans()) | _tables("adam", b1=fraction),
    "learning_rates": st.lists(positive, min_size=1, max_size=4),
    "data": _tables("digits", split_seed=st.integers(0, 9)) | _tables("gaussian", features=st.integers(1, 9)),
    "schedule": st.just("constant") | _tables("cosine", final=fraction),
    "warmup_steps": st.just(0),
    "batch_size": st.integers(3, 512),
    "devices": st.just(1),
    "dtype": st.sampled_from(["float32", "float64"]),
    "loss_scaling": st.just("none") | _tables("static", scale=positive),
    "parametrization": st.just("standard"),
    "matmul_precision": st.sampled_from(["default", "high", "highest"]),
    "coordinate_steps": st.just(0),
    "remat": st.booleans(),
    "steps": st.integers(0, 10_000),
    "target": positive.filter(lambda value: value <= 1),
    "seeds": st.lists(st.integers(0, 999), min_size=1, max_size=4, unique=True),
    "tuning_seeds": st.lists(st.integers(1000, 2**32 - 1), min_size=1, max_size=3),
    "block_execution": st.sampled_from(["auto", "scan", "unroll"]),
}
some_fields = st.fixed_dictionaries({}, optional=FIELDS)


def message(**fields: Any) -> str:
    """What a user reads when `fields` make no case."""
    with pytest.raises(ValidationError) as caught:
        Case(**fields)
    return str(explain(caught.value, "case"))


def test_tables_of_these_tests_cover_every_field() -> None:
    assert set(OTHER) == set(FIELDS) == set(Case.model_fields)


def test_case_is_frozen() -> None:
    with pytest.raises(ValidationError, match="Instance is frozen"):
        Case().depth = 3  # pyright: ignore[reportAttributeAccessIssue]


def test_choice_within_a_case_is_frozen() -> None:
    with pytest.raises(ValidationError, match="Instance is frozen"):
        Case().norm.name = "batch"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"depth": "4"}, "case: depth: Input should be a valid integer"),
        ({"depth": 4.0}, "case: depth: Input should be a valid integer"),
        ({"depth": True}, "case: depth: Input should be a valid integer"),
        ({"depth": None}, "case: depth: Input should be a valid integer"),
        ({"depth": 0}, "case: depth: Input should be greater than or equal to 1"),
        ({"width": 0}, "case: width: Input should be greater than or equal to 1"),
        ({"batch_size": 0}, "case: batch_size: Input should be greater than or equal to 1"),
        ({"steps": -1}, "case: steps: Input should be greater than or equal to 0"),
        ({"target": "0.9"}, "case: target: Input should be a valid number"),
        ({"target": 0.0}, "case: target: Input should be greater than 0"),
        ({"target": 1.5}, "case: target: 1.5 is no accuracy, which lies between 0 and 1"),
        ({"target": float("nan")}, "case: target: Input should be a finite number"),
        ({"learning_rates": 0.1}, "case: learning_rates: Input should be a valid tuple"),
        ({"learning_rates": [0.1, "0.2"]}, "case: learning_rates.1: Input should be a valid number"),
        ({"learning_rates": [0.1, 0.0]}, "case: learning_rates.1: Input should be greater than 0"),
        ({"learning_rates": [float("inf")]}, "case: learning_rates.0: Input should be a finite number"),
        ({"seeds": [2**32]}, "case: seeds.0: Input should be less than 4294967296"),
        ({"seeds": []}, "case: seeds: Tuple should have at least 1 item after validation, not 0"),
        ({"dtype": "int8"}, "case: dtype: Input should be 'float32', 'float64', 'bfloat16' or 'float16'"),
        ({"matmul_precision": "low"}, "case: matmul_precision: Input should be 'default', 'high' or 'highest'"),
        ({"block_execution": "rolled"}, "case: block_execution: Input should be 'auto', 'scan' or 'unroll'"),
        (
            {"model": {"name": "mlp", "bias_std": "0"}},
            "case: model: model 'mlp': bias_std: Input should be a valid num",
        ),
        ({"optimizer": {"name": "sgd", "nesterov": 1}}, "optimizer 'sgd': nesterov: Input should be a valid boolean"),
        ({"norm": 3}, 'case: norm: norm takes a name or a table {name = "..."}, not 3'),
        ({"norm": {"momentum": 0.9}}, "case: norm: norm takes a name or a table {name = "),
        ({"norm": ["batch"]}, "norm takes a name or a table {name = \"...\"}, not ['batch']"),
    ],
)
def test_wrong_values_are_named_and_never_coerced(fields: dict[str, Any], expected: str) -> None:
    assert expected in message(**fields)


def test_unknown_field_names_the_nearest_and_all_fields() -> None:
    text = message(dpeth=4)
    assert text.startswith("case: unknown field 'dpeth'; did you mean 'depth'? (choose from: activation, batch_size, ")
    assert all(name in text for name in Case.model_fields)


def test_unknown_name_names_the_slot_the_nearest_and_all_members() -> None:
    expected = "case: activation: unknown activation 'rleu'; did you mean 'relu'? (choose from: "
    text = message(activation="rleu")
    assert text.startswith(expected)
    assert all(member.name in text for member in REGISTRIES["activation"])


def test_unknown_option_names_the_member_the_nearest_and_all_options() -> None:
    text = message(norm={"name": "batch", "momentun": 0.9})
    assert text == (
        "case: norm: norm 'batch': unknown field 'momentun'; did you mean 'momentum'?"
        " (choose from: epsilon, momentum, name)"
    )


def test_unknown_name_far_from_all_others_gives_no_hint() -> None:
    assert "did you mean" not in message(skip="zzzzzz")


def test_every_fault_has_a_line_of_its_own() -> None:
    assert message(depth="4", width=0).splitlines() == [
        "case: depth: Input should be a valid integer",
        "case: width: Input should be greater than or equal to 1",
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"seeds": [3, 3]}, "case: seeds: [3, 3] repeats a seed"),
        (
            {"learning_rates": []},
            "case: learning_rates: a case that trains (steps > 0) needs at least one learning rate",
        ),
        (
            {"tuning_seeds": []},
            "case: tuning_seeds: choosing among several learning rates needs at least one tuning seed",
        ),
        (
            {"seeds": [1, 2, 3], "tuning_seeds": [3, 1]},
            "case: tuning_seeds: [1, 3] are also in seeds; no seed may be in both",
        ),
    ],
)
def test_protocols_that_cannot_be_followed_are_refused(fields: dict[str, Any], expected: str) -> None:
    assert message(**fields) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"steps": 0, "learning_rates": []},
        {"steps": 0, "tuning_seeds": []},
        {"learning_rates": [0.1], "tuning_seeds": []},
    ],
)
def test_a_protocol_needs_only_what_it_uses(fields: dict[str, Any]) -> None:
    case = Case(**fields)
    assert {name: list(getattr(case, name)) for name in fields if name != "steps"} == {
        name: value for name, value in fields.items() if name != "steps"
    }


@pytest.mark.parametrize(
    ("layers", "depth", "timed", "scanned"),
    [
        ("auto", 1, "unroll", True),
        ("auto", 64, "unroll", True),
        ("auto", 65, "scan", True),
        ("scan", 2, "scan", True),
        ("unroll", 1000, "unroll", False),
    ],
)
def test_blocks_are_timed_unrolled_up_to_depth_64_unless_set(
    layers: Any, depth: int, timed: str, scanned: bool
) -> None:
    case = Case(block_execution=layers, depth=depth)
    assert (case.timed_form, case.scanned) == (timed, scanned)


def test_cell_id_is_the_hash_of_the_canonical_content() -> None:
    content = json.dumps(Case().model_dump(mode="json", exclude={"seeds"}), sort_keys=True, separators=(",", ":"))
    assert Case().cell_id == hashlib.sha256(content.encode()).hexdigest()[:16]


def test_content_with_a_non_finite_number_has_no_id() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        content_id([float("nan")])


@pytest.mark.parametrize(("slot", "name"), MEMBERS)
def test_cell_id_is_equal_for_shorthand_table_and_spelled_out_defaults(slot: str, name: str) -> None:
    others = NEEDS.get((slot, name), {})
    short, table = Case(**others, **{slot: name}), Case(**others, **{slot: {"name": name}})
    spelled_out = Case(**others, **{slot: getattr(short, slot).model_dump()})
    assert short == table == spelled_out
    assert short.cell_id == table.cell_id == spelled_out.cell_id


@pytest.mark.parametrize("field", sorted(Case.model_fields.keys() - {"seeds"}))
def test_cell_id_changes_with_every_field_but_the_evaluation_seeds(field: str) -> None:
    needed = {"cell": {"model": "recurrent"}, "coordinate_steps": {"learning_rates": (0.1,)}}
    beside = needed.get(field, {})
    assert Case(**beside, **{field: OTHER[field]}).cell_id != Case(**beside).cell_id


def test_evaluation_seeds_count_in_the_names_of_earlier_versions_alone() -> None:
    contents = [Case(seeds=seeds).model_dump(mode="json") for seeds in ((0,), (0, 1))]
    assert len({case_id(content) for content in contents}) == 1
    assert len({case_id(content, with_seeds=True) for content in contents}) == 2


def test_a_changed_copy_has_an_id_of_its_own() -> None:
    case = Case()
    assert case.cell_id != case.model_copy(update={"depth": 3}).cell_id == Case(depth=3).cell_id


@pytest.mark.parametrize(("slot", "name", "option"), OPTIONS)
def test_cell_id_changes_with_every_option(slot: str, name: str, option: str) -> None:
    beside = {"per_channel": {"learned": True}, "dt_min": {"dt_max": 10.0}}.get(option, {})
    others = NEEDS.get((slot, name), {}) | ({"depth": 41} if option == "symbols" else {})
    default = Case(**others, **{slot: {"name": name} | beside})
    value = getattr(getattr(default, slot), option)
    annotation = type(getattr(default, slot)).model_fields[option].annotation
    changed: Any = (
        next(each for each in get_args(annotation) if each != value)
        if get_origin(annotation) is Literal
        else (1 if "int" in str(annotation) else 1.5)
        if value is None
        else not value
        if isinstance(value, bool)
        else value[::-1]
        if isinstance(value, str)
        else value * 2 or 1
        if isinstance(value, int)
        else value * 1.5
        if value > 1
        else value / 2 + 0.15
    )
    assert Case(**others, **{slot: {"name": name, option: changed} | beside}).cell_id != default.cell_id


@settings(deadline=None, max_examples=60)
@given(data=st.data(), fields=st.fixed_dictionaries(FIELDS))
def test_cell_id_ignores_the_order_of_fields(data: st.DataObject, fields: dict[str, Any]) -> None:
    shuffled = dict(data.draw(st.permutations(list(fields.items()))))
    assert Case(**shuffled).cell_id == Case(**fields).cell_id


@settings(deadline=None, max_examples=100)
@given(data=st.data(), fields=some_fields, field=st.sampled_from(sorted(FIELDS)))
def test_cell_ids_are_equal_exactly_where_cases_are_but_for_their_seeds(
    data: st.DataObject, fields: dict[str, Any], field: str
) -> None:
    one = Case(**fields)
    other = Case(**{**fields, field: data.draw(FIELDS[field])})
    assert (one.cell_id == other.cell_id) == (one == other.model_copy(update={"seeds": one.seeds}))


@settings(deadline=None, max_examples=60)
@given(fields=some_fields)
def test_case_survives_json(fields: dict[str, Any]) -> None:
    case = Case(**fields)
    again = Case.model_validate(json.loads(json.dumps(case.model_dump(mode="json"), allow_nan=False)))
    assert again == case
    assert again.cell_id == case.cell_id


def test_whole_numbers_serve_as_real_ones() -> None:
    assert Case(learning_rates=(1,), target=1).cell_id == Case(learning_rates=(1.0,), target=1.0).cell_id


def test_cell_id_is_stable_across_processes() -> None:
    source = "import sys, json; from vgbench.spec.case import Case; print(Case(**json.loads(sys.argv[1])).cell_id)"
    command = [sys.executable, "-c", source, json.dumps(OTHER | {"cell": "none"})]
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == Case(**OTHER | {"cell": "none"}).cell_id


def test_every_field_says_what_it_affects() -> None:
    affected = {what: set(Case.fields_that_affect(what)) for what in ("network", "weights", "step", "protocol")}
    assert sum(map(len, affected.values())) == len(Case.model_fields)
    assert affected == {
        "network": {
            *("model", "depth", "width", "activation", "norm", "skip", "cell"),
            *("dtype", "block_execution", "parametrization"),
        },
        "weights": {"init"},
        "step": {
            *("gradient_transform", "optimizer", "schedule", "warmup_steps", "loss_scaling", "steps"),
            *("data", "batch_size", "devices", "matmul_precision", "remat"),
        },
        "protocol": {"learning_rates", "target", "seeds", "tuning_seeds", "coordinate_steps"},
    }


@pytest.mark.parametrize(
    ("old", "today"),
    [("rates", "learning_rates"), ("transform", "gradient_transform"), ("layers", "block_execution")],
)
def test_field_that_was_renamed_is_answered_with_its_new_name(old: str, today: str) -> None:
    with pytest.raises(ValidationError, match=f"field '{old}' is called '{today}' now"):
        Case(**{old: "x"})  # pyright: ignore[reportArgumentType]
