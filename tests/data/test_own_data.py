"""People's own data: read as they are, known by their content, and refused where a file or an array is wrong."""

import gzip
import re
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vgbench as vg
from vgbench.data import fashion_mnist, load_dataset
from vgbench.data.dataset import Dataset, _load
from vgbench.data.idx import FILES, read_idx
from vgbench.errors import InputError
from vgbench.models.problem import Problem


def arrays(train: int = 40, test: int = 10, shape: tuple[int, ...] = (3, 2)) -> dict[str, np.ndarray]:
    """Labels in three classes, and inputs that tell them."""
    draw = np.random.default_rng(0)
    labels = {"y_train": draw.integers(3, size=train), "y_test": draw.integers(3, size=test)}
    inputs = {f"x_{part}": 9 + draw.normal(size=(n, *shape)) for part, n in (("train", train), ("test", test))}
    for part in ("train", "test"):
        inputs[f"x_{part}"][:, 0, 0] += 5 * labels[f"y_{part}"]
        inputs[f"x_{part}"][:, 2, 1] = 0.1
    return {**inputs, **labels}


def save_npz(folder: Path, content: dict[str, Any]) -> str:
    np.savez(folder / "own.npz", **content)
    return f"npz:{folder / 'own.npz'}"


def load(data: Any) -> Dataset:
    return load_dataset(vg.Case(data=data, batch_size=4))


def idx_bytes(array: np.ndarray, kind: int = 0x08) -> bytes:
    return bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def save_idx(folder: Path, content: dict[str, np.ndarray], *, zipped: bool = False, dotted: bool = False) -> str:
    folder.mkdir(exist_ok=True)
    for name, stem in FILES.items():
        packed = idx_bytes(content[name].astype(np.uint8))
        stem = stem.replace("-idx", ".idx") if dotted else stem
        (folder / f"{stem}{'.gz' if zipped else ''}").write_bytes(gzip.compress(packed) if zipped else packed)
    return f"idx:{folder}"


def check(dataset: Dataset, content: dict[str, np.ndarray]) -> None:
    """A fifth validates, nothing is lost or doubled, and what trains has mean 0 and variance 1."""
    train, validation, test, classes, *_ = dataset
    assert [len(split.y) for split in (train, validation, test)] == [32, 8, 10]
    assert (classes, dataset.problem) == (3, Problem(features=6, outputs=3))
    assert train.x.dtype == np.float32
    assert train.y.dtype == np.int32
    varied = train.x.std(axis=0) > 0
    np.testing.assert_allclose(train.x.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(train.x.std(axis=0)[varied], 1, atol=1e-5)
    assert not train.x[:, 5].any()  # a constant
    assert sorted(np.concatenate([train.y, validation.y])) == sorted(content["y_train"])
    np.testing.assert_array_equal(test.y, content["y_test"])
    one = content["x_train"].reshape(40, -1)[:, 0]
    every = np.concatenate([train.x, validation.x])[:, 0]
    np.testing.assert_allclose(
        np.sort((one - one.mean()) / one.std()), np.sort((every - every.mean()) / every.std()), atol=1e-4
    )


def test_npz_is_split_and_standardised(tmp_path: Path) -> None:
    content = arrays()
    check(load(save_npz(tmp_path, content)), content)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("dotted", [False, True])
def test_idx_is_read_gzipped_or_not(tmp_path: Path, zipped: bool, dotted: bool) -> None:
    content = {name: np.clip(np.round(array), 0, 255) for name, array in arrays().items()}
    check(load(save_idx(tmp_path / "mnist", content, zipped=zipped, dotted=dotted)), content)


@pytest.mark.parametrize(
    ("kind", "dtype"), [(8, ">u1"), (9, ">i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")]
)
def test_idx_holds_numbers_of_every_kind(tmp_path: Path, kind: int, dtype: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype)
    (tmp_path / "file").write_bytes(idx_bytes(array, kind))
    read = read_idx(tmp_path / "file")
    np.testing.assert_array_equal(read, array)
    assert read.dtype.isnative


def test_saved_hugging_face_set_is_read(tmp_path: Path) -> None:
    library = pytest.importorskip("datasets")
    content = arrays()
    columns = {
        part: {"pixels": content[f"x_{part}"].tolist(), "digit": content[f"y_{part}"].tolist()}
        for part in ("train", "test")
    }
    parts = {part: library.Dataset.from_dict(table) for part, table in columns.items()}
    (tmp_path / "empty").mkdir()
    library.DatasetDict(parts).save_to_disk(tmp_path / "saved")
    named = {"name": "datasets", "path": str(tmp_path / "saved"), "x": "pixels", "y": "digit"}
    check(load(named), content)
    for change, reported in (
        ({"x": "image"}, r"split 'train': no column 'image' \(there are: pixels, digit\)"),
        ({"test": "tset"}, r"no split 'tset' \(there are: train, test\)"),
        ({"path": str(tmp_path / "empty")}, "empty: cannot be loaded as a data set"),
    ):
        with pytest.raises(InputError, match=reported):
            load(named | change)


@pytest.mark.slow
def test_own_data_can_be_learned(tmp_path: Path) -> None:
    data = save_npz(tmp_path, arrays(train=400, test=100))
    protocol: dict[str, Any] = {"steps": 50, "learning_rates": (0.01,), "tuning_seeds": (), "seeds": (0,)}
    curves = vg.measure_training(vg.Case(data=data, batch_size=32, depth=2, width=16, **protocol))
    assert curves.outcome.value > 0.9


def test_case_is_known_by_what_the_file_holds_and_not_by_its_place(tmp_path: Path) -> None:
    first = vg.Case(data=save_npz(tmp_path, arrays()))
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "own.npz").rename(tmp_path / "elsewhere" / "mine.npz")
    assert vg.Case(data=f"npz:{moved}").cell_id == first.cell_id
    other = vg.Case(data=save_npz(tmp_path, arrays(train=41)))
    assert other.cell_id != first.cell_id
    assert vg.Case(data={"name": "npz", "path": str(moved), "split_seed": 1}).cell_id != first.cell_id


