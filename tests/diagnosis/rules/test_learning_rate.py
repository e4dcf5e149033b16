"""Learning rates: too large, too small, held down later, and steps in the wrong direction."""

import numpy as np
from helpers.evidence import BLIND, LAGGING, LAYERS, RECORDS, STILL, STUCK, SWINGS, evidence, names, over_records, rows

import vgbench as vg

TINY = rows(1e-7, 1e-6, layers=LAYERS)


def test_weights_that_grew_by_decades_tell_of_a_rate_that_is_too_large() -> None:
    grown = BLIND | {"weight": over_records(0.5, 2.6, 2.8), "accuracy": None}
    run = grown | {"loss": np.r_[3.5, 5.4, 4.0, 3.8, 3.2, 4.1, 4.6, 3.2, 2.7], "chance": 3.46}
    assert names(vg.diagnose(evidence(**run))) == ["learning rate too large"]
    assert names(vg.diagnose(evidence(**run | {"chance": None}))) == ["learning rate too large"]


def test_a_loss_that_once_peaked_far_above_its_start_tells_it_with_a_second_sign() -> None:
    peaked = STUCK | BLIND | {"loss": np.r_[2.3, 90.0, np.full(7, 2.31)]}
    assert "learning rate too large" not in names(vg.diagnose(evidence(**peaked)))
    thrown = peaked | {"update": over_records(1.0, 1e-3, 1e-3)}
    assert vg.verdict(evidence(**thrown)) == "learning rate too large"


def test_inputs_that_nobody_looked_at_may_be_why_a_loss_peaks() -> None:
    thrown = STUCK | BLIND | {"loss": np.r_[2.3, 90.0, np.full(7, 2.31)], "update": over_records(0.3, 1e-3, 1e-3)}
    blind, seen = (vg.diagnose(evidence(**thrown, input_scale=scale))[0] for scale in (None, 1.0))
    assert blind.name == seen.name == "learning rate too large"
    assert (blind.alternatives, seen.alternatives) == (("far from unit scale", "exploding"), ("exploding",))


def test_a_rate_that_was_found_is_no_alternative_to_what_follows_from_it() -> None:
    scores = {"largest_logit": over_records(3, 400, layers=10)}
    thrown = STUCK | {"update": rows(0.5, 0.9, layers=LAYERS)}
    assert vg.diagnose(evidence(**STUCK | scores))[0].alternatives == ("learning rate too large",)
    found = vg.diagnose(evidence(**thrown | scores, input_scale=1.0))
    assert [(each.name, each.alternatives) for each in found] == [
        ("learning rate too large", ()),
        ("attention logits grow", ()),
    ]


def test_several_signs_and_a_signal_that_arrives_make_it_certain() -> None:
    one = STUCK | {"weight": over_records(0.5, 2.6)}
    three = one | {"update": rows(0.5, 0.9, layers=LAYERS), "loss": np.where(np.arange(RECORDS) % 2, 6.0, 2.4)}
    found = [vg.diagnose(evidence(**run))[0] for run in (one, three, three | {"signal": None})]
    assert {each.name for each in found} == {"learning rate too large"}
    assert [each.confidence for each in found] == ["possible", "certain", "likely"]


def test_an_orderly_run_whose_steps_are_large_at_first_is_not_accused() -> None:
    done = {"loss": np.linspace(2.3, 0.1, RECORDS), "accuracy": np.linspace(0.1, 0.99, RECORDS)}
    assert names(vg.diagnose(evidence(**done, update=over_records(3.0, 0.01, 0.01)))) == ["converged"]


def test_a_rate_is_too_small_by_the_way_that_weights_go_in_all_steps() -> None:
    slow = STUCK | STILL | {"update": rows(1e-5, 1e-5, layers=LAYERS)}
    assert vg.verdict(evidence(**slow)) == "learning rate too small"
    long = slow | {"step": np.arange(RECORDS) * 10_000, "moved": over_records(0.0, 0.6)}
    assert vg.verdict(evidence(**long)) == "constant answer"


