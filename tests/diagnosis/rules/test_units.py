"""Units that are dead, have died, or are saturated; signals that have become one; attention that is one-hot."""

import numpy as np
from helpers.evidence import BLIND, LAYERS, RECORDS, STUCK, evidence, names, over_records, rows

import vgbench as vg

LATE = np.arange(RECORDS)[:, None] >= 3


def test_units_born_dead_and_units_that_died_get_advice_that_fits() -> None:
    born = vg.diagnose(evidence(**STUCK, dead=rows(0.95, 0.95)))[0]
    died = vg.diagnose(evidence(**STUCK, dead=np.where(LATE, rows(0.95, 0.95), 0.1)))[0]
    assert (born.name, died.name) == ("dead units", "units that died")
    assert "biases that start at zero" in born.suggestion
    assert "learning rate ten times smaller" in died.suggestion
    assert died.steps == (75, 200)


def test_gradients_that_became_exactly_zero_tell_of_units_that_died_if_a_bias_has_one() -> None:
    gradient = np.where(LATE, -np.inf, rows(-1.0, -1.2, layers=LAYERS))
    zero = np.where(LATE, 1.0, 0.1) * np.ones(LAYERS)
    run = STUCK | BLIND | {"gradient": gradient, "zero": zero}
    found = vg.diagnose(evidence(**run))[0]  # a flat loss looks the same where biases were not recorded
    assert (found.name, found.alternatives) == ("constant answer", ("units that died", "collapse"))
    output = np.where(np.arange(LAYERS) == LAYERS - 1, -1.0, gradient)
    assert vg.verdict(evidence(**run, bias=output)) == "units that died"
    assert vg.diagnose(evidence(**run, bias=gradient))[0].alternatives == ("units that died", "collapse")
    done = run | {"loss": np.r_[2.3, 1.0, 0.1, np.zeros(6)], "accuracy": np.linspace(0.1, 0.99, RECORDS)}
    assert vg.verdict(evidence(**done)) == "converged"


def test_units_that_died_of_large_steps_are_reported_with_the_rate_and_never_with_one_too_small() -> None:
    pace = over_records(1.0, 1e-9, 1e-9)
    run = STUCK | {
        "dead": np.where(LATE, rows(0.95, 0.95), 0.1),
        "update": pace,
        "weight": over_records(0.5, 1.9),
        "loss": np.r_[2.3, 24.0, np.full(7, 2.31)],
    }
    assert names(vg.diagnose(evidence(**run))) == ["learning rate too large", "units that died"]


def test_layers_without_an_activation_are_neither_counted_nor_named() -> None:
    unknown = np.full((RECORDS, 1), np.nan)
    dead = np.hstack([unknown, np.where(np.arange(9) == 3, 1.0, 0.1) * np.ones((RECORDS, 9))])
    saturated = np.hstack([unknown, rows(0.9, 0.9)[:, 1:]])
    assert vg.diagnose(evidence(**STUCK, dead=dead))[0].layers == ("layer 5",)
    assert vg.diagnose(evidence(**STUCK, flat="both", saturated=saturated))[0].layers[0] == "layer 2"


def test_saturation_is_seen_wherever_it_begins() -> None:
    later = np.where(LATE, rows(0.9, 0.9), 0.2)
    finding = vg.diagnose(evidence(**STUCK, flat="both", saturated=later))[0]
    assert (finding.name, finding.steps[0]) == ("saturation", 75)
    assert "saturation" not in names(vg.diagnose(evidence(**STUCK, flat="below", saturated=later)))


def test_one_layer_that_is_flat_from_the_start_lets_nothing_pass_whatever_the_others_are() -> None:
    last = np.arange(10) == 9
    actor = STUCK | {"bounded": last, "saturated": np.where(last, 0.99, 0.4) * np.ones((RECORDS, 1))}
    found = vg.diagnose(evidence(**actor))[0]  # rectifiers, and a tanh at last
    assert (found.name, found.layers) == ("saturation", ("layer 10",))
    sure_later = actor | {"saturated": np.where(LATE & last, 0.99, 0.4)}
    assert "saturation" not in names(vg.diagnose(evidence(**sure_later)))
    wrong_later = sure_later | {"loss": np.r_[9.0, np.full(8, 6.9)]}  # above the constant answer's, so not since right
    assert vg.verdict(evidence(**wrong_later)) == "saturation"
    assert "saturation" not in names(vg.diagnose(evidence(**actor | {"bounded": ~last})))


