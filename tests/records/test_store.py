"""Records on disk: what is written is read back or refused, and is never half there."""

import dataclasses
import io
import itertools
import json
import math
import os
import re
import zipfile
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.made import two_files
from helpers.mishaps import Disk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vgbench.boundary.files import write_bytes
from vgbench.boundary.schema import NonFinite
from vgbench.errors import InputError, OtherVersionError
from vgbench.records import store
from vgbench.records.migrations import SCHEMA
from vgbench.records.store import Folder, device_folder, device_folders, read_record, repack, set_aside, write_record
from vgbench.spec.case import Case


@dataclass(frozen=True)
class Inner:
    value: NonFinite
    curve: np.ndarray | None
    maybe: int | None = None


@dataclass(frozen=True)
class Outer:
    title: str
    case: Case
    inner: Inner
    absent: Inner | None
    present: Inner | None
    inners: tuple[Inner, ...]
    numbers: tuple[NonFinite, ...]
    flags: np.ndarray
    versions: dict[str, str]


def outer(**fields: Any) -> Outer:
    inner = Inner(float("nan"), np.asarray([[1.0, -np.inf], [np.nan, 5e-324]]))
    base = {
        "title": 'ünï "quoted" \u2028 \\ \n',
        "case": Case(depth=3, norm={"name": "batch", "momentum": 0.5}, learning_rates=(1e-3, 1e-2)),
        "inner": inner,
        "absent": None,
        "present": Inner(float("inf"), np.asarray([1, 2], np.int32), 3),
        "inners": (inner, Inner(float("-inf"), None)),
        "numbers": (0.1, float("nan"), -0.0),
        "flags": np.asarray([True, False]),
        "versions": {"jax": "1.2", "numpy": "3"},
    }
    return Outer(**{**base, **fields})