def test_a_rate_is_not_too_small_where_the_loss_came_down_at_once_or_updates_began_in_order() -> None:
    run = BLIND | {"moved": None, "accuracy": None, "chance": 0.25, "loss": np.r_[1.1, 0.29, np.full(7, 0.25)]}
    assert vg.verdict(evidence(**run, update=over_records(1e-2, 1e-5, 1e-5))) == "constant answer"
    assert "learning rate too small" not in names(vg.diagnose(evidence(**run, update=TINY)))


def test_a_schedule_that_holds_updates_down_is_found_with_its_step() -> None:
    held = np.where(np.arange(RECORDS)[:, None] < 2, 1e-2, 1e-9) * np.ones(LAYERS)
    found = vg.diagnose(evidence(**STUCK | STILL | {"update": held}))[0]
    assert (found.name, found.steps[0]) == ("learning rate too small", 50)
    assert "schedule" in found.suggestion


def test_updates_that_stop_wholly_are_found_though_a_third_was_learned_before() -> None:
    held = np.where(np.arange(RECORDS)[:, None] < 2, 1e-2, 0.0) * np.ones(LAYERS)
    part = BLIND | {"loss": np.r_[2.3, np.full(RECORDS - 1, 1.5)], "accuracy": None, "moved": None}
    found = vg.diagnose(evidence(**part, update=held))[0]
    assert (found.name, found.steps[0]) == ("learning rate too small", 50)
    assert "learning rate too small" not in names(vg.diagnose(evidence(**part, update=held + 1e-7)))
    at_last = np.where(np.arange(RECORDS)[:, None] < RECORDS - 1, 1e-2, 0.0) * np.ones(LAYERS)
    assert "learning rate too small" not in names(vg.diagnose(evidence(**part, update=at_last)))


def test_a_high_start_is_distinguished_from_a_loss_that_rises() -> None:
    high = STILL | {"loss": np.full(RECORDS, 7.0), "accuracy": np.full(RECORDS, 0.1), "update": TINY}
    assert vg.verdict(evidence(**high)) == "learning rate too small"


def test_steps_uphill_are_recognised_by_their_direction_or_by_a_loss_that_always_rises() -> None:
    rising = {"loss": np.linspace(2.3, 9.0, RECORDS), "accuracy": np.full(RECORDS, 0.1)}
    by_loss = vg.diagnose(evidence(**rising))[0]
    assert (by_loss.name, by_loss.confidence) == ("updates point uphill", "possible")
    against, along = rows(-0.9, -0.9, layers=LAYERS), rows(0.9, 0.9, layers=LAYERS)
    assert vg.diagnose(evidence(**rising, cosine=against))[0].confidence == "certain"
    assert "updates point uphill" not in names(vg.diagnose(evidence(**rising, cosine=along)))
    # A strong decay of the weights goes against the gradient, and the loss does not rise.
    decays = STUCK | {"cosine": against, "weight": over_records(0.5, -4.0)}
    assert "updates point uphill" not in names(vg.diagnose(evidence(**decays)))
    assert vg.verdict(evidence(**decays, **BLIND)) == "vanishing in training"


def test_a_loss_that_falls_at_every_record_while_weights_hardly_move_needs_larger_steps() -> None:
    falls = {"loss": np.linspace(2.4, 2.0, RECORDS), "accuracy": None, "moved": None}
    slow = falls | {"update": np.tile(np.logspace(-5.5, -2.8, LAYERS), (RECORDS, 1))}
    assert names(vg.diagnose(evidence(**slow))) == ["learning rate too small"]
    assert "learning rate too small" not in names(vg.diagnose(evidence(**falls)))
    assert "learning rate too small" not in names(vg.diagnose(evidence(**slow | {"chance": None})))


