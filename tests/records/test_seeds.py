"""Records seed by seed: what is taken apart and joined again is the same, and what contradicts itself is not joined."""

from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import pytest
from helpers.made import BASE, TIMES, forward, gradients, training
from jaxtyping import Float, Int

from vgbench.boundary.schema import Each
from vgbench.records.schema import CellRecord
from vgbench.records.seeds import chosen, gathered, joined, lacking
from vgbench.records.store import pack

CASE = BASE.model_copy(update={"seeds": (0, 1, 2)})
RECORD = CellRecord(
    CASE, "ok", "", gradients([-2.0, -1.0], [-3.0, -1.0], [-4.0, -1.0]), None, training(0.1, 0.5, 0.9), **TIMES
)


@dataclass(frozen=True)
class Inner:
    counts: Int[np.ndarray, "layers seeds"]


@dataclass(frozen=True)
class Outer:
    loss: Annotated[Float[np.ndarray, "seeds steps"], Each(-1e9, 1e9)]
    step: Int[np.ndarray, "records"]
    inner: Inner
    chance: float = float("nan")


def outer(*seeds: int) -> Outer:
    loss = np.asarray([[seed, seed + 0.5] for seed in seeds])
    return Outer(loss, np.asarray([0, 25]), Inner(np.asarray([seeds, seeds])))


def test_arrays_are_gathered_along_the_axis_that_their_annotation_calls_seeds() -> None:
    found = gathered([outer(0, 1), outer(2)], [(1, 0), (0, 1)])
    np.testing.assert_array_equal(found.loss, outer(2, 1).loss)
    np.testing.assert_array_equal(found.inner.counts, outer(2, 1).inner.counts)
    np.testing.assert_array_equal(found.step, [0, 25])


def test_parts_that_differ_in_anything_else_are_refused() -> None:
    with pytest.raises(ValueError, match="step differs"):
        gathered([outer(0), replace(outer(1), step=np.asarray([0, 24]))], [(0, 0), (1, 0)])
    with pytest.raises(ValueError, match="chance differs"):
        gathered([outer(0), replace(outer(1), chance=0.5)], [(0, 0), (1, 0)])


def test_a_record_is_the_join_of_its_seeds_in_any_order() -> None:
    alone: Any = [chosen(RECORD, [seed]) for seed in CASE.seeds]
    assert [record.case.seeds for record in alone] == [(0,), (1,), (2,)]
    assert [record.training.test_metric.tolist() for record in alone] == [[np.float32(a)] for a in (0.1, 0.5, 0.9)]
    for records in (alone, alone[::-1], [*alone, RECORD], [joined(alone[:2]), alone[2], alone[1]]):
        assert pack(joined(records)) == pack(RECORD)


def test_of_two_that_differ_in_one_seed_the_same_is_taken_in_any_order() -> None:
    other = replace(RECORD, training=training(0.2, 0.4, 0.8))
    assert pack(joined([RECORD, other])) == pack(joined([other, RECORD]))


def test_status_is_that_of_the_seeds_that_are_chosen() -> None:
    curves = training(0.1, 0.5, 0.9)
    loss = curves.loss.copy()
    loss[0] = np.nan
    diverged = replace(curves, loss=loss, tuning_diverged=np.ones_like(curves.tuning_diverged))
    first, others = chosen(replace(RECORD, training=diverged), [0]), chosen(replace(RECORD, training=diverged), [1, 2])
    assert first is not None
    assert others is not None
    assert (first.status, others.status) == ("diverged", "ok")


def test_seeds_that_a_record_has_not_are_lacking_and_left_out() -> None:
    assert lacking(RECORD, (0, 5, 2, 7)) == (5, 7)
    found = chosen(RECORD, (5, 2))
    assert found is not None
    assert found.case.seeds == (2,)
    assert chosen(RECORD, (5,)) is None
    assert chosen(RECORD, ()) is RECORD


def test_a_failure_lacks_no_seed_and_stays_as_it_is() -> None:
    failed = CellRecord(CASE, "timeout", "too long", None, None, None, **TIMES)
    assert lacking(failed, (9,)) == ()
    assert chosen(failed, (9,)) is failed


def test_records_of_other_learning_rates_are_not_joined() -> None:
    other = replace(training(0.1, 0.5, 0.9), learning_rate=0.1)
    with pytest.raises(ValueError, match="learning_rate differs"):
        joined([RECORD, replace(RECORD, training=other)])


def test_a_part_that_only_some_hold_is_refused() -> None:
    two, one = chosen(RECORD, [0, 1]), chosen(RECORD, [2])
    assert two is not None
    assert one is not None
    with pytest.raises(ValueError, match="only some"):
        joined([replace(two, forward=forward(2)), one])
