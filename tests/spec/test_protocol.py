"""The protocol: learning rates around centres."""

import pytest
from pydantic import ValidationError

from vgbench.errors import InputError
from vgbench.spec.protocol import Protocol

CENTERS = Protocol(learning_rate_centers={"deep": 0.3, "clip_by_value": 0.2, "sgd": 0.1})


@pytest.mark.parametrize(
    ("names", "center"),
    [
        (("deep", "clip_by_value", "sgd"), 0.3),
        (("baseline", "clip_by_value", "sgd"), 0.2),
        (("baseline", "none", "sgd"), 0.1),
    ],
)
def test_centre_of_a_mitigation_goes_before_that_of_its_transform_and_its_optimizer(
    names: tuple[str, str, str], center: float
) -> None:
    assert CENTERS.learning_rates(*names, tuned=False) == (center,)


def test_learning_rates_span_so_many_decades() -> None:
    wide = Protocol(learning_rate_centers={"sgd": 0.1}, learning_rate_decades=3)
    assert wide.learning_rates("baseline", "none", "sgd", tuned=True) == (
        *(0.00316, 0.01, 0.0316, 0.1, 0.316, 1.0),
        3.16,
    )


def test_what_has_no_centre_is_named_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match=r"no centre for optimizer 'adam' \(there are: deep, clip_by_value, sgd\)"):
        CENTERS.learning_rates("baseline", "none", "adam", tuned=True)


@pytest.mark.parametrize("decades", [0, 9, 2.5])
def test_decades_are_a_whole_number_within_bounds(decades: float) -> None:
    with pytest.raises(ValidationError, match="learning_rate_decades"):
        Protocol(learning_rate_decades=decades)  # pyright: ignore[reportArgumentType]
