"""Gradients that shrink: with the signal recorded and without, at the start and later, in depth and in time."""

from typing import Any

import numpy as np
from helpers.evidence import BLIND, DEPTH, LAGGING, LAYERS, RECORDS, STILL, STUCK, evidence, names, over_records, rows

import vgbench as vg


def test_an_optimizer_that_makes_up_for_a_small_signal_is_not_blamed_where_it_learns() -> None:
    small = {"signal": rows(-9.0, -2.0)}
    assert vg.verdict(evidence(**small)) == "nothing found"
    stuck = vg.diagnose(evidence(**small, **STUCK))[0]
    assert (stuck.name, stuck.confidence) == ("vanishing", "possible")


def test_homogeneous_networks_vanish_without_any_lag_between_their_weights() -> None:
    alike = {"signal": rows(-9.0, -2.0), "scale": rows(0.0, -6.0), "update": rows(1e-9, 1e-9, layers=LAYERS)}
    found = vg.diagnose(evidence(**STUCK, **STILL, **alike))[0]
    assert found.name == "vanishing"
    assert found.evidence["scale lost in decades"] == 6


def test_time_steps_share_their_weights_and_are_called_time_steps() -> None:
    recurrent: dict[str, Any] = BLIND | {"signal": rows(-20.0, -2.0, layers=100), "timed": True}
    values = {"update": 0.01, "gradient": -2, "moved": 0.5, "zero": 0, "nonfinite": 0}
    weights = {name: rows(value, value, layers=2) for name, value in values.items()}
    weights["weight"] = over_records(0.5, 0.6, layers=2)
    places = tuple(f"time step {i + 1}" for i in range(100))
    run = recurrent | weights | {"names": ("cell", "output layer"), "places": places}
    found = vg.diagnose(evidence(**STUCK, **run))[0]
    assert (found.name, found.confidence, found.layers[0]) == ("vanishing", "certain", "time step 1")
    assert "over the time steps" in found.meaning
    assert "gated cell" in found.suggestion
    assert vg.verdict(evidence(**run)) == "nothing found"  # as a GRU, which learns all the same
    begins = {"loss": np.linspace(2.3, 1.9, RECORDS), "accuracy": np.linspace(0.1, 0.28, RECORDS)}
    assert "vanishing" not in names(vg.diagnose(evidence(**run | begins)))
    strict = begins | {"accuracy": np.full(RECORDS, 0.12)}  # which asks for more than the loss does
    assert "vanishing" not in names(vg.diagnose(evidence(**run | strict)))


def test_weights_of_one_kind_show_a_trend_whatever_their_order() -> None:
    order = [f"block[{i}].{kind}" for kind in ("down", "up") for i in range(6)]
    gradient = np.tile([-9.0 + 1.5 * (i % 6) for i in range(12)], (RECORDS, 1))
    update = np.tile([10.0 ** (-8 + (i % 6)) for i in range(12)], (RECORDS, 1))
    values = {name: rows(0.0, 0.0, layers=12) for name in ("zero", "nonfinite")}
    values["weight"] = over_records(0.5, 0.6, layers=12)
    run = STUCK | BLIND | values | {"moved": None, "gradient": gradient, "update": update, "names": tuple(order)}
    found = vg.diagnose(evidence(**run))[0]
    assert (found.name, found.confidence) == ("vanishing", "likely")
    assert vg.verdict(evidence(**run | {"chance": None, "accuracy": None})) == "vanishing"


def test_an_array_far_behind_the_rest_is_no_sign_where_their_order_is_unknown() -> None:
    values = {"zero": 0.0, "nonfinite": 0.0, "update": 0.01}
    arrays: dict[str, Any] = {name: rows(value, value, layers=3) for name, value in values.items()}
    arrays["weight"] = over_records(0.5, 0.6, layers=3)
    gradient = np.tile([-7.0, -2.0, -2.0], (RECORDS, 1))
    run = STUCK | BLIND | arrays | {"moved": None, "gradient": gradient, "names": ("wx", "wh", "readout")}
    found = vg.diagnose(evidence(**run))[0]
    assert (found.name, found.alternatives) == ("constant answer", ("vanishing", "collapse"))


def test_first_layers_that_lag_and_go_far_all_the_same_do_not_stand_still() -> None:
    lags = {"signal": rows(-4.0, -2.0), "update": np.tile(np.logspace(-2.5, -1, LAYERS), (RECORDS, 1))}
    assert vg.verdict(evidence(**STUCK, **lags)) != "vanishing"
    slow = lags | {"update": lags["update"] / 100}
    assert vg.verdict(evidence(**STUCK, **slow)) == "vanishing"


