"""Real sequences: files of the archives' format are read, pooled, split and standardised, or refused by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vgbench as vg
from vgbench.data import Dataset, load_dataset, ucr
from vgbench.data.ts import read_ts
from vgbench.errors import InputError

HEADER = "#About\n@problemName Made\n@timeStamps false\n@classLabel true up down\n@data\n"


def write(path: Path, x: np.ndarray, labels: list[str], header: str = HEADER) -> None:
    """A file of series, float[series, channels, steps]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [":".join(",".join(map(str, channel)) for channel in each) for each in x]
    path.write_text(header + "".join(f"{line}:{label}\n" for line, label in zip(lines, labels, strict=True)))


def save(folder: Path, channels: int = 1) -> np.ndarray:
    """Both files: 40 series of 6 steps, all values distinct."""
    x = 5.0 + np.arange(40.0 * channels * 6).reshape(40, channels, 6)
    for part, chosen in (("TRAIN", slice(10)), ("TEST", slice(10, 40))):
        write(folder / f"Made_{part}.ts", x[chosen], ["up", "down"] * (len(x[chosen]) // 2))
    return x


def case(**options: Any) -> vg.Case:
    return vg.Case(model="recurrent", depth=6, batch_size=4, data={"name": "ucr", "dataset": "Made", **options})  # pyright: ignore[reportArgumentType]


def load(folder: Path) -> Dataset:
    return load_dataset(case(path=str(folder)))


@pytest.mark.parametrize("channels", [1, 2])
def test_both_files_are_pooled_and_every_class_is_in_each_split(tmp_path: Path, channels: int) -> None:
    x = save(tmp_path, channels)
    data = load(tmp_path)
    assert [split.examples for split in (data.train, data.validation, data.test)] == [24, 8, 8]
    assert [np.bincount(np.asarray(split.y)).tolist() for split in (data.validation, data.test)] == [[4, 4]] * 2
    assert data.outputs == 2
    train = np.asarray(data.train.take(np.arange(24))[0]).reshape(24, 6, channels)
    np.testing.assert_allclose(train.mean(axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(train.std(axis=(0, 1)), 1, rtol=1e-5)
    every = np.concatenate([train.reshape(24, -1), data.validation.x, data.test.x])
    steps_first = x.swapaxes(1, 2).reshape(40, -1)
    order = np.argsort(every[:, 0])
    assert np.corrcoef(every[order].ravel(), steps_first.ravel())[0, 1] > 0.999  # nothing lost, channels side by side


def test_the_case_is_known_by_what_the_files_hold(tmp_path: Path) -> None:
    save(tmp_path / "one")
    save(tmp_path / "two")
    one, two = (case(path=str(tmp_path / name)) for name in ("one", "two"))
    assert one.cell_id == two.cell_id
    assert one.target == 0.8


def test_data_sets_are_found_where_sktime_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "Made")
    monkeypatch.setattr(ucr, "installed_folder", lambda: tmp_path)
    np.testing.assert_array_equal(load_dataset(case()).test.x, load(tmp_path / "Made").test.x)
    assert case().data.digest == case(path=str(tmp_path / "Made")).data.digest != ""  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(InputError, match=r"sktime carries no data set 'Other' \(it has: Made\)"):
        load_dataset(case(dataset="Other"))


def test_without_sktime_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ucr, "installed_folder", lambda: None)
    with pytest.raises(InputError, match=r"sktime.* is missing: `pip install 'vgbench\[sequences\]'` installs it"):
        load_dataset(case())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("1,2:up\n", "it has no line @data"),
        (HEADER, "holds no series"),
        (HEADER + "1,2:up\n1,2,3:up\n", "differ in length"),
        (HEADER + "1,?:up\n", "a value is no number"),
        (HEADER + "1,nan:up\n", "not finite"),
        (HEADER + "1,2:sideways\n", r"ends in 'sideways', not in a class \(there are: up, down\)"),
        (HEADER + "1,2\n", "ends in '1,2', not in a class"),
        (HEADER.replace("true up down", "false") + "1,2\n", "names no classes"),
        (HEADER.replace("@timeStamps false", "@timeStamps true") + "(0,1):up\n", "time stamps"),
    ],
)
def test_file_that_cannot_be_used_is_refused_by_name(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "Made_TRAIN.ts"
    path.write_text(content)
    with pytest.raises(InputError, match=f"Made_TRAIN.ts: .*{reason}"):
        read_ts(path)


def test_missing_files_unlike_files_and_classes_of_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Made_TRAIN.ts: cannot be read: No such file"):
        load(tmp_path)
    save(tmp_path)
    write(tmp_path / "Made_TEST.ts", np.ones((2, 1, 5)), ["up", "down"])
    with pytest.raises(InputError, match="differ in length"):
        load(tmp_path)
    for part in ("TRAIN", "TEST"):
        write(tmp_path / f"Made_{part}.ts", np.ones((1, 1, 6)), ["up" if part == "TRAIN" else "down"])
    with pytest.raises(InputError, match="2 series cannot be split"):
        load(tmp_path)


STEPS = {"GunPoint": 150, "ArrowHead": 251, "OSULeaf": 427, "ACSF1": 1460}


@pytest.mark.skipif(ucr.installed_folder() is None, reason="needs the extra sequences")
@pytest.mark.parametrize("dataset", STEPS)
def test_what_sktime_carries_has_the_stated_lengths(dataset: str) -> None:
    data = load_dataset(
        vg.Case(model="recurrent", depth=STEPS[dataset], data={"name": "ucr", "dataset": dataset})  # pyright: ignore[reportArgumentType]
    )
    assert data.problem.features == STEPS[dataset]
    assert {*np.asarray(data.test.y).tolist()} == {*range(data.outputs)}