def test_a_tenth_of_the_loss_that_is_gone_silences_no_rule() -> None:
    little = {"loss": np.linspace(2.3, 1.9, RECORDS), "accuracy": np.linspace(0.1, 0.28, RECORDS)}
    assert vg.verdict(evidence(**little, dead=rows(0.95, 0.95))) == "dead units"
    assert vg.verdict(evidence(**little, flat="both", saturated=rows(0.9, 0.9))) == "saturation"
    assert vg.verdict(evidence(**little, distance=rows(-0.1, -9.0))) == "collapse"


def test_attention_scores_that_are_large_where_it_learns_are_no_fault() -> None:
    scores = over_records(3.0, 400.0, layers=10)
    assert vg.verdict(evidence(**STUCK, largest_logit=scores)) == "attention logits grow"
    done = {"loss": np.linspace(2.3, 0.1, RECORDS), "accuracy": np.linspace(0.1, 0.99, RECORDS)}
    assert names(vg.diagnose(evidence(**done, largest_logit=scores))) == ["converged"]


def test_weights_without_a_gradient_whose_bias_has_one_tell_of_dead_units_before_them() -> None:
    bias, layer = rows(-1.0, -1.0, layers=LAYERS), np.arange(LAYERS) == 6
    cut = {"gradient": np.where(layer, -np.inf, -1.0) * np.ones((RECORDS, 1)), "bias": bias}
    born = vg.diagnose(evidence(**STUCK | BLIND | cut))[0]
    assert (born.name, born.layers) == ("dead units", ("layer 7",))
    later = cut | {"gradient": np.where(layer & LATE, -np.inf, -1.0)}
    assert vg.verdict(evidence(**STUCK | BLIND | later)) == "units that died"
    assert vg.verdict(evidence(**BLIND | cut)) == "nothing found"  # it learns
    at_last = np.where(np.arange(LAYERS) < LAYERS - 1, -np.inf, bias)
    everywhere = {"gradient": np.full((RECORDS, LAYERS), -np.inf), "bias": at_last}
    found = vg.diagnose(evidence(**STUCK | BLIND | everywhere))[0]  # whatever it is that gives no gradient
    assert (found.name, found.alternatives) == ("gradients exactly zero", ("dead units",))


def test_units_that_died_where_the_signal_had_vanished_before_are_no_cause() -> None:
    names_of = {"names": tuple(f"layer{i}" for i in range(LAYERS))}
    dying = {"gradient": np.where((np.arange(LAYERS) == 6) & LATE, -np.inf, -3.0), **names_of}
    slow = {"update": np.tile(np.logspace(-8, -3, LAYERS), (RECORDS, 1))}
    arrives = {"bias": rows(-1.0, -1.0, layers=LAYERS)}
    assert vg.verdict(evidence(**STUCK | BLIND | dying | slow | arrives)) == "units that died"
    vanishes = {"bias": rows(-6.0, -1.0, layers=LAYERS)}
    assert vg.verdict(evidence(**STUCK | BLIND | dying | slow | vanishes)) == "vanishing"


def test_queries_and_keys_that_grow_tell_of_attention_where_no_score_was_recorded() -> None:
    layers = tuple(f"block{i}.{part}.w" for i in range(2) for part in ("q", "k", "v", "up", "down", "out"))[:LAYERS]
    grows = np.asarray([".q." in name or ".k." in name for name in layers])
    weight = over_records(0.5, 0.6) + np.where(grows, np.linspace(0, 1.5, RECORDS)[:, None], 0.0)
    found = vg.diagnose(evidence(**STUCK | BLIND, names=layers, weight=weight))[0]
    assert (found.name, found.alternatives) == ("attention logits grow", ("learning rate too large",))
    assert found.layers == tuple(name for name, grown in zip(layers, grows, strict=True) if grown)
    queries_alone = np.where(np.asarray([".k." in name for name in layers]), over_records(0.5, 0.6), weight)
    assert "attention logits grow" not in names(
        vg.diagnose(evidence(**STUCK | BLIND, names=layers, weight=queries_alone))
    )


