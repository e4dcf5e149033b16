"""A thousand malformed suites and records: each is a message, and never a traceback."""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from helpers.made import two_files
from hypothesis import given, settings
from hypothesis import strategies as st

from vgbench.errors import InputError
from vgbench.records.origin import Device, Provenance
from vgbench.records.schema import CellRecord, CostRecord, Manifest
from vgbench.records.store import read_record, write_record
from vgbench.spec.case import Case
from vgbench.spec.suite import read_suite

SUITE = """
title = "Tiny"
question = "Does it run?"
references = ["A 2000"]
minutes = 3
[baseline]
depth = 2
activation = "tanh"
optimizer = { name = "sgd", momentum = 0.9 }
learning_rates = [0.1, 0.2]
[sweep]
depth = [2, 3]
[mitigations]
relu = { activation = "relu" }
[protocol]
train_to_depth = 8
[quick]
depth = [2]
"""
ORIGIN = Provenance("0.1", None, {"cell": "a", "cost": "b"}, "3", {}, Device("cpu", "X", 2), "X", None, None, "")

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.sampled_from(["relu", "mlp", "none"])
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
lines = st.sampled_from(SUITE.splitlines())
words = st.sampled_from(
    ["=", "[", "]", "{", "}", '"', "depth", "0", "-1", "1e400", "nan", "inf", "\n", "[[a]]", "\x00"]
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A suite with some of its text removed, repeated or replaced."""
    text = SUITE
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 20)))
        text = text[:start] + draw(st.one_of(words, lines, st.just(""), st.text(max_size=5))) + text[end:]
    return text.encode(errors="surrogatepass")


def check_suite(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "suite.toml"
        path.write_bytes(content)
        try:
            suite = read_suite(path)
            suite.select(suite.quick or {}).cells()
        except InputError as refused:
            said = str(refused)
        else:
            return
    assert said


@settings(max_examples=400)
@given(st.one_of(mutated(), st.binary(max_size=200)))
def test_malformed_suite_is_read_or_refused_with_a_message(content: bytes) -> None:
    check_suite(content)


@settings(max_examples=100)
@given(
    st.dictionaries(
        st.sampled_from(["title", "question", "baseline", "sweep", "mitigations", "protocol", "quick", "minutes"]),
        json_values,
    )
)
def test_suite_of_wrong_types_is_read_or_refused_with_a_message(table: dict[str, Any]) -> None:
    check_suite("\n".join(f"{name} = {_toml(value)}" for name, value in table.items()).encode(errors="replace"))


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {_toml(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value).lower() if not isinstance(value, str) else json.dumps(value)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record with arrays, small and whole."""
    from vgbench.measure.gradients import measure_gradients

    data = {"name": "gaussian", "features": 4, "examples": 16}
    case = Case(depth=2, width=3, data=data, batch_size=8, steps=0, seeds=(0,))
    path = tmp_path_factory.mktemp("record") / "cell.json"
    gradients = measure_gradients(case)
    write_record(path, CellRecord(case, "ok", "", gradients, None, None, ORIGIN, "2026-01-01", 1.0, 1))
    return path


def check_record(path: Path, form: Any = CellRecord) -> Any:
    try:
        return read_record(path, form)
    except InputError as refused:
        said = str(refused)
    assert str(path) in said
    return None


@settings(max_examples=250)
@given(json_values, st.sampled_from([CellRecord, CostRecord, Manifest]), st.booleans())
def test_record_of_any_json_is_refused_with_its_place(body: Any, form: type, whole: bool) -> None:
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "record.json"
        path.write_text(json.dumps({"digest": digest, "record": body} if whole else body))
        assert check_record(path, form) is None


@settings(max_examples=250)
@given(st.data())
def test_damaged_file_is_noticed(real: Path, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "cell.json"
        path.write_bytes(real.read_bytes())
        if data.draw(st.booleans()):
            two_files(path)
        contents = {each.suffix: bytearray(each.read_bytes()) for each in Path(place).iterdir()}
        whole = {suffix: bytes(each) for suffix, each in contents.items()}
        content = contents[data.draw(st.sampled_from(sorted(contents)))]
        where = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "overwrite"])):
            case "flip":
                content[where] ^= 1 << data.draw(st.integers(0, 7))
            case "cut":
                del content[where:]
            case _:
                content[where : where + 8] = data.draw(st.binary(min_size=1, max_size=8))
        for suffix, each in contents.items():
            path.with_suffix(suffix).write_bytes(each)
        read = check_record(path)
        # A change between the tokens of the JSON is none of what it says.
        assert read is None or read.seconds == read_record(real, CellRecord).seconds
        if read is not None:
            assert contents.get(".npz") == whole.get(".npz")
            assert json.loads(contents[".json"]) == json.loads(whole[".json"])
