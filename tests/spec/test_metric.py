"""The metric: which way is better, in every comparison."""

import numpy as np
import pytest

from vgbench.errors import UnknownError
from vgbench.spec.metric import ACCURACY, BITS_PER_BYTE
from vgbench.spec.registry import metric_named


def test_more_score_is_better_whatever_the_direction() -> None:
    values = np.asarray([0.5, 2.0, np.inf])
    assert ACCURACY.score(values).tolist() == [0.5, 2.0, np.inf]
    assert BITS_PER_BYTE.score(values).tolist() == [-0.5, -2.0, -np.inf]


def test_target_is_reached_from_the_better_side_and_by_itself() -> None:
    values = np.asarray([0.8, 0.9, 0.95, np.inf], np.float32)  # float32 holds less than 0.9
    assert ACCURACY.reached(values[:3], 0.9).tolist() == [False, True, True]
    assert BITS_PER_BYTE.reached(values, 0.9).tolist() == [True, True, False, False]


def test_only_an_accuracy_has_an_upper_bound() -> None:
    assert ACCURACY.refuses(1.0) is None
    assert ACCURACY.refuses(1.5) == "1.5 is no accuracy, which lies between 0 and 1"
    assert BITS_PER_BYTE.refuses(1.5) is None


def test_amounts_are_text_in_the_unit() -> None:
    assert (ACCURACY.amount(0.9), BITS_PER_BYTE.amount(2.5)) == ("90%", "2.5")


def test_metric_is_found_by_its_name() -> None:
    assert metric_named("bits/byte") == BITS_PER_BYTE
    with pytest.raises(UnknownError, match=r"unknown metric 'loss' \(choose from: accuracy, bits/byte\)"):
        metric_named("loss")