def test_file_that_changes_under_a_run_is_noticed(tmp_path: Path) -> None:
    case = vg.Case(data=save_npz(tmp_path, arrays()))
    save_npz(tmp_path, arrays(train=41))
    _load.cache_clear()
    with pytest.raises(InputError, match=r"own\.npz: is gone, or does not hold what it held when the case was made$"):
        load_dataset(case)
    assert vg.Case.model_validate(case.model_dump(mode="json")) == case  # records can be read without their data


@pytest.mark.parametrize(
    ("change", "reported"),
    [
        ({"x_test": None}, r"own\.npz: no array x_test \(there are: x_train, y_train, y_test\)$"),
        ({"x_train": np.full((40, 6), "a")}, r"own\.npz: x_train holds <U1, not numbers$"),
        ({"x_train": np.zeros(40)}, r"own\.npz: x_train has the shape \(40,\), not \(examples, numbers\.\.\.\)$"),
        ({"x_train": np.zeros((39, 6))}, r"own\.npz: x_train has 39 examples and y_train has 40 labels$"),
        ({"x_test": np.zeros((10, 5))}, r"own\.npz: an example has 6 numbers in x_train and 5 in x_test$"),
        ({"x_test": np.full((10, 6), np.nan)}, r"own\.npz: x_test holds numbers that are not finite$"),
        ({"y_train": np.zeros(40)}, r"own\.npz: y_train holds float64, not integers$"),
        ({"y_test": np.zeros((10, 3), int)}, r"own\.npz: y_test has the shape \(10, 3\), not \(examples,\)$"),
        ({"y_test": np.full(10, -1)}, r"own\.npz: y_test holds labels from -1 to -1, not from 0 on$"),
        (
            {"x_train": np.zeros((2, 6)), "y_train": np.zeros(2, int)},
            "x_train has 2 examples, too few to hold some out",
        ),
        ({"x_train": np.asarray([{}] * 40)}, r"own\.npz: x_train cannot be read \(Object arrays"),
    ],
)
def test_array_that_is_wrong_is_named(tmp_path: Path, change: dict[str, Any], reported: str) -> None:
    content = {name: array for name, array in {**arrays(), **change}.items() if array is not None}
    with pytest.raises(InputError, match=reported):
        load(save_npz(tmp_path, content))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def scramble(path: Path) -> None:
    path.write_bytes(b"rubbish")