def test_a_loss_that_falls_as_fast_at_the_end_as_at_first_needs_more_steps_or_larger_ones() -> None:
    run = {"accuracy": None, "moved": None, "update": rows(4e-4, 5e-4, layers=LAYERS)}
    steady, slowed = np.linspace(3.0, 2.0, RECORDS), 2.0 + 0.6 ** np.arange(RECORDS)
    assert names(vg.diagnose(evidence(**run, loss=steady))) == ["learning rate too small"]
    assert "learning rate too small" not in names(vg.diagnose(evidence(**run, loss=slowed)))


def test_a_density_that_peaks_on_its_way_down_is_not_thrown_about() -> None:
    falls = {"loss": np.linspace(0.02, -2.7, RECORDS), "accuracy": None, "chance": -2.5}
    peaks = {"peak": np.where(np.arange(RECORDS) == 5, 10.0, falls["loss"]), "gradient": over_records(-1.0, -1.0)}
    peaks["gradient"][5] += 1.5
    assert "learning rate too large" not in names(vg.diagnose(evidence(**falls, **peaks)))
    rises = falls | {"loss": np.r_[0.02, 0.01, np.linspace(0.1, 0.5, RECORDS - 2)]}
    assert "learning rate too large" in names(vg.diagnose(evidence(**rises, **peaks)))


def test_a_gradient_that_bursts_is_a_second_sign_and_never_the_only_one() -> None:
    burst = {"gradient": rows(-1.0, -1.2, layers=LAYERS) + np.where(np.arange(RECORDS) == 5, 1.8, 0.0)[:, None]}
    assert "learning rate too large" not in names(vg.diagnose(evidence(**STUCK | burst)))
    peaked = STUCK | burst | {"peak": np.where(np.arange(RECORDS) == 5, 9.0, 2.3)}
    assert vg.verdict(evidence(**peaked)) == "learning rate too large"
    assert vg.verdict(evidence(**peaked | {"gradient": rows(-1.0, -1.2, layers=LAYERS)})) != "learning rate too large"


def test_the_start_of_a_loss_that_may_be_negative_is_no_level_to_peak_over() -> None:
    policy = {"loss": np.r_[-3e-8, np.linspace(0.01, 0.03, RECORDS - 1)], "chance": None, "accuracy": None}
    run = policy | BLIND | {"weight": over_records(0.5, 1.1), "loss": np.r_[-3e-8, 0.02, 0.03 * np.ones(RECORDS - 2)]}
    assert "learning rate too large" not in names(vg.diagnose(evidence(**run)))


def test_layers_that_never_move_come_before_a_rate_that_is_too_small_for_the_others() -> None:
    slow = rows(1e-5, 1e-5, layers=LAYERS)
    slow[:, -1] = 0.0
    found = vg.diagnose(evidence(**STUCK | STILL | {"update": slow}))
    assert names(found) == ["frozen", "learning rate too small"]
    assert found[0].alternatives == ("learning rate too small",)


def test_steps_of_a_usual_size_beside_small_gradients_may_mean_that_the_loss_is_flat() -> None:
    run = STUCK | STILL | {"update": rows(1e-4, 1e-4, layers=LAYERS)}
    stride = vg.diagnose(evidence(**run | {"gradient": rows(-1.5, -1.4, layers=LAYERS)}))[0]
    step = vg.diagnose(evidence(**run | {"gradient": rows(0.0, 0.1, layers=LAYERS)}))[0]
    assert stride.name == step.name == "learning rate too small"
    assert (stride.alternatives, step.alternatives) == (("saturated loss",), ())


def test_what_is_learned_of_the_training_data_alone_is_no_matter_of_the_rate() -> None:
    labels = {"loss": np.linspace(2.3, 2.05, RECORDS), "accuracy": np.full(RECORDS, 0.11)}
    slow = labels | {"update": rows(5e-4, 5e-4, layers=LAYERS)}
    assert "learning rate too small" not in names(vg.diagnose(evidence(**slow)))