def test_units_are_not_judged_behind_the_first_number_that_is_not_finite() -> None:
    broken = {"dead": np.where(LATE, rows(1.0, 1.0), 0.1), "nonfinite_loss": LATE[:, 0]}
    assert "units that died" not in names(vg.diagnose(evidence(**STUCK | broken)))


def test_units_that_saturate_as_weights_grow_by_decades_come_behind_what_made_them_grow() -> None:
    late = STUCK | {"flat": "both", "saturated": np.where(LATE, rows(0.9, 0.95), 0.1)}
    grown = late | {"weight": over_records(0.5, 2.5), "update": rows(0.4, 0.4, layers=LAYERS)}
    assert names(vg.diagnose(evidence(**grown))) == ["learning rate too large", "saturation"]
    assert names(vg.diagnose(evidence(**late)))[0] == "saturation"


def test_a_place_that_gives_the_same_for_every_input_is_a_collapse_and_no_signal_that_vanishes() -> None:
    scale, signal = rows(0.0, 0.1), rows(-2.0, -2.1)
    scale[:, -1] = -7.0
    signal[:, :-1] = -9.0
    found = vg.diagnose(evidence(**STUCK, scale=scale, signal=signal))[0]
    assert (found.name, found.layers) == ("collapse", ("layer 10",))


def test_inputs_that_become_one_where_the_signal_vanishes_come_with_it() -> None:
    small = {"signal": rows(-9.0, -2.0), "update": np.tile(np.logspace(-8, -2, LAYERS), (RECORDS, 1))}
    found = vg.diagnose(evidence(**STUCK, distance=rows(-0.1, -9.0), **small))[0]
    assert (found.name, found.alternatives) == ("collapse", ("vanishing",))
    assert vg.diagnose(evidence(**STUCK, distance=rows(-0.1, -9.0)))[0].alternatives == ()


def test_a_signal_that_vanishes_in_training_where_inputs_become_one_may_be_a_collapse() -> None:
    merged = np.where(LATE, rows(-0.1, -9.0), rows(-0.1, -0.5))
    signal = np.where(LATE, rows(-9.0, -2.0), rows(-2.0, -2.1))
    found = vg.diagnose(evidence(**STUCK, distance=merged, signal=signal))[0]
    assert (found.name, found.alternatives) == ("vanishing in training", ("collapse", "constant answer"))


def test_units_that_idle_as_a_constant_answer_is_learned_are_not_why_it_is() -> None:
    came = {"loss": np.r_[4.0, 2.6, np.full(RECORDS - 2, 2.3)], "accuracy": np.full(RECORDS, 0.1)}
    dying = np.where(LATE, rows(0.1, 0.9), 0.1)
    found = vg.diagnose(evidence(**came, dead=dying))[0]
    assert (found.name, "units that died" in found.alternatives) == ("constant answer", True)
    gone = np.where(LATE, -np.inf, rows(-1.0, -1.2, layers=LAYERS))  # nothing is left that could bring it down
    assert vg.verdict(evidence(**came, dead=dying, gradient=gone)) == "units that died"
    thrown = over_records(1.0, 1e-3, 1e-3)
    assert vg.verdict(evidence(**came, dead=dying, update=thrown)) == "learning rate too large"


def test_weights_that_grew_while_units_came_to_their_ends_stand_before_them() -> None:
    ends = STUCK | {"flat": "both", "saturated": np.where(LATE, rows(0.9, 0.95), 0.1)}
    one = np.where(np.arange(LAYERS) == 3, over_records(0.5, 1.9, 1.9), over_records(0.5, 0.6))
    found = vg.diagnose(evidence(**ends, weight=one))[0]
    assert (found.name, found.alternatives) == ("learning rate too large", ("saturation", "constant answer"))


