"""Splits by seed: every seed trains and tests on others of the examples, and no seed tests on those that validate."""

import numpy as np
import pytest

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.data.stratified import stratified
from vgbench.errors import InputError
from vgbench.spec.registry import DATA

Y = np.random.default_rng(0).integers(3, size=101)


@pytest.fixture(scope="module")
def splits() -> list[tuple[set[int], ...]]:
    return [tuple(set(part.tolist()) for part in stratified(Y, seed)) for seed in range(5)]


def test_a_fifth_tests_and_a_fifth_validates(splits: list[tuple[set[int], ...]]) -> None:
    for train, validation, test in splits:
        assert (len(train), len(validation), len(test)) == (60, 20, 21)
        assert train | validation | test == set(range(101))
        for part in (train, validation, test):
            assert set(Y[sorted(part)].tolist()) == {0, 1, 2}


def test_what_validates_is_the_same_for_all_seeds_and_never_tests(splits: list[tuple[set[int], ...]]) -> None:
    assert all(validation == splits[0][1] for _, validation, _ in splits)
    assert len({frozenset(test) for *_, test in splits}) == 5
    assert not splits[0][1] & set[int]().union(*(test for *_, test in splits))


def test_runs_of_a_seed_have_its_splits_unless_the_case_fixes_them() -> None:
    by_seed, fixed = (load_dataset(vg.Case(data={"name": "digits", "split_seed": each})) for each in (None, 3))
    for ours, theirs in zip(by_seed.of_seed(3)[:3], fixed[:3], strict=True):
        np.testing.assert_array_equal(ours.x, theirs.x)
        np.testing.assert_array_equal(ours.y, theirs.y)
    assert fixed.of_seed(5) is fixed
    np.testing.assert_array_equal(by_seed.of_seed(5).validation.y, by_seed.validation.y)
    assert not np.array_equal(by_seed.of_seed(5).test.y, by_seed.of_seed(3).test.y)
    assert by_seed.of_seed(5) is by_seed.of_seed(5)


def test_a_seed_that_no_split_has_is_refused() -> None:
    with pytest.raises(InputError, match=r"data 'digits': split_seed: .*greater than or equal to 0"):
        DATA.choose({"name": "digits", "split_seed": -1})