def test_a_layer_that_climbs_while_others_do_not_is_found_whatever_the_loss_does() -> None:
    cosine = np.where(np.arange(LAYERS) == 2, -1.0, 1.0) * np.ones((RECORDS, 1))
    found = vg.diagnose(evidence(**STUCK, cosine=cosine))[0]
    assert (found.name, found.confidence, found.layers) == ("updates point uphill", "certain", ("layer 3",))
    later = np.where(np.arange(RECORDS)[:, None] > 0, cosine, 1.0)  # as a decay of weights whose gradient has gone
    assert "updates point uphill" not in names(vg.diagnose(evidence(**STUCK, cosine=later)))
    assert "updates point uphill" not in names(vg.diagnose(evidence(cosine=cosine)))  # it learns all the same


def test_a_loss_with_cliffs_that_comes_down_to_its_least_is_not_thrown_about() -> None:
    jumps = {"loss": np.r_[6.0, 3.0, 2.9, 40.0, 2.8, 3.5, 1.9, 1.7, 1.5], "accuracy": None}
    jumps["peak"] = np.r_[6.0, 9.0, 8.0, 700.0, 10.0, 20.0, 3.0, 2.3, 1.9]
    run = BLIND | jumps | {"gradient": np.where(np.arange(RECORDS)[:, None] == 3, 1.5, rows(-1.0, -1.2, layers=LAYERS))}
    assert names(vg.diagnose(evidence(**run))) == ["loss spike"]
    ends = run | {"loss": np.r_[jumps["loss"][:-3], 2.9, 3.0, 3.1]}
    assert vg.verdict(evidence(**ends)) == "learning rate too large"


def test_a_run_that_had_learned_before_it_was_thrown_about_may_have_met_one_bad_batch() -> None:
    thrown = BLIND | {"loss": np.r_[2.3, 0.8, 0.4, 0.3, 0.3, 0.3, 48.0, 5.6, 4.1], "accuracy": None}
    found = vg.diagnose(evidence(**thrown, weight=over_records(0.5, 1.4, 1.8)))[0]
    assert (found.name, found.alternatives) == ("learning rate too large", ("loss spike",))


def test_a_game_in_which_one_network_gets_no_gradient_is_not_one_of_too_large_steps() -> None:
    cut = np.arange(LAYERS) < 3
    layers = ("generator.w0", "generator.w1", "generator.w2", *(f"critic.w{i}" for i in range(LAYERS - 3)))
    bursts = np.where(np.arange(RECORDS) == 4, 1.5, -0.2)[:, None] * np.ones(LAYERS)
    game = BLIND | {"loss": np.r_[2.1, 2.0, 8.0, 3.0, 12.5, 4.0, 12.0, 5.0, 9.8], "chance": None, "names": layers}
    game |= {"accuracy": None}
    assert "learning rate too large" in names(vg.diagnose(evidence(**game, gradient=bursts)))
    zero, still = np.where(cut, 1.0, 0.0) * np.ones((RECORDS, 1)), np.where(cut, 0.0, 0.01) * np.ones((RECORDS, 1))
    severed = game | {"gradient": np.where(cut, -np.inf, bursts), "zero": zero, "update": still}
    found = vg.diagnose(evidence(**severed))[0]
    assert (found.name, found.alternatives) == ("frozen", ("gradients exactly zero",))


def test_steps_that_are_large_beside_a_loss_of_no_known_level_may_be_due_to_the_loss() -> None:
    loss = np.r_[80.0, 900.0, 300.0, 700.0, 200.0, 900.0, 400.0, 800.0, 500.0]
    run = BLIND | {"loss": loss, "chance": None, "accuracy": None, "input_scale": 1.0}
    run |= {"gradient": rows(3.0, 3.0, layers=LAYERS), "bias": rows(3.0, 3.0, layers=LAYERS)}
    run |= {"fan_in": rows(64.0, 64.0, layers=LAYERS)}
    found = vg.diagnose(evidence(**run, update=over_records(1.9, 0.5, 0.5)))[0]
    assert (found.name, found.alternatives[:1]) == ("learning rate too large", ("first loss too large",))


