"""Text as bytes: windows, splits by file, what is refused, and how a case knows its files."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.data.text import Windows
from vgbench.spec.case import Case
from vgbench.spec.metric import BITS_PER_BYTE


def of(path: Path, length: int = 4) -> Case:
    return Case(model="causal_lm", data={"name": "text", "path": str(path), "length": length}, batch_size=1)  # pyright: ignore[reportArgumentType]


def written(folder: Path, texts: list[str]) -> Path:
    for i, text in enumerate(texts):
        (folder / f"{i:03}.txt").write_text(text)
    return folder


def test_window_is_bytes_and_those_that_follow() -> None:
    windows = Windows(np.frombuffer("häßlich".encode(), np.uint8), 4)
    x, y = windows.take(np.asarray([0, 1]))
    assert windows.examples == 2
    assert bytes(x[0].astype(np.uint8)) == "häß".encode()[:4]
    assert bytes(np.asarray(y[1]).astype(np.uint8)) == "häßlich".encode()[5:9]
    assert (x.dtype, y.dtype) == (np.float32, np.int32)


def test_files_are_split_whole_by_their_order(tmp_path: Path) -> None:
    letters = [chr(ord("a") + i) * 9 for i in range(20)]
    data = load_dataset(of(written(tmp_path, letters)))
    x, _ = data.train.take(np.arange(data.train.examples))
    assert set(np.asarray(x).astype(np.uint8).ravel()) == {*range(ord("a"), ord("s"))}
    assert set(data.validation.x.ravel()) == {ord("s")}
    assert set(data.test.x.ravel()) == {ord("t")}
    assert data.problem.vocabulary == 256


def test_single_file_is_dealt_out_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "one.txt"
    path.write_text("".join(f"{i:06}\n" for i in range(3000)))
    data = load_dataset(of(path))
    seen = {bytes(row.astype(np.uint8)) for row in np.asarray(data.train.take(np.arange(data.train.examples))[0])}
    assert data.train.examples > 8 * len(data.test.x)
    held_out = {bytes(row.astype(np.uint8)) for row in np.concatenate([data.validation.x, data.test.x])}
    assert len(held_out - seen) > len(held_out) / 2


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["", "", ""], "0 bytes to train with are no window of 4; give more text, or a smaller length"),
        (["abcdefgh", "abc", "abcdefgh"], "3 bytes to validate with are no window of 4"),
        ([], "there are no files"),
    ],
)
def test_too_little_text_is_refused(tmp_path: Path, texts: list[str], reason: str) -> None:
    with pytest.raises(vg.InputError, match=reason):
        load_dataset(of(written(tmp_path, texts)))


def test_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"ok\xff")
    with pytest.raises(vg.InputError, match=r"a\.bin: is no UTF-8 text \(byte 2\)"):
        load_dataset(of(tmp_path))


def test_case_knows_its_text_by_what_it_holds(tmp_path: Path) -> None:
    here, there = tmp_path / "here.txt", tmp_path / "there.txt"
    here.write_text("to be or not to be " * 40)
    there.write_text(here.read_text())
    before = of(here)
    assert before.cell_id == of(there).cell_id
    here.write_text("or not")
    assert of(here).cell_id != before.cell_id
    with pytest.raises(vg.InputError, match="does not hold what it held"):
        load_dataset(before)


def test_chance_is_the_entropy_of_the_training_bytes_whatever_is_held_out(tmp_path: Path) -> None:
    data = load_dataset(of(written(tmp_path, ["aabc" * 4] * 18 + ["z" * 9] * 2)))
    assert data.objective.chance(data.test.y) == pytest.approx(1.5)


def test_texts_are_judged_in_bits_per_byte_and_infinite_where_the_network_overflows(tmp_path: Path) -> None:
    case = of(written(tmp_path, ["abcdefghi"] * 20))
    metric = load_dataset(case).objective.metric
    labels = jnp.asarray([[0, 1]])
    assert float(metric(jnp.zeros((1, 2, 8)), labels)) == pytest.approx(3)
    assert float(metric(jnp.full((1, 2, 8), jnp.nan), labels)) == np.inf
    assert (case.metric, case.target) == (BITS_PER_BYTE, 3.0)
    assert case.model_validate({**case.model_dump(), "target": 1.5}).target == 1.5


def test_installed_code_is_read_without_a_path_and_known_by_its_digest() -> None:
    case = Case(model="causal_lm")  # pyright: ignore[reportArgumentType]
    data = load_dataset(case)
    assert len(case.data.digest) == 16  # pyright: ignore[reportAttributeAccessIssue]
    assert data.train.examples > 10_000
    text = bytes(data.validation.x.astype(np.uint8).ravel())
    assert b"import" in text or b"def " in text
