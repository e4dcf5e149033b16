"""Scales at the start: of the signal, the first loss, inputs and targets."""

import numpy as np
from helpers.evidence import BLIND, DEPTH, LAYERS, RECORDS, STUCK, evidence, names, over_records, rows

import vgbench as vg


def test_an_exploding_signal_is_a_fault_only_where_little_is_learned() -> None:
    steep = {"signal": rows(4.0, -2.0)}
    assert vg.verdict(evidence(**STUCK, **steep)) == "exploding"
    assert vg.verdict(evidence(**steep)) == "nothing found"


def test_a_first_loss_far_above_the_constant_answers_names_its_causes() -> None:
    high = BLIND | {"loss": np.r_[300.0, np.full(8, 2.4)], "accuracy": None}
    answer = vg.diagnose(evidence(**high))
    assert answer.verdict == "first loss too large"
    assert answer[0].steps == (0, 0)
    assert "a sum where a mean is meant" in answer[0].meaning
    assert vg.diagnose(evidence(**high | {"signal": rows(4.0, -2.0)})).verdict == "exploding"
    over_it = high | {"loss": np.geomspace(300.0, 0.2, RECORDS)}
    assert vg.verdict(evidence(**over_it)) == "learns the training data"


def test_a_run_that_had_learned_before_a_batch_threw_it_back_began_at_no_wrong_scale() -> None:
    thrown = {"loss": np.r_[60.0, 2.0, 1.2, 1.0, 0.9, 0.9, 900.0, 4.0, 3.0], "accuracy": None}
    found = names(vg.diagnose(evidence(**BLIND | thrown, input_scale=300.0)))
    assert "loss spike" in found
    assert not {"far from unit scale", "first loss too large"} & {*found}


def test_two_networks_that_come_to_where_they_meet_got_over_a_large_first_loss() -> None:
    met = BLIND | {"loss": np.r_[80.0, 50.0, 17.0, np.full(6, 2.1)], "chance": 2.08, "accuracy": None}
    layers = {"names": ("generator.w", "critic.w", *(f"layer {i}" for i in range(LAYERS - 2)))}
    assert vg.verdict(evidence(**met)) == "first loss too large"
    assert vg.verdict(evidence(**met, **layers)) == "not enough recorded"


def test_outputs_of_unit_scale_about_targets_that_vary_little_are_no_fault() -> None:
    small = BLIND | {"loss": np.r_[1.2, np.full(8, 0.17)], "chance": 1 / 6, "accuracy": None}
    assert vg.verdict(evidence(**small)) == "constant answer"
    shaking = small | {"update": over_records(0.3, 0.01)}
    assert vg.verdict(evidence(**shaking)) == "first loss too large"


def test_without_the_constant_answer_it_takes_a_second_sign() -> None:
    run = BLIND | {"loss": np.geomspace(300.0, 2.4, RECORDS), "accuracy": None, "chance": None}
    assert vg.verdict(evidence(**run)) == "not enough recorded"
    grown = run | {"weight": over_records(0.5, 3.0)}
    assert vg.verdict(evidence(**grown)) == "first loss too large"


def test_inputs_and_targets_far_from_unit_scale_are_named() -> None:
    assert vg.verdict(evidence(**STUCK, input_scale=255.0, scale=rows(2.4, 2.4))) == "far from unit scale"
    assert vg.verdict(evidence(**STUCK, input_scale=1e-4, scale=rows(-4.0, -4.0))) == "far from unit scale"
    assert vg.verdict(evidence(input_scale=255.0, scale=rows(2.4, 2.4))) == "nothing found"


def test_inputs_far_from_unit_scale_are_named_where_a_run_rests_halfway() -> None:
    far = BLIND | {"input_scale": 255.0, "scale": rows(2.4, 2.4), "accuracy": np.full(RECORDS, 0.6)}
    answer = vg.diagnose(evidence(**far | {"loss": np.r_[2.3, 1.6, 1.2, np.full(6, 1.0)]}))
    assert answer.verdict == "far from unit scale"
    assert answer[0].confidence == "possible"
    falling = far | {"loss": np.linspace(2.3, 1.0, RECORDS)}
    assert "far from unit scale" not in names(vg.diagnose(evidence(**falling)))