@pytest.mark.parametrize(
    ("damage", "reported"),
    [
        (truncate, r"damaged: its header states 240 bytes of shape \(40, 3, 2\), and 237 follow$"),
        (scramble, r"not an IDX file \(it begins with 72 75 62 62\)$"),
        (
            Path.unlink,
            r"no file train-images-idx3-ubyte or train-images-idx3-ubyte\.gz or train-images\.idx3-ubyte or ",
        ),
    ],
)
def test_idx_file_that_is_wrong_is_named(tmp_path: Path, damage: Callable[[Path], None], reported: str) -> None:
    data = save_idx(tmp_path / "mnist", arrays())
    damage(tmp_path / "mnist" / FILES["x_train"])
    with pytest.raises(InputError, match=reported) as caught:
        load(data)
    assert str(tmp_path / "mnist") in str(caught.value)


def test_gzip_that_is_wrong_is_named(tmp_path: Path) -> None:
    data = save_idx(tmp_path / "mnist", arrays(), zipped=True)
    truncate(tmp_path / "mnist" / f"{FILES['y_test']}.gz")
    with pytest.raises(InputError, match=r"t10k-labels-idx1-ubyte\.gz: cannot be read \("):
        load(data)


@pytest.mark.parametrize("content", [b"", b"PK", b"\x93NUMPY", b"not a zip"])
def test_file_that_is_no_archive_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "own.npz").write_bytes(content)
    with pytest.raises(InputError, match=rf"^{re.escape(str(tmp_path))}/own\.npz: not an \.npz file"):
        load(f"npz:{tmp_path / 'own.npz'}")


def test_bits_that_flip_in_a_compressed_archive_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    np.savez_compressed(path, **arrays())
    whole = path.read_bytes()
    raised = 0
    for place in range(60, 400, 20):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with suppress(InputError):  # and nothing else
            load(f"npz:{path}")
            continue
        raised += 1
    assert raised > 10


@pytest.mark.parametrize(
    ("data", "reported"),
    [
        ("npz:none.npz", "^none.npz: no such file$"),
        ("idx:none", "^none: no file train-images"),
        ("digits:here", "unknown field 'path'"),
        ("nzp:here", "unknown data 'nzp'; did you mean 'npz'"),
        ({"name": "npz"}, "path: Field required"),
    ],
)
def test_data_that_are_not_there_are_bad_input(data: Any, reported: str) -> None:
    with pytest.raises((InputError, ValueError), match=reported):
        load(data)


@given(st.binary(max_size=60))
def test_rubbish_is_no_idx_file_or_a_whole_one(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("idx") / "file"
    path.write_bytes(content)
    try:
        array = read_idx(path)
    except InputError as refused:
        said = str(refused)
    else:
        said = f"{path} {len(content) - 4 - 4 * array.ndim == array.nbytes}"
    assert str(path) in said
    assert "False" not in said


def test_fashion_mnist_is_found_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_idx(tmp_path / "installed", arrays(), zipped=True)
    monkeypatch.setattr(fashion_mnist, "FOLDER", tmp_path / "installed")
    case = vg.Case(data="fashion_mnist", batch_size=2)  # pyright: ignore[reportArgumentType]
    given = vg.Case(data={"name": "fashion_mnist", "path": str(tmp_path / "installed")}, batch_size=2)  # pyright: ignore[reportArgumentType]
    assert case.data.digest == given.data.digest != ""  # pyright: ignore[reportAttributeAccessIssue]
    assert case.target == 0.8
    assert vg.Case(data="fashion_mnist", target=0.7).target == 0.7  # pyright: ignore[reportArgumentType]
    np.testing.assert_array_equal(load_dataset(case).test.y, load_dataset(given).test.y)


def test_fashion_mnist_that_is_missing_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fashion_mnist, "FOLDER", tmp_path / "none")
    with pytest.raises(InputError, match="none is missing: `apt install dataset-fashion-mnist` makes it on Debian"):
        load_dataset(vg.Case(data="fashion_mnist"))  # pyright: ignore[reportArgumentType]
