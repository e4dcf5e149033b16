"""What sixteen bits lose: gradients, updates, and what only looks like it."""

from typing import Any

import numpy as np
from helpers.evidence import BLIND, LAGGING, LAYERS, RECORDS, STUCK, evidence, names, over_records, rows

import vgbench as vg

BINS = 21


def histogram(zero: float, **shares: float) -> np.ndarray:
    """Of all layers: a share of zeros, and shares by the exponent of the bin's lower edge, as `e8` from 1e-8."""
    bins = np.zeros(BINS)
    bins[0] = zero
    for name, share in shares.items():
        bins[(36 - int(name[1:])) // 2 + 1] = share
    return np.tile(bins, (RECORDS, LAYERS, 1))


def flushed(**changes: Any) -> dict[str, Any]:
    """Gradients of which much reads zero; the loss gets a quarter better."""
    loss = {"loss": np.linspace(2.3, 1.7, RECORDS), "accuracy": None}
    return BLIND | loss | {"zero": rows(0.8, 0.8, layers=LAYERS), "gradient": rows(-6.0, -5.0, layers=LAYERS)} | changes


def test_numbers_that_pile_up_above_float16s_smallest_one_tell_of_it() -> None:
    answer = vg.diagnose(evidence(**flushed(histogram=histogram(0.8, e8=0.19, e6=0.01))))
    assert answer.verdict == "underflow"
    assert answer[0].layers[0] == "layer 1"
    sparse = flushed(histogram=histogram(0.8, e10=0.001, e8=0.02, e6=0.179))
    assert "underflow" not in names(vg.diagnose(evidence(**sparse)))


def test_one_layer_that_happens_to_pile_up_among_many_that_do_not_is_none_of_float16() -> None:
    shares = histogram(0.8, e12=0.05, e10=0.1, e8=0.05)
    shares[:, :2] = histogram(0.8, e8=0.2)[:, :2]
    assert "underflow" not in names(vg.diagnose(evidence(**flushed(histogram=shares))))


def test_numbers_that_float16_does_not_hold_in_other_layers_show_that_zeros_are_none_of_its() -> None:
    shares = histogram(0.0, e12=0.1, e10=0.4, e8=0.5)
    shares[:, :2] = histogram(0.8, e8=0.2)[:, :2]  # behind units that are dead
    zero = rows(0.0, 0.0, layers=LAYERS)
    zero[:, :2] = 0.8
    assert "underflow" not in names(vg.diagnose(evidence(**flushed(histogram=shares, zero=zero))))


def test_a_layer_that_reads_zero_wholly_is_recognised_by_its_neighbours() -> None:
    shares = histogram(0.8, e8=0.19, e6=0.01)
    shares[:, :4] = histogram(1.0)[:, :4]
    zero = rows(0.8, 0.8, layers=LAYERS)
    zero[:, :4] = 1
    gradient = np.where(zero == 1, -np.inf, -5.5)
    answer = vg.diagnose(evidence(**flushed(histogram=shares, zero=zero, gradient=gradient)))
    assert (answer.verdict, answer[0].layers[0]) == ("underflow", "layer 1")


def test_a_known_dtype_tells_it_by_the_norm() -> None:
    assert vg.verdict(evidence(**flushed(smallest=2.0**-24))) == "underflow"
    assert "underflow" not in names(vg.diagnose(evidence(**flushed(smallest=2.0**-126))))


def test_what_reads_zero_explains_layers_that_stand_still() -> None:
    zero, update = rows(0.0, 0.0, layers=LAYERS), rows(0.01, 0.01, layers=LAYERS)
    zero[:, :5], update[:, :5] = 1.0, 0.0
    run = STUCK | {"zero": zero, "update": update, "smallest": 0.01}
    assert names(vg.diagnose(evidence(**run))) == ["underflow"]


def test_updates_that_rounding_swallows_are_recognised_by_their_share_or_by_weights_that_never_change() -> None:
    swallowed = rows(0.9, 0.9, layers=LAYERS)
    vanished = STUCK | {"swallowed": swallowed, "update": rows(1e-9, 1e-9, layers=LAYERS)}
    assert "updates lost to rounding" not in names(vg.diagnose(evidence(**vanished)))
    assert vg.diagnose(evidence(**STUCK, swallowed=swallowed))[0].confidence == "certain"
    same = STUCK | {"weight": rows(0.5, 0.5, layers=LAYERS)}
    small = same | {"update": rows(1e-3, 1e-3, layers=LAYERS), "moved": None}
    assert vg.verdict(evidence(**small)) == "updates lost to rounding"
    assert vg.verdict(evidence(**same | {"update": rows(0.1, 0.1, layers=LAYERS)})) == "updates not applied"
    assert vg.verdict(evidence(**same | {"swallowed": swallowed * 0, "moved": over_records(0, 0.5)})) != "underflow"


def test_numbers_without_a_gradient_do_not_count_as_lost_and_weights_in_millions_lose_any_step() -> None:
    swallowed = rows(0.9, 0.9, layers=LAYERS)
    sparse = STUCK | {"swallowed": swallowed, "zero": rows(0.8, 0.8, layers=LAYERS)}
    assert "updates lost to rounding" not in names(vg.diagnose(evidence(**sparse)))
    still = {"update": rows(1e-9, 1e-9, layers=LAYERS), "weight": rows(7.0, 7.0, layers=LAYERS), "accuracy": None}
    lost = still | {"swallowed": rows(1.0, 1.0, layers=LAYERS), "loss": np.full(RECORDS, 0.1)}
    assert vg.verdict(evidence(**lost)) == "updates lost to rounding"  # however small the loss that never moved


def test_steps_that_rounding_swallows_since_the_gradient_has_gone_are_not_lost_to_it() -> None:
    late = {"swallowed": over_records(0.0, 0.9, 0.9), "update": over_records(1e-2, 1e-5, 1e-5), "signal": None}
    kept, gone = over_records(-1.0, -1.5), over_records(-1.0, -6.0, -6.0)
    lost = [vg.diagnose(evidence(**STUCK | late, gradient=gradient)) for gradient in (kept, gone)]
    assert ["updates lost to rounding" in names(each) for each in lost] == [True, False]


def test_weights_whose_norm_is_rounded_in_a_run_that_learns_are_not_still() -> None:
    assert vg.verdict(evidence(weight=rows(0.5, 0.5, layers=LAYERS))) == "nothing found"


def test_zeros_alone_may_be_flushed_ones_where_the_dtype_or_the_loss_is_small() -> None:
    nothing, all_of_it = np.full((RECORDS, LAYERS), -np.inf), rows(1.0, 1.0, layers=LAYERS)
    zeros = STUCK | {"gradient": nothing, "zero": all_of_it, "signal": None}
    plain = vg.diagnose(evidence(**zeros))
    assert (names(plain), plain[0].confidence) == (["gradients exactly zero"], "certain")
    half = vg.diagnose(evidence(**zeros, smallest=2.0**-24))
    assert names(half) == ["gradients exactly zero"]
    assert (half[0].confidence, half[0].alternatives) == ("likely", ("underflow",))
    assert "against underflow: a larger loss scale" in half[0].suggestion
    small = zeros | {"loss": np.full(RECORDS, 2.3e-6), "chance": 2.3e-6}
    assert vg.diagnose(evidence(**small))[0].alternatives == ("underflow",)


def test_weights_that_never_change_although_nothing_is_rounded_never_got_their_updates() -> None:
    same = STUCK | {"weight": rows(0.5, 0.5, layers=LAYERS), "swallowed": rows(0.0, 0.0, layers=LAYERS), "moved": None}
    found = vg.diagnose(evidence(**same))[0]
    assert (found.name, found.confidence) == ("updates not applied", "certain")
    tiny = same | {"update": rows(1e-5, 1e-5, layers=LAYERS)}  # whose norm may round to the same
    assert "updates not applied" not in names(vg.diagnose(evidence(**tiny)))


def test_an_optimizer_that_adds_nothing_has_two_likely_causes() -> None:
    nothing = STUCK | {"update": rows(0.0, 0.0, layers=LAYERS), "weight": rows(0.5, 0.5, layers=LAYERS), "moved": None}
    answer = vg.diagnose(evidence(**nothing))
    assert names(answer) == ["updates not applied", "learning rate too small"]
    assert "schedule of zero" in answer[0].suggestion


def test_zeros_of_32_bits_are_of_a_gradient_that_vanishes_unless_all_layers_are_as_small() -> None:
    zero = np.where(np.arange(LAYERS) < 6, 0.9, 0.0) * np.ones((RECORDS, 1))
    some = {"zero": zero, "gradient": rows(-40.0, -1.0, layers=LAYERS), "smallest": 1e-38, "signal": rows(-41.0, -1.0)}
    assert "underflow" not in names(vg.diagnose(evidence(**STUCK, **some, update=LAGGING)))
    whole = some | {
        "gradient": rows(-38.0, -37.0, layers=LAYERS),
        "signal": None,
        "zero": rows(0.9, 0.9, layers=LAYERS),
    }
    assert vg.verdict(evidence(**STUCK, **whole)) == "underflow"


def test_gradients_that_are_flushed_before_the_optimizer_are_named_before_updates_that_are_not_applied() -> None:
    flushed = {"zero": rows(0.9, 0.9, layers=LAYERS), "smallest": 60.0, "update": rows(0.0, 0.0, layers=LAYERS)}
    found = vg.diagnose(evidence(**STUCK, **flushed))
    assert names(found)[:2] == ["underflow", "updates not applied"]


def test_zeros_of_float16_are_recognised_while_anything_else_is_left() -> None:
    shares, zero = histogram(1.0), rows(1.0, 1.0, layers=LAYERS)
    gradient = np.full((RECORDS, LAYERS), -np.inf)
    shares[0], zero[0], gradient[0] = histogram(0.8, e8=0.2)[0], 0.8, -6.0
    gone = {"zero": zero, "gradient": gradient, "loss": np.full(RECORDS, 2.31)}
    answer = vg.diagnose(evidence(**flushed(histogram=shares, **gone)))
    assert answer.verdict == "underflow"
    assert "weights get a gradient" not in answer.judged


def test_a_loss_that_falls_on_shows_that_updates_arrive_as_by_rounding_at_random() -> None:
    swallowed = {"swallowed": rows(0.9, 0.9, layers=LAYERS), "update": rows(1e-3, 1e-3, layers=LAYERS)}
    falls, rests = np.linspace(2.3, 0.7, RECORDS), np.r_[2.3, 1.6, np.full(RECORDS - 2, 1.4)]
    found = [vg.diagnose(evidence(**swallowed, loss=loss, accuracy=None)) for loss in (falls, rests)]
    assert ["updates lost to rounding" in names(each) for each in found] == [False, True]