def test_inputs_that_the_first_layer_sees_at_unit_scale_are_scaled_by_the_model() -> None:
    inside = STUCK | {"input_scale": 255.0, "flat": "both"}
    assert vg.verdict(evidence(**inside)) == "constant answer"
    assert vg.verdict(evidence(**inside, saturated=rows(0.9, 0.1))) == "far from unit scale"  # as a tanh shows them
    assert vg.verdict(evidence(**inside | BLIND)) == "far from unit scale"


def test_a_density_far_above_one_has_no_scale_to_be_held_against() -> None:
    falls = {"loss": np.linspace(-51.0, -69.0, RECORDS), "chance": -53.4, "accuracy": None}
    flat = {"flat": "both", "saturated": rows(0.9, 0.9)}
    assert vg.verdict(evidence(**falls | flat)) == "not enough recorded"
    assert vg.verdict(evidence(**falls | flat | {"loss": np.full(RECORDS, -52.0)})) == "saturation"


def test_the_loss_of_scores_begins_near_the_logarithm_of_their_number() -> None:
    high = BLIND | {"loss": np.geomspace(32.0, 2.6, RECORDS), "accuracy": None}
    assert vg.verdict(evidence(**high, chance=float(np.log(15)))) == "first loss too large"
    squares = vg.diagnose(evidence(**high, chance=2.75))[0]  # as of targets around ten, while it still comes down
    assert (squares.name, squares.confidence) == ("first loss too large", "possible")
    rests = high | {"loss": np.r_[np.geomspace(32.0, 2.6, RECORDS - 5), np.full(5, 2.6)]}
    assert vg.verdict(evidence(**rests, chance=2.75)) != "first loss too large"


def test_a_loss_of_no_known_level_that_stays_thousands_of_times_too_high_began_so() -> None:
    waves = BLIND | {"loss": np.geomspace(8.2e5, 2.1e5, RECORDS), "chance": None, "accuracy": None}
    found = vg.diagnose(evidence(**waves))[0]
    assert (found.name, found.alternatives[0]) == ("first loss too large", "far from unit scale")
    down = waves | {"loss": np.geomspace(8.2e5, 90.0, RECORDS)}  # as of an equation with a large forcing
    assert vg.verdict(evidence(**down)) == "not enough recorded"


def test_a_loss_that_came_down_to_the_constant_answer_may_have_begun_anywhere() -> None:
    came = {"loss": np.r_[10.5, 1.9, 0.8, np.full(6, 0.54)], "chance": 0.517, "accuracy": None}
    found = vg.diagnose(evidence(**came, signal=rows(0.2, -1.6)))[0]  # nor is a gain of two decades to blame
    assert (found.name, found.alternatives) == ("first loss too large", ("constant answer",))
    above = came | {"loss": np.r_[10.5, 8.0, 7.0, np.full(6, 6.0)]}
    assert vg.verdict(evidence(**above, signal=rows(0.2, -1.6))) == "exploding"


def test_a_first_loss_does_not_explain_why_no_weight_gets_a_gradient_any_more() -> None:
    shaking = BLIND | {"loss": np.full(RECORDS, 34.5), "accuracy": None, "update": over_records(0.3, 0.01)}
    assert vg.verdict(evidence(**shaking)) == "first loss too large"
    gone = np.where(np.arange(RECORDS)[:, None] > 3, -np.inf, rows(-1.0, -1.2, layers=LAYERS))
    assert vg.verdict(evidence(**shaking, gradient=gone)) == "learning rate too large"


