"""Published records: fewer bytes, the same measurements to the digits that these determine."""

import dataclasses
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.made import measured, write_run

from vgbench.errors import InputError
from vgbench.records.compact import DIGITS, compact, rounded
from vgbench.records.runs import read_runs
from vgbench.records.schema import CellRecord
from vgbench.records.store import in_file, read_record, record_id, write_record
from vgbench.spec.case import Case


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    """The record of a cell whose profile has many digits."""
    run = write_run(tmp_path / "run", [("baseline", measured(Case(depth=6, width=4, seeds=(0, 1))))])
    (path,) = run.glob("*/cells/*.json")
    record = read_record(path, CellRecord)
    assert record.gradients is not None
    norms = -6285.6 - np.random.default_rng(0).random(record.gradients.log10_activation_norm.shape)
    gradients = dataclasses.replace(record.gradients, log10_activation_norm=norms)
    write_record(path, dataclasses.replace(record, gradients=gradients))
    return path


def test_compact_record_is_read_as_the_one_that_it_was_made_from(noisy: Path) -> None:
    before = read_record(noisy, CellRecord)
    place = noisy.with_name(f"{noisy.name}.gz")
    place.write_bytes(in_file(place, compact(noisy)))
    assert place.stat().st_size < noisy.stat().st_size / 2
    noisy.unlink()
    after = read_record(place, CellRecord)
    assert before.gradients is not None
    assert after.gradients is not None
    norms = before.gradients.log10_activation_norm, after.gradients.log10_activation_norm
    assert not np.array_equal(*norms)
    np.testing.assert_allclose(*norms, rtol=0, atol=DIGITS["gradients."].grain / 2)
    assert before.training is not None
    assert after.training is not None
    np.testing.assert_array_equal(before.training.test_metric, after.training.test_metric)
    (run,) = read_runs(place.parents[2])
    assert run.entries[0].cell is not None
    assert record_id(place) == run.entries[0].row.cell_id


def test_compact_record_stays_as_it_is(noisy: Path) -> None:
    first = compact(noisy)
    noisy.write_bytes(first)
    assert compact(noisy) == first


def test_what_is_not_finite_or_zero_stays_and_other_numbers_keep_their_digits() -> None:
    values = np.asarray([0.0, -np.inf, np.inf, np.nan, 1.0, 1 / 3, -1e-30], np.float32)
    for place, bits in (("forward.mean_slope", 14), ("training.snapshots.displacement", 10)):
        kept = rounded(place, values)
        assert kept.dtype == np.float32
        np.testing.assert_array_equal(kept[:5], values[:5])
        np.testing.assert_allclose(kept[5:], values[5:], rtol=2.0**-bits)
        assert kept[5] != values[5]
    assert rounded("training.loss", values) is values
    counts = np.arange(3)
    assert rounded("training.snapshots.gradient_histogram", counts) is counts


@pytest.mark.parametrize("spoil", [lambda content: content[:-9], lambda content: content[:30] + b"x" + content[31:]])
def test_spoilt_file_is_a_damaged_record(noisy: Path, spoil: Callable[[bytes], bytes]) -> None:
    place = noisy.with_name(f"{noisy.name}.gz")
    place.write_bytes(spoil(gzip.compress(noisy.read_bytes())))
    with pytest.raises(InputError, match=r"\.json\.gz: damaged record"):
        read_record(place, CellRecord)


def test_compact_record_says_in_json_what_it_is(noisy: Path) -> None:
    assert set(json.loads(compact(noisy))) == {"schema", "digest", "record", "arrays"}