def same(one: Any, other: Any) -> bool:
    """Equal in type and value, NaN equal to itself and -0.0 not to 0.0; arrays also in dtype and shape."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or (
            one == other and math.copysign(1, one) == math.copysign(1, other)
        )
    if dataclasses.is_dataclass(one):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one))
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "cells" / "abc.json"
    write_record(path, outer())
    return path


@pytest.fixture
def apart(written: Path) -> Path:
    """The record as it was written once: its arrays in a file beside it."""
    two_files(written)
    return written


def refuses(path: Path, expected: str, kind: type = Outer) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: {expected}"):
        read_record(path, kind)


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.name.startswith("."))


def test_record_is_read_back_as_it_was(written: Path) -> None:
    assert same(read_record(written, Outer), outer())


def test_record_is_one_file(tmp_path: Path, written: Path) -> None:
    assert [path.name for path in written.parent.iterdir()] == ["abc.json"]


def test_record_without_arrays_is_read_back_as_it_was(tmp_path: Path) -> None:
    write_record(tmp_path / "one.json", Inner(1.5, None))
    assert [path.name for path in tmp_path.iterdir()] == ["one.json"]
    assert read_record(tmp_path / "one.json", Inner) == Inner(1.5, None)


def test_equal_records_are_equal_bytes(tmp_path: Path, written: Path) -> None:
    write_record(tmp_path / "abc.json", outer())
    assert (tmp_path / "abc.json").read_bytes() == written.read_bytes()


def test_json_is_strict(written: Path) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    content = json.loads(written.read_text(), parse_constant=refuse)
    assert content["record"]["inner"]["value"] == {"$float": "nan"}
    assert content["record"]["numbers"][1:] == [{"$float": "nan"}, -0.0]
    assert content["record"]["present"]["value"] == {"$float": "inf"}


def test_arrays_are_named_by_their_place_and_never_pickled(written: Path) -> None:
    packed = b64decode(json.loads(written.read_text())["arrays"])
    with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
        assert sorted(archive) == ["flags", "inner.curve", "inners.0.curve", "present.curve"]


array = hnp.arrays(
    st.sampled_from(["float32", "float64", "int32", "bool"]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
inner = st.builds(Inner, st.floats(), st.none() | array, st.none() | st.integers(-(2**63), 2**63 - 1))


@settings(deadline=None, max_examples=60)
@given(
    record=st.builds(
        outer,
        title=st.text(st.characters(codec="utf-8")),
        inner=inner,
        absent=st.none() | inner,
        inners=st.lists(inner, max_size=3).map(tuple),
        numbers=st.lists(st.floats(), max_size=3).map(tuple),
        flags=array,
    )
)
def test_any_record_is_read_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, record: Outer) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    write_record(path, record)
    assert same(read_record(path, Outer), record)


def test_later_record_replaces_an_earlier_one(written: Path) -> None:
    later = outer(title="later", flags=np.zeros(3))
    write_record(written, later)
    assert same(read_record(written, Outer), later)


def test_record_without_arrays_replaces_one_with_arrays(tmp_path: Path) -> None:
    path = tmp_path / "cell.json"
    write_record(path, Inner(1.0, np.ones(3)))
    write_record(path, Inner(2.0, None))
    assert read_record(path, Inner) == Inner(2.0, None)


def test_missing_record_is_named(tmp_path: Path) -> None:
    refuses(tmp_path / "none.json", "no such record$")


FILES = pytest.mark.parametrize(("suffix", "old"), [(".json", False), (".json", True), (".npz", True)])


@FILES
def test_flipped_bit_is_found_wherever_it_is(tmp_path: Path, suffix: str, old: bool) -> None:
    path = tmp_path / "cell.json"
    write_record(path, Inner(0.5, np.arange(3.0)))
    if old:
        two_files(path)
    file = path.with_suffix(suffix)
    whole = file.read_bytes()
    for place in range(len(whole) - (suffix == ".json")):  # the last byte of the text is its line's end
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        refuses(path, r"damaged record \(", Inner)
    file.write_bytes(whole)
    assert same(read_record(path, Inner), Inner(0.5, np.arange(3.0)))


@FILES
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_truncated_file_is_found(written: Path, suffix: str, old: bool, share: float) -> None:
    if old:
        two_files(written)
    file = written.with_suffix(suffix)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    refuses(written, r"damaged record \(")


def test_missing_arrays_are_found(apart: Path) -> None:
    apart.with_suffix(".npz").unlink()
    refuses(apart, r"damaged record \(its content does not match its digest\)$")


@pytest.mark.parametrize("text", ["[]", "3", "null", "{}", '{"digest": "0"}', '{"record": {}}', "\udcff"])
def test_text_that_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cell.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    refuses(path, r"damaged record \(", Inner)


def test_record_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cell.json"
    write_record(path, Inner(1.0, None))
    refuses(path, "written by another version of vgbench, with other fields")


def test_record_whose_case_is_impossible_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cell.json"
    write_record(path, outer(case=Case.model_construct(depth=0)))
    refuses(path, r"not a valid record \(case.depth: Input should be greater than or equal to 1\)$")


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Any], Any], tuple[Path]]:
        return Path.touch, (self.path,)


def test_pickled_array_is_refused_and_never_unpickled(tmp_path: Path) -> None:
    path, trace = tmp_path / "cell.json", tmp_path / "exploded"
    write_record(path, Inner(1.0, np.ones(1)))
    buffer = io.BytesIO()
    np.savez(buffer, curve=np.asarray([Bomb(trace)], object), allow_pickle=True)
    body = json.loads(path.read_text())["record"]
    path.write_bytes(store._text(store._Content(SCHEMA, body, buffer.getvalue())))
    refuses(path, r"damaged record \('curve.npy' is not an array of numbers\)$", Inner)
    assert not trace.exists()


def test_array_of_objects_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle=False"):
        write_record(tmp_path / "cell.json", Inner(1.0, np.asarray([object()], object)))
    assert list(tmp_path.iterdir()) == []


def _fail(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("place", ["fsync", "replace"])
def test_failing_write_leaves_the_old_file_whole_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    path = tmp_path / "table.md"
    write_bytes(path, b"old")
    monkeypatch.setattr(os if place == "fsync" else Path, place, _fail)
    with pytest.raises(OSError, match="No space left on device"):
        write_bytes(path, b"new, and longer")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["table.md"]


def test_failing_write_of_a_new_file_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", _fail)
    with pytest.raises(OSError, match="No space left on device"):
        write_bytes(tmp_path / "table.md", b"new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("old", [False, True])
def test_record_that_is_written_anew_on_a_full_disk_is_the_old_or_the_new_one(tmp_path: Path, old: bool) -> None:
    path, first, second = tmp_path / "cell.json", Inner(0.5, np.arange(3.0)), Inner(1.5, np.arange(5.0))
    room = 0
    while True:
        write_record(path, first)
        if old:
            two_files(path)
        with Disk(room=room) as disk:
            if disk.stops(lambda: write_record(path, second)):
                assert same(read_record(path, Inner), first)
            else:
                break
        assert leftovers(tmp_path) == []
        room += 40
    assert room > 400
    assert same(read_record(path, Inner), second)


@pytest.mark.parametrize("old", [False, True])
def test_record_that_is_written_anew_by_a_killed_process_is_the_old_or_the_new_one(tmp_path: Path, old: bool) -> None:
    path, first, second = tmp_path / "cell.json", Inner(0.5, np.arange(3.0)), Inner(1.5, None)
    seen = []
    for steps in itertools.count():
        write_record(path, first)
        if old:
            two_files(path)
        with Disk(steps=steps) as disk:
            killed = disk.stops(lambda: write_record(path, second))
        seen.append(same(read_record(path, Inner), second))
        write_record(path, second)  # the same again
        assert same(read_record(path, Inner), second)
        assert not path.with_suffix(".npz").exists()
        if not killed:
            break
    assert seen == sorted(seen)
    assert set(seen) == {False, True}


def test_record_in_two_files_is_read_and_is_one_file_when_it_is_copied(apart: Path, tmp_path: Path) -> None:
    assert same(read_record(apart, Outer), outer())
    write_record(tmp_path / "one.json", outer())
    assert repack(apart) == repack(tmp_path / "one.json") == (tmp_path / "one.json").read_bytes()


def test_record_in_two_files_is_set_aside_with_both(apart: Path) -> None:
    assert set_aside(apart).name == "abc.json.damaged"
    assert sorted(path.name for path in apart.parent.iterdir()) == ["abc.json.damaged", "abc.npz.damaged"]


def test_arrays_whose_text_was_altered_without_changing_a_byte_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "cell.json"
    write_record(path, Inner(0.5, np.arange(3.0)))
    content = json.loads(path.read_text())
    content["arrays"] = f"{content['arrays'][:40]}\n{content['arrays'][40:]}"
    path.write_text(json.dumps(content))
    refuses(path, r"damaged record \(", Inner)


def test_file_is_synced_before_it_is_renamed_and_its_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: (calls.append("fsync"), fsync(number))[1])
    monkeypatch.setattr(Path, "replace", lambda self, target: (calls.append("replace"), replace(self, target))[1])
    write_bytes(tmp_path / "file", b"content")
    assert calls == ["fsync", "replace", "fsync"]


def test_folder_names_the_place_of_every_record(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "cpu")
    assert folder.manifest == tmp_path / "cpu" / "manifest.json"
    assert folder.cell("0123456789abcdef") == tmp_path / "cpu" / "cells" / "0123456789abcdef.json"
    assert folder.cost("f" * 16) == tmp_path / "cpu" / "costs" / f"{'f' * 16}.json"


@pytest.mark.parametrize("name", ["", "a1", "0123456789ABCDEF", "../../../../settings", "/etc/passwd", "0" * 16 + "\n"])
def test_what_is_no_id_names_no_place(tmp_path: Path, name: str) -> None:
    folder = Folder(tmp_path / "cpu")
    for place in (folder.cell, folder.cost):
        with pytest.raises(
            InputError, match=r"cpu/manifest\.json: .* is not the id of a record \(16 hexadecimal digits\)$"
        ):
            place(name)


@pytest.mark.parametrize("linked", ["cpu", "cpu/cells", "cpu/cells/0123456789abcdef.json"])
def test_place_behind_a_symbolic_link_out_of_the_folder_is_refused(tmp_path: Path, linked: str) -> None:
    elsewhere, link = tmp_path / "elsewhere", tmp_path / "run" / linked
    write_bytes(elsewhere / "manifest.json", b"{}")
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    with pytest.raises(InputError, match=r": leads out of .*, by '\.\.' or through a symbolic link$"):
        device_folder(tmp_path / "run", "cpu").cell("0123456789abcdef")


def test_run_behind_a_symbolic_link_is_a_run(tmp_path: Path) -> None:
    write_bytes(tmp_path / "disk" / "cpu" / "manifest.json", b"{}")
    (tmp_path / "run").symlink_to(tmp_path / "disk")
    (folder,) = device_folders(tmp_path / "run")
    assert folder.cell("0" * 16) == tmp_path / "run" / "cpu" / "cells" / f"{'0' * 16}.json"


def test_folders_of_devices_are_found_by_name(tmp_path: Path) -> None:
    for name in ("tpu", "cpu", "gpu", ".gpu.being-replaced"):
        write_bytes(tmp_path / name / "manifest.json", b"{}")
    (tmp_path / "other").mkdir()
    assert [folder.path.name for folder in device_folders(tmp_path)] == ["cpu", "gpu", "tpu"]


@pytest.mark.parametrize("name", ["empty", "missing", "file"])
def test_place_without_records_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "empty":
        path.mkdir()
    elif name == "file":
        path.write_text("")
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: no records here "):
        device_folders(path)


def test_archive_is_a_plain_zip_of_arrays(written: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(b64decode(json.loads(written.read_text())["arrays"]))) as archive:
        assert all(name.endswith(".npy") for name in archive.namelist())
        assert archive.testzip() is None


def test_a_whole_record_with_other_fields_is_another_versions_not_damaged(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Before:
        old: int

    @dataclass(frozen=True)
    class Now:
        old: int
        new: int

    write_record(tmp_path / "a.json", Before(1))
    with pytest.raises(OtherVersionError, match="written by another version of vgbench"):
        read_record(tmp_path / "a.json", Now)