def test_targets_far_from_outputs_are_told_from_a_loss_that_is_a_sum() -> None:
    prices = BLIND | {"loss": np.linspace(7e10, 6e10, RECORDS), "chance": 1e10, "accuracy": None}
    outputs = np.log10(2 * 7e10**0.5)  # by a bias of the outputs, of the square of an error that examples share
    shifted = prices | {"bias": rows(outputs - 1, outputs, layers=LAYERS)}
    assert vg.verdict(evidence(**shifted)) == "far from unit scale"
    summed = prices | {"bias": rows(10.0, 11.0, layers=LAYERS)}
    assert vg.verdict(evidence(**summed)) != "far from unit scale"
    assert vg.verdict(evidence(**prices)) != "far from unit scale"
    spread = shifted | {"loss": np.full(RECORDS, 1.5e10)}  # about outputs in their midst
    assert vg.verdict(evidence(**spread)) == "far from unit scale"
    reached = shifted | {"gradient": over_records(1.0, -3.0)}
    assert vg.verdict(evidence(**reached)) != "far from unit scale"


def test_a_large_first_loss_and_large_first_steps_are_not_told_apart_without_the_constant_answer() -> None:
    throws = {"update": rows(0.5, 0.5, layers=LAYERS), "loss": np.r_[900.0, 4e7, np.full(7, np.nan)]}
    run = BLIND | throws | {"chance": None, "accuracy": None, "nonfinite_loss": np.arange(RECORDS) > 1}
    found = vg.diagnose(evidence(**run, peak=throws["loss"]))[0]
    others = "far from unit scale", "learning rate too large"
    assert (found.name, found.alternatives) == ("first loss too large", others)


def test_inputs_that_the_model_scales_once_more_are_judged_as_its_first_layer_sees_them() -> None:
    layers = {"bias": rows(-1.0, -1.0, layers=LAYERS), "fan_in": rows(64.0, 64.0, layers=LAYERS)}
    names_of = {"names": tuple(f"layer{i}" for i in range(LAYERS)), "gradient": layers["bias"] + np.log10(8e-3)}
    assert vg.verdict(evidence(**STUCK | layers | names_of, input_scale=0.4)) == "far from unit scale"


def test_weights_gradients_that_grow_towards_the_input_are_suspected() -> None:
    run = STUCK | BLIND | {"gradient": rows(4.0, -1.0, layers=LAYERS)}
    assert vg.diagnose(evidence(**run))[0].confidence == "possible"
    assert names(vg.diagnose(evidence(**run)))[0] == "exploding"


def test_the_size_of_inputs_is_judged_by_the_first_layers_gradients_where_it_was_not_recorded() -> None:
    layers = {"bias": rows(-1.0, -1.0, layers=LAYERS), "fan_in": rows(64.0, 64.0, layers=LAYERS)}
    blind = BLIND | layers | {"names": tuple(f"layer{i}" for i in range(LAYERS))}
    large = blind | {"gradient": layers["bias"] + np.log10(8 * 255.0)}
    found = vg.diagnose(evidence(**STUCK | large))[0]
    assert (found.name, found.confidence) == ("far from unit scale", "possible")
    small = blind | {"gradient": layers["bias"] + np.log10(8e-3)}
    assert vg.verdict(evidence(**STUCK | small)) == "far from unit scale"
    assert vg.verdict(evidence(**large)) == "nothing found"


def test_gradients_of_biases_that_grow_towards_the_input_are_suspected() -> None:
    grows = BLIND | {"bias": rows(3.0, -2.0, layers=LAYERS), "names": tuple(f"layer{i}" for i in range(LAYERS))}
    assert vg.diagnose(evidence(**STUCK | grows))[0].name == "exploding"


def test_a_first_loss_beyond_all_measure_may_be_of_signals_that_explode_if_nobody_looked_at_them() -> None:
    high = BLIND | {"loss": np.full(RECORDS, 1e9), "accuracy": None}
    blind = vg.diagnose(evidence(**high))[0]
    assert (blind.name, blind.alternatives) == ("first loss too large", ("exploding", "far from unit scale"))
    seen = vg.diagnose(evidence(**high | {"signal": rows(-2.0, -2.1)}, input_scale=1.0))[0]
    assert (seen.name, seen.alternatives) == ("first loss too large", ())


def test_a_game_whose_loss_comes_down_from_far_has_no_saturated_loss() -> None:
    play = ("generator.w", "critic.w", *(f"generator {i}" for i in range(LAYERS - 2)))
    falls = {"loss": np.logspace(8, 4, RECORDS), "gradient": over_records(8.0, 4.0), "names": play}
    run = evidence(**BLIND, **falls, chance=None, accuracy=None)
    found = vg.diagnose(run)
    assert found.verdict == "first loss too large"
    assert "saturated loss" not in names(found)