HEADS = ("block0.q", "block0.k", "block0.v", *(f"block0.layer{i}" for i in range(LAYERS - 3)))


def test_queries_and_keys_that_get_no_gradient_any_more_are_behind_a_softmax_that_is_one_hot() -> None:
    gradient = np.where((np.arange(LAYERS) < 2) & LATE, -6.5, rows(-1.0, -1.2, layers=LAYERS))
    part = BLIND | {"names": HEADS, "loss": np.linspace(2.3, 1.5, RECORDS), "accuracy": None}  # it learns a part
    found = vg.diagnose(evidence(**part, gradient=gradient))[0]
    assert (found.name, found.alternatives) == ("attention logits grow", ("learning rate too large", "collapse"))
    assert "attention logits grow" not in names(vg.diagnose(evidence(**part)))


def test_a_constant_answer_may_be_of_scores_whose_weights_grew() -> None:
    weight = np.where(np.arange(LAYERS) == 0, over_records(0.0, 1.1), over_records(0.5, 0.6))
    found = vg.diagnose(evidence(**STUCK | BLIND | {"names": HEADS, "weight": weight}))[0]
    assert (found.name, found.alternatives) == (
        "constant answer",
        ("attention logits grow", "learning rate too large"),
    )


def test_signals_that_become_one_in_training_are_a_collapse_where_the_loss_has_no_level() -> None:
    distance = np.where((np.arange(10) == 9) & LATE, -6.0, -0.3)
    game = {"loss": np.r_[2.4, 2.6, np.full(RECORDS - 2, 2.1)], "chance": None, "accuracy": None}
    found = vg.diagnose(evidence(**game, distance=distance))[0]
    assert (found.name, found.layers) == ("collapse", ("layer 10",))
    sure = np.where((np.arange(10) == 9) & LATE, 1.0, 0.4)  # all on one flat end
    assert "collapse" not in names(vg.diagnose(evidence(**game, distance=distance, saturated=sure, flat="both")))


def test_views_of_one_input_that_become_one_answer_reach_the_least_that_a_cosine_has() -> None:
    views = {"loss": np.r_[-0.2, -0.5, -0.8, -0.95, np.full(RECORDS - 4, -0.995)], "chance": None, "accuracy": None}
    drawn, gone = over_records(-0.5, -1.3, layers=10), over_records(-1.0, -3.0)
    found = vg.diagnose(evidence(**views, distance=drawn))[0]
    assert (found.name, found.confidence) == ("collapse", "likely")
    kept = evidence(**views, distance=over_records(-0.2, -0.2, layers=10), gradient=gone)
    assert vg.verdict(kept) == "not enough recorded"
    found = vg.diagnose(evidence(**views | BLIND, gradient=gone))[0]  # nothing is left to be drawn together
    assert (found.name, found.confidence) == ("collapse", "possible")
    assert vg.verdict(evidence(**views | BLIND)) == "not enough recorded"  # as a return of nearly one
    apart = views | {"loss": views["loss"] + 0.07}
    assert vg.verdict(evidence(**apart, distance=drawn)) == "not enough recorded"


def test_embeddings_that_shrink_to_nothing_have_collapsed_whatever_their_directions_are() -> None:
    pairs = {"loss": np.geomspace(2.6, 1e-9, RECORDS), "chance": None, "accuracy": None}
    assert vg.verdict(evidence(**pairs, scale=over_records(0.0, -6.0, layers=10))) == "collapse"
    assert vg.verdict(evidence(**pairs)) == "not enough recorded"  # what was asked for, for all that is known