def test_small_steps_are_seen_whatever_the_first_batch_was_like() -> None:
    other = np.r_[1.9, np.full(RECORDS - 1, 2.5)]
    run = {"loss": other, "accuracy": np.full(RECORDS, 0.1), "update": rows(1e-7, 1e-7, layers=LAYERS), **STILL}
    assert vg.verdict(evidence(**run)) == "learning rate too small"


def test_a_loss_that_falls_from_equal_probabilities_by_small_steps_may_be_one_of_probabilities() -> None:
    slow = {"loss": np.linspace(2.31, 2.24, RECORDS), "accuracy": np.linspace(0.1, 0.26, RECORDS), **STILL}
    steps = {"update": rows(1e-4, 1e-4, layers=LAYERS), "gradient": rows(-1.0, -1.2, layers=LAYERS)}
    found = vg.diagnose(evidence(**slow, **steps))[0]
    assert (found.name, found.alternatives) == ("learning rate too small", ("softmax applied twice",))


def test_a_loss_that_ends_far_above_its_start_is_thrown_about_and_no_signal_vanishes() -> None:
    thrown = {"loss": np.r_[1.4, np.full(RECORDS - 1, 25.0)], "chance": 1.0, "accuracy": None}
    fades = {"signal": rows(-3.0, -1.3), "update": np.vstack([rows(5.0, 5.0, layers=LAYERS)[:4], LAGGING[4:]])}
    found = vg.diagnose(evidence(**thrown, **fades))
    assert (found.verdict, "vanishing" in names(found)) == ("learning rate too large", False)


def test_updates_that_a_jump_of_the_loss_made_small_are_not_of_a_small_rate_alone() -> None:
    jumped = {"loss": np.r_[10.0, 9e3, 50.0, np.full(RECORDS - 3, 5.4)], "accuracy": None, "chance": None}
    update = np.where(np.arange(RECORDS)[:, None] < 2, 0.01, 1e-6) * np.ones(LAYERS)
    found = vg.diagnose(evidence(**jumped, update=update))[0]
    assert (found.name, found.alternatives) == ("learning rate too small", ("loss spike", "learning rate too large"))


def test_a_game_whose_loss_rises_may_have_been_won() -> None:
    sides = tuple(f"{side}.layer{i}" for side in ("critic", "generator") for i in range(6))[:LAYERS]
    game = {"loss": np.r_[1.5, np.full(RECORDS - 1, 9.0)], "chance": None, "accuracy": None, "names": sides}
    found = vg.diagnose(evidence(**game | BLIND, update=rows(0.3, 0.3, layers=LAYERS)))[0]
    assert (found.name, found.alternatives[0]) == ("learning rate too large", "saturated loss")


def test_a_first_loss_that_is_many_times_a_constant_answers_may_be_why_weights_are_thrown_about() -> None:
    thrown = BLIND | {"weight": over_records(0.5, 2.5), "update": rows(0.8, 0.8, layers=LAYERS), "accuracy": None}
    gone = np.where(np.arange(RECORDS)[:, None] < RECORDS - 1, 1.0, -np.inf) * np.ones(LAYERS)
    loss = np.r_[18.0, 80.0, 6.0, np.full(6, 2.3026)]
    found = vg.diagnose(evidence(**thrown, loss=loss, gradient=gone))[0]
    assert (found.name, found.alternatives[0]) == ("learning rate too large", "first loss too large")


def test_a_loss_that_a_few_examples_make_large_while_answers_are_right_is_no_matter_of_the_rate() -> None:
    large = {"loss": SWINGS, "weight": over_records(0.5, 2.5), "update": rows(0.8, 0.8, layers=LAYERS)}
    assert vg.verdict(evidence(**large, accuracy=np.full(RECORDS, 0.1))) == "learning rate too large"
    assert "learning rate too large" not in names(vg.diagnose(evidence(**large)))


