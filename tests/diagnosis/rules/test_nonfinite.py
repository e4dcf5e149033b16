"""Numbers that are not finite: which were first, and what had grown before; gradients of exactly zero."""

from typing import Any

import numpy as np
import pytest
from helpers.evidence import BLIND, LAYERS, RECORDS, STUCK, evidence, names, over_records, rows

import vgbench as vg

FROM = np.arange(RECORDS)


def broken(gradients: int, loss: int, **changes: Any) -> dict[str, Any]:
    """Gradients and losses that are no numbers from these records on."""
    spoilt = (gradients <= FROM)[:, None] * np.ones(LAYERS)
    losses = np.where(loss <= FROM, np.nan, 2.3)
    return {"nonfinite": spoilt, "nonfinite_loss": loss <= FROM, "loss": losses, "accuracy": None} | changes


def test_gradients_that_are_no_numbers_beside_a_finite_loss_are_not_blamed_on_the_rate() -> None:
    answer = vg.diagnose(evidence(**broken(0, 1), update=rows(0.5, 0.5, layers=LAYERS) * np.nan))
    assert names(answer) == ["not-a-number gradients"]
    assert answer[0].confidence == "certain"
    assert answer[0].layers[0] == "layer 1"
    assert "learning rate is not at fault" in answer[0].suggestion


def test_the_steps_at_which_numbers_went_wrong_tell_which_was_first() -> None:
    gradients = evidence(**broken(3, 3), nonfinite_since={"gradients": 51, "loss": 52})
    losses = evidence(**broken(3, 3), nonfinite_since={"gradients": 51, "loss": 51})
    assert vg.verdict(gradients) == "not-a-number gradients"
    assert vg.verdict(losses) == "not-a-number loss"
    assert vg.diagnose(losses)[0].evidence == {"loss no number since step": 51, "gradients no number since step": 51}


def test_updates_alone_that_are_no_numbers_are_found() -> None:
    answer = vg.diagnose(evidence(**broken(1, 1), nonfinite_since={"updates": 0, "loss": 1, "gradients": 1}))
    assert answer.verdict == "not-a-number gradients"
    assert answer[0].evidence["updates no number since step"] == 0


@pytest.mark.parametrize(
    "grew",
    [
        {"weight": np.where(FROM[:, None] < 4, over_records(0.5, 9.0), np.nan)},
        {"peak": np.r_[2.3, 2.3, 900.0, 1e9, np.full(5, np.nan)]},
    ],
    ids=["weights", "losses"],
)
def test_what_grew_before_it_broke_was_thrown_about(grew: dict[str, Any]) -> None:
    run = evidence(**broken(4, 4) | grew)
    assert vg.verdict(run) == "learning rate too large"
    steep = rows(4.0, -2.0)
    assert vg.verdict(evidence(**broken(4, 4) | grew | {"signal": steep})) == "exploding"


def test_steps_that_are_large_may_be_why_a_value_left_its_domain() -> None:
    calm = {"peak": np.r_[np.full(5, 2.3), np.full(4, np.nan)]}
    assert vg.diagnose(evidence(**broken(4, 4) | calm))[0].alternatives == ()
    large = {"update": rows(0.5, 0.5, layers=LAYERS)}
    risen = {"peak": np.r_[np.full(4, 2.3), 23.0, np.full(4, np.nan)]}
    for run in (calm | large, risen, {}):  # without peaks nobody knows what the loss was between the records
        found = vg.diagnose(evidence(**broken(4, 4) | run))[0]
        assert (found.name, found.alternatives) == ("not-a-number gradients", ("learning rate too large",))
    blind = vg.diagnose(evidence(**broken(4, 4) | {"signal": None}))[0]
    assert blind.alternatives == ("learning rate too large", "exploding")