def test_an_encoder_that_its_decoder_lets_go_of_gives_codes_that_say_little() -> None:
    both = tuple(f"{part}.layer{i}" for part in ("encoder", "decoder") for i in range(6))[:LAYERS]
    rests = {"loss": np.r_[3.2, 1.2, 0.6, np.full(RECORDS - 3, 0.52)], "chance": None, "accuracy": None}
    let = np.where(np.arange(LAYERS) < 6, over_records(0.5, -1.7), over_records(-0.5, -1.1))
    found = vg.diagnose(evidence(**rests | BLIND, names=both, gradient=let))[0]
    assert (found.name, found.alternatives) == ("collapse", ("vanishing",))
    assert vg.verdict(evidence(**rests | BLIND, names=both, gradient=over_records(0.5, -1.7))) == "not enough recorded"
    learns = {"loss": np.r_[3.2, 1.2, 0.6, np.full(RECORDS - 3, 0.52)], "chance": 1.5, "accuracy": None}
    assert "collapse" not in names(vg.diagnose(evidence(**learns | BLIND, names=both, gradient=let)))


def test_queries_and_keys_whose_gradients_stay_behind_leave_scores_that_grew_to_be_doubted() -> None:
    heads = ("q", "k", *(f"layer{i}" for i in range(LAYERS - 2)))
    behind = np.where(np.arange(LAYERS) < 2, -2.6, -1.1) * np.ones((RECORDS, 1))
    stuck = BLIND | {"loss": np.full(RECORDS, 2.31), "accuracy": None, "names": heads, "gradient": behind}
    assert vg.diagnose(evidence(**stuck))[0].alternatives[0] == "attention logits grow"
    far = stuck | {"gradient": np.where(np.arange(LAYERS) < 2, -3.6, -1.1) * np.ones((RECORDS, 1))}
    assert vg.verdict(evidence(**far)) == "attention logits grow"


def test_inputs_that_are_all_zero_are_one_for_the_network_whatever_dies_of_it() -> None:
    fed = np.where(np.arange(LAYERS) == 0, -np.inf, rows(-1.0, -1.2, layers=LAYERS))
    dies = STUCK | {"gradient": fed, "bias": rows(-1.0, -1.0, layers=LAYERS), "dead": over_records(0.5, 1.0, layers=10)}
    found = vg.diagnose(evidence(**dies, distance=np.full((RECORDS, 10), -np.inf)))[0]
    assert (found.name, found.layers) == ("collapse", ("layer 1",))
    assert "whether inputs still differ" in found.suggestion
    assert "units that died" not in names(vg.diagnose(evidence(**dies, distance=None)))


def test_an_output_that_lies_wholly_on_a_flat_end_has_not_collapsed() -> None:
    rests = {"loss": np.r_[0.9, np.full(RECORDS - 1, 0.5)], "chance": None, "accuracy": None}
    rests |= {"distance": over_records(-0.4, -7.0, layers=10), "saturated": over_records(0.0, 1.0, layers=10)}
    answers = [vg.diagnose(evidence(**rests, bounded=np.full(10, flat))) for flat in (False, True)]
    assert ["collapse" in names(each) for each in answers] == [True, False]
    assert ["activations are not saturated" in each.judged for each in answers] == [True, False]


def test_signals_that_come_down_from_far_have_not_become_one() -> None:
    rests = {"loss": np.r_[900.0, 30.0, np.full(RECORDS - 2, 11.0)], "chance": None, "accuracy": None}
    down, gone = (over_records(first, last, layers=10) for first, last in ((3.0, 0.5), (0.0, -2.5)))
    found = [vg.diagnose(evidence(**rests, scale=scale, distance=rows(-0.1, -0.1))) for scale in (down, gone)]
    assert ["collapse" in names(each) for each in found] == [False, True]


def test_a_state_that_is_never_handed_on_is_no_dead_unit() -> None:
    none = np.where(np.arange(LAYERS) == 1, -np.inf, rows(-1.0, -1.2, layers=LAYERS))
    zero = BLIND | {"gradient": none, "flat": "unknown"}
    zero |= STUCK | {"bias": rows(-1.0, -1.0, layers=LAYERS)}
    others = tuple(f"layer {i}" for i in range(3, LAYERS + 1))
    found = [vg.diagnose(evidence(**zero, names=("layer 1", name, *others))) for name in ("layer 2", "cell.w")]
    assert ["dead units" in names(each) for each in found] == [True, False]