def test_a_signal_that_arrives_by_the_end_is_not_what_holds_a_run_up() -> None:
    faded = {"signal": rows(-6.0, -2.0), "scale": rows(0.0, -3.0)}
    assert vg.verdict(evidence(**STUCK, **faded)) == "vanishing"
    back = {"signal": over_records(-6.0, -2.0, layers=DEPTH)}
    back["signal"][:, -1] = -2.0
    assert vg.verdict(evidence(**STUCK | faded | back)) != "vanishing"


def test_layers_that_are_held_still_do_not_show_whether_a_signal_would_move_them() -> None:
    held = {"signal": rows(-6.0, -2.0), "update": np.where(np.arange(LAYERS) < 4, 0.0, rows(0.01, 0.01, layers=LAYERS))}
    assert names(vg.diagnose(evidence(**STUCK, **held)))[0] != "vanishing"
    assert "frozen" in names(vg.diagnose(evidence(**STUCK, **held)))


def test_a_signal_that_vanishes_in_training_may_be_recorded_at_both_ends_alone() -> None:
    signal = np.full((RECORDS, 10), np.nan)
    signal[0], signal[-1] = np.linspace(-2.0, -2.1, 10), np.linspace(-7.0, -2.1, 10)
    poor = {"loss": np.full(RECORDS, 1.9), "accuracy": np.full(RECORDS, 0.2)}
    assert vg.verdict(evidence(**poor, signal=signal)) == "vanishing in training"


def test_weights_gradients_that_part_in_training_tell_the_same() -> None:
    parting = rows(-1.0, -1.2, layers=LAYERS)
    parting[1:] = np.linspace(-7.0, -1.0, LAYERS)
    poor = {"loss": np.r_[2.8, np.full(8, 2.31)], "accuracy": None, "chance": None}
    assert vg.verdict(evidence(**poor | BLIND, gradient=parting)) == "vanishing in training"


def test_first_layers_that_never_moved_have_vanished_from_the_start() -> None:
    parting = rows(-4.0, -4.2, layers=LAYERS)
    parting[1:] = np.linspace(-7.0, -1.0, LAYERS)
    run = STUCK | BLIND | {"gradient": parting, "update": LAGGING}
    assert vg.verdict(evidence(**run)) == "vanishing"


def test_weights_that_decay_away_take_the_signal_with_them() -> None:
    run = STUCK | BLIND | {"weight": over_records(0.5, -4.0)}
    found = vg.diagnose(evidence(**run))[0]
    assert (found.name, found.evidence["weights shrunk by decades"]) == ("vanishing in training", 4.5)


def test_a_saturated_loss_is_none_at_the_constant_answer() -> None:
    dying = {"gradient": over_records(-1.0, -6.0), "accuracy": None}
    generator = {"loss": np.linspace(-0.7, -0.001, RECORDS), "chance": None}
    assert vg.verdict(evidence(**dying | generator | BLIND)) == "saturated loss"
    assert "saturated loss" not in names(vg.diagnose(evidence(**dying, loss=np.full(RECORDS, 2.3))))
    shrinks = {"loss": np.geomspace(2.3, 0.001, RECORDS)}
    assert "saturated loss" not in names(vg.diagnose(evidence(**dying, **shrinks)))


def test_a_critic_that_has_won_teaches_a_generator_nothing_and_one_in_balance_is_no_fault() -> None:
    names_of = ("generator.w", "critic.w", *(f"layer {i}" for i in range(LAYERS - 2)))
    won = BLIND | {"names": names_of, "accuracy": None, "loss": np.geomspace(0.69, 1e-4, RECORDS), "chance": 0.693}
    assert vg.verdict(evidence(**won, gradient=over_records(-1.0, -4.0))) == "saturated loss"
    assert vg.verdict(evidence(**won)) == "not enough recorded"  # a loss that does not saturate still has a slope
    balance = won | {"loss": np.r_[0.69, 0.3, 0.4, 0.5, 0.6, 0.68, 0.69, 0.69, 0.69], "flat": "both"}
    assert vg.verdict(evidence(**balance | {"saturated": rows(0.6, 0.6)})) == "not enough recorded"