def test_a_high_first_loss_alone_is_no_growth() -> None:
    run = broken(4, 4) | BLIND | {"loss": np.where(FROM < 4, 40.0, np.nan)}
    since = {"gradients": 80, "loss": 81}
    assert vg.verdict(evidence(**run, nonfinite_since=since)) == "not-a-number gradients"


def test_steps_that_are_skipped_since_16_bits_overflow_break_nothing() -> None:
    first = {"nonfinite": np.where(FROM < 2, 1.0, 0.0)[:, None] * np.ones(LAYERS)}
    assert vg.verdict(evidence(**first)) == "nothing found"
    stuck = first | {"loss": np.full(RECORDS, 2.31), "accuracy": None}
    assert vg.verdict(evidence(**stuck)) == "not-a-number gradients"  # all the same, it comes to nothing
    reached = first | {"weight": np.where(FROM[:, None] < 2, 0.5, np.nan) * np.ones(LAYERS)}
    assert vg.verdict(evidence(**reached)) == "not-a-number gradients"  # a loss may be finite behind rectifiers


def test_weights_of_zero_are_named_before_units_that_they_keep_dead() -> None:
    nothing = STUCK | {"gradient": np.full((RECORDS, LAYERS), -np.inf), "signal": None, "dead": rows(1.0, 1.0)}
    assert vg.verdict(evidence(**nothing)) == "dead units"
    assert vg.verdict(evidence(**nothing, weight=np.full((RECORDS, LAYERS), -np.inf))) == "gradients exactly zero"


def test_a_signal_beyond_all_range_explodes() -> None:
    signal = rows(-2.0, -2.1)
    signal[0, :3] = np.inf
    assert vg.verdict(evidence(**broken(1, 1), signal=signal)) == "exploding"


def test_gradients_of_exactly_zero_are_found_without_a_loss_and_named_for_zero_weights() -> None:
    nothing = {"gradient": np.full((RECORDS, LAYERS), -np.inf), "update": np.zeros((RECORDS, LAYERS))}
    assert vg.verdict(evidence(**BLIND, **nothing, loss=None, accuracy=None)) == "gradients exactly zero"
    empty = evidence(**STUCK, **BLIND, **nothing, weight=np.full((RECORDS, LAYERS), -np.inf))
    assert "weights of some layers are all zero" in vg.diagnose(empty)[0].suggestion


def test_nothing_else_is_said_beside_them() -> None:
    nothing = {"gradient": np.full((RECORDS, LAYERS), -np.inf), "update": np.zeros((RECORDS, LAYERS))}
    assert names(vg.diagnose(evidence(**STUCK, **BLIND, **nothing))) == ["gradients exactly zero"]
    assert names(vg.diagnose(evidence(**broken(0, 1), **BLIND))) == ["not-a-number gradients"]


def test_losses_that_grew_between_the_records_before_they_broke_tell_of_the_rate() -> None:
    broken = np.arange(RECORDS) >= 1
    loss = np.where(np.arange(RECORDS) == 0, 2.3, np.nan)
    bad = np.where(broken, 1.0, 0.0)[:, None] * np.ones(LAYERS)
    peak = np.where(np.arange(RECORDS) == 1, 1e13, np.where(broken, np.nan, 2.3))
    run = {"loss": loss, "nonfinite_loss": broken, "nonfinite": bad, "accuracy": None}
    assert vg.verdict(evidence(**run, peak=peak)) == "learning rate too large"
    assert vg.verdict(evidence(**run, peak=np.where(broken, np.nan, 2.3))).startswith("not-a-number")


def test_a_gradient_of_zero_may_be_that_of_an_output_on_a_flat_end() -> None:
    nothing = np.full((RECORDS, LAYERS), -np.inf)
    found = vg.diagnose(evidence(**STUCK | BLIND | {"gradient": nothing, "zero": rows(1.0, 1.0, layers=LAYERS)}))[0]
    assert (found.name, found.confidence, found.alternatives) == (
        "gradients exactly zero",
        "likely",
        ("dead units", "saturated loss"),
    )
