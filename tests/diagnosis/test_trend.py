"""The order of arrays of weights by their names, and what is lost along it."""

import numpy as np

from vgbench.diagnosis.trend import first_of, kinds_of, lost_over_layers

NAMES = ("Dense_0.kernel", "Dense_1.kernel", "Dense_10.kernel", "Dense_2.kernel", "head.kernel")


def test_arrays_of_a_kind_are_ordered_by_the_number_in_their_names() -> None:
    assert kinds_of(NAMES) == [[0, 1, 3, 2]]
    assert first_of(NAMES) == 0
    assert first_of(("b0.up", "b0.down", "b1.up", "b1.down")) is None
    assert first_of(("wx", "wh", "readout")) is None


def test_what_is_lost_counts_numbers_that_are_finite_alone() -> None:
    values = np.asarray([[-6.0, -4.0, 0.0, -2.0, 5.0], [-np.inf, -4.0, -np.inf, -2.0, 5.0], [np.nan] * 5])
    lost = lost_over_layers(values, NAMES)
    assert lost is not None
    assert lost[0] == 6
    assert np.isnan(lost[1:]).all()  # the ends, a third each, have no finite number
    assert lost_over_layers(None, NAMES) is None
    assert lost_over_layers(values, ("wx", "wh", "readout", "out", "norm")) is None