def test_gradients_of_biases_that_cancel_at_last_hide_no_loss_while_nothing_was_learned() -> None:
    gradient, bias = rows(-9.0, -4.0, layers=LAYERS), rows(-9.0, -4.0, layers=LAYERS)
    bias[-1, -4:] = -8.5
    patches = BLIND | STUCK | {"gradient": gradient, "bias": bias, "update": rows(1e-6, 1e-6, layers=LAYERS)}
    layers = {"names": tuple(f"layer{i}" for i in range(LAYERS))}
    assert vg.verdict(evidence(**patches, **layers)) == "vanishing"
    opened = patches | {"loss": np.r_[2.31, np.full(RECORDS - 1, 1.9)]}
    assert "vanishing" not in names(vg.diagnose(evidence(**opened, **layers)))


def test_a_signal_that_still_shrinks_when_little_was_learned_is_not_sound() -> None:
    little = {"loss": np.linspace(2.3, 1.9, RECORDS), "accuracy": np.linspace(0.1, 0.28, RECORDS), "update": LAGGING}
    assert vg.verdict(evidence(**little, signal=rows(-9.0, -2.0))) == "vanishing"
    assert vg.verdict(evidence(update=LAGGING, signal=rows(-9.0, -2.0))) == "nothing found"


def test_weights_that_shrank_away_tell_of_decay_and_not_of_steps_that_are_large_beside_them() -> None:
    shrunk = STUCK | BLIND | {"weight": over_records(0.5, -3.0), "update": rows(0.3, 0.4, layers=LAYERS)}
    answer = vg.diagnose(evidence(**shrunk))
    assert names(answer) == ["vanishing in training"]
    assert "weight decay" in answer[0].meaning
    assert "a weight decay ten times smaller" in answer[0].suggestion


def test_a_signal_that_something_cuts_off_does_not_vanish() -> None:
    signal = rows(-2.0, -2.0)
    signal[:, :4] = -np.inf
    assert "vanishing" not in names(vg.diagnose(evidence(**STUCK, signal=signal)))
    fades = rows(-2.0, -2.0)
    fades[:, :6] = [-np.inf, -np.inf, -36.0, -28.0, -20.0, -12.0]
    assert vg.verdict(evidence(**STUCK, signal=fades)) == "vanishing"


def test_a_signal_that_loses_decades_and_is_then_zero_has_vanished_and_is_not_cut_off() -> None:
    fading = rows(-9.0, -1.0)
    fading[:, :4] = -np.inf
    found = vg.diagnose(evidence(**STUCK, signal=fading, timed=True))[0]
    assert (found.name, found.confidence) == ("vanishing", "certain")


def test_a_recurrent_network_that_once_learned_passes_the_signal() -> None:
    swings = np.r_[2.3, 1.2, 1.1, 1.2, 2.6, 2.5, 2.4, 2.6, 2.5]
    run = {"loss": swings, "accuracy": None, "signal": rows(-4.0, -1.0), "timed": True}
    assert "vanishing" not in names(vg.diagnose(evidence(**run)))


def test_units_that_saturate_from_the_start_are_why_the_signal_vanishes() -> None:
    flat = {"saturated": rows(0.9, 0.9), "flat": "both", "dead": None, "signal": rows(-8.0, -1.0), "update": LAGGING}
    found = vg.diagnose(evidence(**STUCK | flat))[0]
    assert (found.name, found.alternatives) == ("saturation", ("vanishing",))


def test_an_array_that_gets_less_than_rounding_is_reached_by_nothing_whatever_their_order() -> None:
    values = {"zero": 0.0, "nonfinite": 0.0, "update": 0.01}
    arrays: dict[str, Any] = {name: rows(value, value, layers=3) for name, value in values.items()}
    arrays |= {"moved": None, "names": ("wx", "wh", "readout"), "weight": over_records(0.5, 0.6, layers=3)}
    arrays |= {"flat": "unknown", "gradient": np.tile([-12.0, -11.0, -2.0], (RECORDS, 1))}
    found = vg.diagnose(evidence(**STUCK | BLIND | arrays))[0]
    assert (found.name, found.alternatives) == ("vanishing", ("collapse", "saturation"))