def test_a_first_layer_that_gets_nothing_beside_its_bias_is_saturated_by_inputs_that_are_large() -> None:
    bias, fan_in = rows(-1.0, -1.0, layers=LAYERS), rows(1.0, 1.0, layers=LAYERS)
    gradient = np.tile(np.where(np.arange(LAYERS) == 0, -5.0, -1.0), (RECORDS, 1))
    line = BLIND | {
        "flat": "unknown",
        "loss": np.geomspace(30, 0.1, RECORDS),
        "chance": None,
        "accuracy": None,
        "bias": bias,
    }
    found = vg.diagnose(evidence(**line, fan_in=fan_in, gradient=gradient))[0]
    assert (found.name, found.alternatives) == ("far from unit scale", ("saturation",))
    seen = line | {"input_scale": 1.0}
    assert vg.verdict(evidence(**seen, fan_in=fan_in, gradient=gradient)) == "not enough recorded"
    zero = np.full((RECORDS, LAYERS), -5.0)  # as at an input of zero, which no layer gets anything at
    assert vg.verdict(evidence(**line, fan_in=fan_in, gradient=zero)) == "not enough recorded"


def test_a_first_layer_whose_inputs_look_large_beside_the_next_ones_is_found_in_one_of_two_networks() -> None:
    names_of = ("critic.layer0", "critic.layer1", "critic.layer2", *(f"policy.layer{i}" for i in range(LAYERS - 3)))
    gradient = np.tile(np.where(np.arange(LAYERS) == 0, 1.2, -1.0), (RECORDS, 1))
    both = STUCK | BLIND | {"names": names_of, "bias": rows(-1.0, -1.0, layers=LAYERS), "gradient": gradient}
    assert vg.verdict(evidence(**both, fan_in=rows(1.0, 1.0, layers=LAYERS))) == "far from unit scale"


def test_outputs_that_lie_far_from_what_is_asked_for_show_without_a_level() -> None:
    heat = BLIND | {"loss": np.geomspace(3.3e4, 2.2e4, RECORDS), "chance": None, "accuracy": None}
    bias = rows(1.8, 1.8, layers=LAYERS)
    assert vg.verdict(evidence(**heat, bias=bias)) == "far from unit scale"
    assert vg.verdict(evidence(**heat, bias=bias + 1)) == "not enough recorded"  # the loss may be a sum of noise
    falls = heat | {"loss": np.geomspace(3.3e4, 1e3, RECORDS)}
    assert vg.verdict(evidence(**falls, bias=bias)) == "not enough recorded"


def test_inputs_that_are_large_if_not_far_from_one_count_where_they_flatten_the_first_layer() -> None:
    ends = {"flat": "both", "loss": np.geomspace(90, 0.5, RECORDS), "chance": None, "accuracy": None, "dead": None}
    flattened = np.where(np.arange(DEPTH) == 0, 0.85, 0.1) * np.ones((RECORDS, 1))
    assert vg.verdict(evidence(**ends, input_scale=25.0, saturated=flattened)) == "far from unit scale"
    assert vg.verdict(evidence(**ends, input_scale=25.0, saturated=rows(0.1, 0.1))) == "not enough recorded"
    assert vg.verdict(evidence(**ends, input_scale=1.0, saturated=flattened)) == "not enough recorded"


def test_a_large_first_loss_with_hardly_a_gradient_lies_on_a_flat_end() -> None:
    flat = STUCK | BLIND | {"loss": np.full(RECORDS, 60.0), "flat": "unknown"}
    small = vg.diagnose(evidence(**flat, gradient=rows(-6.0, -5.0, layers=LAYERS)))[0]
    assert (small.name, small.alternatives) == ("first loss too large", ("saturated loss", "saturation"))
    decays = vg.diagnose(evidence(**flat, weight=over_records(0.5, -1.0)))[0]
    assert "vanishing in training" in decays.alternatives