def test_what_runs_away_by_orderly_steps_may_feed_on_itself_or_be_followed_uphill() -> None:
    grows = {"weight": over_records(0.5, 3.5), "cosine": rows(1.0, 1.0, layers=LAYERS), "accuracy": None}
    found = vg.diagnose(evidence(**grows, loss=np.geomspace(2.3, 1e5, RECORDS)))[0]
    assert (found.name, found.alternatives) == ("learning rate too large", ("updates point uphill", "exploding"))
    assert found.confidence == "likely"
    falls_first = np.r_[2.3, 2.0, np.geomspace(3.0, 1e5, RECORDS - 2)]
    assert vg.diagnose(evidence(**grows, loss=falls_first))[0].alternatives[0] == "exploding"


def test_two_networks_that_run_away_by_orderly_steps_have_no_large_rate_for_certain() -> None:
    sides = tuple(f"{side}.layer{i}" for side in ("critic", "generator") for i in range(6))[:LAYERS]
    grows = {"weight": over_records(0.5, 3.5), "names": sides, "accuracy": None, "chance": None}
    found = vg.diagnose(evidence(**grows, loss=np.r_[1.1, 0.9, np.geomspace(1.2, 1e5, RECORDS - 2)]))[0]
    assert (found.name, found.confidence) == ("learning rate too large", "likely")
    assert (found.alternatives, "set to zero before each step" in found.suggestion) == (("saturated loss",), True)


def test_a_loss_of_no_known_level_that_rises_while_steps_are_in_order_accuses_nothing() -> None:
    bursts = np.where(np.arange(RECORDS) == 8, 1.5, -0.2)[:, None] * np.ones(LAYERS)
    weighted = {"loss": np.r_[1.0, 1.9, 2.0, 2.2, 3.0, 3.9, 5.6, 6.5, 6.4], "gradient": bursts, "accuracy": None}
    found = [vg.diagnose(evidence(**weighted, chance=chance)) for chance in (1.0, None)]
    assert ["learning rate too large" in names(each) for each in found] == [True, False]
    guesses = weighted | {"accuracy": np.full(RECORDS, 0.1), "chance": None}  # on other data
    assert "learning rate too large" in names(vg.diagnose(evidence(**guesses)))


def test_targets_that_are_far_from_unit_scale_may_be_why_steps_throw_the_weights_about() -> None:
    thrown = {"loss": 1e4 * SWINGS, "update": rows(0.5, 0.9, layers=LAYERS), "accuracy": None, "input_scale": 1.0}
    found = vg.diagnose(evidence(**thrown, chance=1e4, signal=None))[0]
    assert (found.name, found.alternatives) == ("learning rate too large", ("far from unit scale", "exploding"))


def test_large_first_steps_beside_small_weights_are_no_fault_of_two_networks_in_balance() -> None:
    sides = tuple(f"{side}.layer{i}" for side in ("critic", "generator") for i in range(6))[:LAYERS]
    game = {"names": sides, "chance": None, "accuracy": None, "update": over_records(0.7, 0.01, 0.01)}
    game |= {"weight": over_records(-0.7, 0.1, 0.2)}
    balanced, thrown = np.r_[1.9, 2.2, np.full(RECORDS - 2, 2.1)], np.r_[1.9, 9.0, np.full(RECORDS - 2, 6.0)]
    answers = [vg.diagnose(evidence(**game | BLIND, loss=loss)) for loss in (balanced, thrown)]
    assert ["learning rate too large" in names(each) for each in answers] == [False, True]


def test_a_rate_that_is_too_large_lists_units_that_died_where_nothing_gets_a_gradient_any_more() -> None:
    gone = np.where(np.arange(RECORDS)[:, None] > 6, -np.inf, rows(0.0, 0.0, layers=LAYERS))
    thrown = BLIND | {"loss": np.r_[2.3, 90.0, np.full(7, 2.31)], "update": over_records(1.0, 1e-3, 1e-3)}
    found = vg.diagnose(evidence(**STUCK | thrown, gradient=gone, input_scale=1.0, flat="unknown"))[0]
    assert (found.name, found.alternatives[0]) == ("learning rate too large", "units that died")