def test_weights_that_all_get_little_while_a_bias_does_not_tell_of_a_signal_that_fades() -> None:
    arrays: dict[str, Any] = {name: rows(0.0, 0.0, layers=4) for name in ("zero", "nonfinite")}
    arrays |= {"moved": None, "names": ("one", "two", "three", "out"), "weight": over_records(0.5, 0.51, layers=4)}
    small = arrays | {"gradient": rows(-4.0, -4.0, layers=4), "update": rows(1e-5, 1e-5, layers=4)}
    run = STUCK | BLIND | small | {"bias": np.tile([-4.0, -3.2, -2.4, -1.5], (RECORDS, 1))}
    assert vg.verdict(evidence(**run)) == "vanishing"
    assert vg.verdict(evidence(**run | {"bias": rows(-3.8, -3.4, layers=4)})) != "vanishing"


def test_two_networks_of_which_neither_gets_a_gradient_any_more_have_lost_it_whatever_the_loss_is() -> None:
    game = BLIND | {"names": ("generator.w", *(f"critic{i}.w" for i in range(LAYERS - 1))), "accuracy": None}
    stands, gone = np.r_[4.3, np.full(RECORDS - 1, 1.0)], over_records(-1.0, -4.0, -4.0)
    for factor in (1.0, 0.01):
        run = game | {"loss": factor * stands, "chance": None, "gradient": gone + np.log10(factor)}
        assert vg.verdict(evidence(**run)) == "saturated loss"
        moves = run | {"gradient": rows(-1.5, -1.0, layers=LAYERS) + np.log10(factor)}
        assert vg.verdict(evidence(**moves)) == "not enough recorded"


def test_outputs_that_stay_far_from_a_constant_answer_without_a_slope_are_saturated() -> None:
    critic = BLIND | {"loss": np.r_[11.0, np.full(RECORDS - 1, 9.0)], "chance": 1.0, "accuracy": None}
    found = vg.diagnose(evidence(**critic, gradient=over_records(0.0, -4.0)))[0]
    assert (found.name, found.alternatives) == ("saturated loss", ("saturation",))
    zeros = np.where(np.arange(RECORDS)[:, None] < 2, rows(-1.0, -1.2, layers=LAYERS), -np.inf)
    assert vg.diagnose(evidence(**critic, gradient=zeros))[0].alternatives == ("units that died",)


def test_weights_that_follow_the_gradient_to_a_constant_answer_were_not_taken_away() -> None:
    came = BLIND | {"loss": np.r_[4.0, 2.8, np.full(RECORDS - 2, 2.3)], "accuracy": None}
    shrink = came | {"weight": over_records(0.5, -4.0), "gradient": over_records(-1.0, -6.0)}
    along = vg.diagnose(evidence(**shrink, cosine=rows(1.0, 1.0, layers=LAYERS)))[0]
    assert (along.name, along.alternatives[0]) == ("constant answer", "vanishing in training")
    assert vg.verdict(evidence(**shrink, cosine=rows(0.2, 0.4, layers=LAYERS))) == "vanishing in training"


def test_a_negative_loss_that_rises_from_the_first_step_may_be_followed_uphill() -> None:
    rising = {"loss": np.linspace(-0.7, -0.001, RECORDS), "chance": None, "accuracy": None}
    run = BLIND | rising | {"gradient": over_records(-1.0, -6.0)}
    found = vg.diagnose(evidence(**run))[0]
    assert (found.name, found.alternatives[0]) == ("saturated loss", "updates point uphill")
    game = ("generator.w", "critic.w", *(f"layer {i}" for i in range(LAYERS - 2)))
    assert not any("updates point uphill" in each.alternatives for each in vg.diagnose(evidence(**run, names=game)))


def test_a_loss_of_classes_that_stays_where_it_began_may_be_one_of_probabilities() -> None:
    faint = {"gradient": over_records(-2.5, -2.4), "update": rows(0.002, 0.002, layers=LAYERS)}
    run = faint | {"accuracy": np.linspace(0.1, 0.25, RECORDS)}
    found = vg.diagnose(evidence(loss=np.linspace(2.303, 2.1, RECORDS), **run))[0]
    assert (found.name, found.alternatives[0]) == ("saturated loss", "softmax applied twice")
    above = vg.diagnose(evidence(loss=np.linspace(2.4, 2.1, RECORDS), **run))
    assert not any("softmax applied twice" in each.alternatives for each in above)


def test_weights_that_decay_while_the_task_is_learned_in_part_are_no_fault() -> None:
    shrunk = BLIND | {"weight": over_records(0.5, -0.6), "accuracy": None}
    part, nothing = (evidence(**shrunk, loss=np.linspace(2.3, end, RECORDS)) for end in (1.3, 2.29))
    assert "vanishing in training" not in names(vg.diagnose(part))
    assert vg.verdict(nothing) == "vanishing in training"
