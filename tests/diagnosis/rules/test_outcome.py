"""What became of a run: nothing, by heart, a spike, a target, all of it."""

import numpy as np
import pytest
from helpers.evidence import BLIND, LAYERS, RECORDS, STUCK, evidence, names, over_records, rows

import vgbench as vg


def test_the_constant_answer_is_reported_with_what_to_look_at_and_more_surely_where_the_signal_is_known() -> None:
    seen, blind = (vg.diagnose(evidence(**STUCK | more)) for more in ({}, BLIND))
    assert seen.verdict == blind.verdict == "constant answer"
    assert (seen[0].confidence, blind[0].confidence) == ("likely", "possible")
    assert "broadcast" in seen[0].suggestion
    assert blind[0].suggestion.startswith("record the signal first")


def test_an_accuracy_that_jumps_about_that_of_chance_is_nothing_that_was_learned() -> None:
    jumps = {"accuracy": np.r_[0.52, 0.5, 0.45, 0.3, 0.49, 0.29, 0.44, 0.53, 0.71], "chance_accuracy": 0.5}
    loss = 0.7 + 0.01 * (-1.0) ** np.arange(RECORDS)
    assert vg.verdict(evidence(**jumps, loss=loss, chance=0.693)) == "constant answer"


def test_the_constant_answer_names_what_looks_the_same_where_no_signal_was_recorded() -> None:
    blind, seen = (vg.diagnose(evidence(**STUCK | more))[0] for more in (BLIND, {}))
    assert (blind.alternatives, seen.alternatives) == (("vanishing", "collapse"), ())
    assert "it may also be vanishing or collapse" in str(blind)
    cut = rows(-2.0, -2.1)
    cut[:, :3] = -np.inf
    assert vg.diagnose(evidence(**STUCK, signal=cut))[0].alternatives == ()  # cut off is no vanishing


def test_a_loss_on_its_way_down_or_two_networks_at_play_are_at_no_constant_answer() -> None:
    passing = {"loss": np.linspace(3.3, 2.2, RECORDS), "accuracy": None}
    assert vg.verdict(evidence(**passing)) == "not enough recorded"
    play = {"names": ("generator.w", "discriminator.w", *(f"layer {i}" for i in range(LAYERS - 2)))}
    assert vg.verdict(evidence(**STUCK | {"accuracy": None}, **play)) == "not enough recorded"


def test_the_constant_answer_takes_weights_that_move_in_most_layers() -> None:
    alone = BLIND | {"moved": None, "update": np.where(np.arange(LAYERS) == 10, 0.01, 1e-5) * np.ones((RECORDS, 1))}
    assert vg.verdict(evidence(**STUCK, **alone)) != "constant answer"


def test_labels_are_doubted_where_a_layer_has_moved_and_not_where_none_has() -> None:
    moved = np.tile(np.linspace(0.001, 0.2, LAYERS), (RECORDS, 1))
    assert vg.verdict(evidence(**STUCK, moved=moved)) == "constant answer"
    assert vg.verdict(evidence(**STUCK, moved=moved / 20)) == "not enough recorded"


def test_validation_decides_over_the_training_loss() -> None:
    fell = {"loss": np.linspace(2.3, 0.1, RECORDS)}
    unseen = vg.diagnose(evidence(**fell, accuracy=None))
    assert unseen.verdict == "learns the training data"
    rising = {"accuracy": None, "validation_loss": np.linspace(2.3, 2.6, RECORDS)}
    for others in ({"accuracy": np.full(RECORDS, 0.11)}, rising):
        (found,) = vg.diagnose(evidence(**fell, **others))
        assert found.name == "learns the training data"
        assert "no better than by a constant" in found.meaning
        assert found.meaning != unseen[0].meaning
        assert "it holds for other data" not in vg.diagnose(evidence(**fell, **others)).judged


@pytest.mark.parametrize("right", [0.25, 0.0], ids=["as a guess", "less often than a guess"])
def test_answers_of_which_nothing_holds_for_other_data_name_no_cause(right: float) -> None:
    # Learned by heart, inputs that give the answer away, other labels and other classes leave the same.
    gone = {"loss": np.r_[1.4, 0.1, np.full(7, 1e-4)], "chance": float(np.log(4)), "chance_accuracy": 0.25}
    assert names(vg.diagnose(evidence(**gone, accuracy=np.full(RECORDS, right)))) == ["learns the training data"]


def test_little_above_the_share_of_a_common_class_is_much() -> None:
    rare = {"loss": np.linspace(0.6, 0.04, RECORDS), "chance": 0.325, "chance_accuracy": 0.9}
    assert vg.verdict(evidence(**rare, accuracy=np.r_[0.6, np.full(8, 0.97)])) == "nothing found"
    assert vg.verdict(evidence(**rare, accuracy=np.full(RECORDS, 0.91))) == "learns the training data"


def test_a_tenth_that_is_known_may_be_all_that_can_be_known() -> None:
    swings = (-1.0) ** np.arange(RECORDS)
    levels = {"chance": 1.0, "accuracy": None}
    assert vg.verdict(evidence(**levels, loss=0.91 + 0.005 * swings)) == "not enough recorded"
    assert vg.verdict(evidence(**levels, loss=0.93 + 0.05 * swings)) == "constant answer"  # within the noise
    assert vg.verdict(evidence(**levels, loss=1.08 + 0.005 * swings)) == "constant answer"


def test_layers_that_never_get_a_gradient_may_be_why_the_answer_is_constant() -> None:
    update, zero = rows(0.01, 0.01, layers=LAYERS), rows(0.0, 0.0, layers=LAYERS)
    update[:, :4], zero[:, :4] = 0.0, 1.0
    found = vg.diagnose(evidence(**STUCK, update=update, zero=zero))[0]
    assert (found.name, found.alternatives) == ("constant answer", ("gradients exactly zero",))


def test_layers_that_are_left_out_of_the_updates_may_be_why_the_answer_is_constant() -> None:
    update = rows(0.01, 0.01, layers=LAYERS)
    update[:, 3] = 0.0
    seen, blind = (vg.diagnose(evidence(**STUCK, **more, update=update)) for more in ({}, BLIND))
    assert names(seen) == ["constant answer", "frozen"]
    assert (seen[0].alternatives, seen[0].confidence) == (("frozen",), "possible")
    assert blind[0].alternatives == ("frozen", "vanishing")


def test_a_signal_that_fades_where_the_answer_has_become_constant_does_not_tell_which_came_first() -> None:
    faded = rows(-2.0, -2.1) - np.outer(np.linspace(0, 1, RECORDS), np.linspace(2.2, 0, 10))
    found = vg.diagnose(evidence(**STUCK, signal=faded))[0]
    assert (found.name, found.alternatives) == ("constant answer", ("vanishing in training",))
    far = rows(-2.0, -2.1) - np.outer(np.linspace(0, 1, RECORDS), np.linspace(6.0, 0, 10))
    assert vg.verdict(evidence(**STUCK, signal=far)) == "vanishing in training"
    assert vg.verdict(evidence(**STUCK, signal=far, timed=True)) == "constant answer"


def test_what_holds_in_part_is_learned_by_heart_only_where_nothing_is_left_to_learn() -> None:
    part = {"accuracy": np.full(RECORDS, 0.4)}
    assert vg.verdict(evidence(loss=np.linspace(2.3, 0.3, RECORDS), **part)) != "learned by heart"
    (found,) = vg.diagnose(evidence(loss=np.r_[2.3, 0.9, np.full(RECORDS - 2, 0.01)], **part))
    assert (found.name, found.confidence) == ("learned by heart", "possible")


def test_other_data_that_were_answered_better_before_are_not_forgotten_by_heart() -> None:
    fell = {"loss": np.linspace(2.3, 0.2, RECORDS)}
    lost = np.r_[0.1, 0.35, 0.33, 0.28, 0.2, 0.23, 0.2, 0.15, 0.12]  # as where other data are prepared otherwise
    assert "learned by heart" not in names(vg.diagnose(evidence(**fell, accuracy=lost)))
    gone = {"loss": np.r_[2.3, 0.9, np.full(RECORDS - 2, 0.01)]}
    assert "learned by heart" not in names(vg.diagnose(evidence(**gone, accuracy=np.r_[0.1, 0.8, np.full(7, 0.3)])))
    assert vg.verdict(evidence(**gone, accuracy=np.full(RECORDS, 0.3))) == "learned by heart"


def test_losses_may_be_negative() -> None:
    fell = {"loss": np.linspace(1.4, -2.0, RECORDS), "accuracy": None, "chance": 1.4}
    assert vg.verdict(evidence(**fell)) == "learns the training data"
    stuck = {"loss": np.full(RECORDS, -1.0), "accuracy": None, "chance": -1.0}
    assert vg.verdict(evidence(**stuck)) == "constant answer"
    learned = {"loss": np.r_[29.0, -5.0, -9.9, np.full(6, -10.5)], "accuracy": None, "chance": -7.5}
    assert vg.verdict(evidence(**learned)) == "learns the training data"  # however far above it began


def test_a_spike_is_reported_with_its_window_and_a_run_without_one_has_none() -> None:
    losses = np.r_[2.3, 2.0, 1.6, 1.2, 1.0, 7.0, 1.6, 1.5, 1.4]
    finding = vg.diagnose(evidence(loss=losses))[0]
    assert (finding.name, finding.steps) == ("loss spike", (100, 125))
    assert finding.evidence["spike"] == 7
    peaks = np.where(np.arange(RECORDS) == 5, 7.0, np.nan)
    assert vg.verdict(evidence(loss=losses.clip(max=1.6), peak=peaks)) == "loss spike"
    assert vg.verdict(evidence(peak=peaks)) == "nothing found"  # it fell on as before


def test_frozen_layers_that_are_cut_off_are_reported_so() -> None:
    update, zero = rows(0.01, 0.01, layers=LAYERS), rows(0.0, 0.0, layers=LAYERS)
    update[:, :4], zero[:, :4] = 0.0, 1.0
    masked, cut = (vg.diagnose(evidence(update=update, zero=each))[0] for each in (zero * 0, zero))
    assert masked.name == cut.name == "frozen"
    assert masked.layers == ("layer 1", "layer 2", "layer 3", "layer 4")
    assert "cut off from the loss" in cut.suggestion
    assert "cut off" not in masked.suggestion
    assert (masked.alternatives, cut.alternatives) == ((), ("gradients exactly zero",))


def test_a_small_gradient_alone_is_nothing() -> None:
    tiny = {"signal": rows(-12.0, -12.1), "gradient": rows(-11.0, -11.2, layers=LAYERS)}
    assert vg.verdict(evidence(**tiny)) == "nothing found"


def test_a_target_that_was_missed_is_reported_where_nothing_explains_it() -> None:
    assert names(vg.diagnose(evidence(target=0.9))) == ["short of target"]
    assert names(vg.diagnose(evidence(target=0.9, dead=rows(0.95, 0.95), **STUCK))) == ["dead units"]
    assert names(vg.diagnose(evidence(target=0.7))) == ["converged"]


def test_a_target_may_be_a_validation_loss_where_no_accuracy_is_known() -> None:
    held_out = {"accuracy": None, "validation_loss": np.linspace(2.3, 0.85, RECORDS)}
    (missed,) = vg.diagnose(evidence(target=0.8, **held_out))
    assert missed.name == "short of target"
    assert missed.evidence == pytest.approx({"validation loss": 0.85, "target": 0.8})
    assert vg.verdict(evidence(target=0.9, **held_out)) == "converged"


def test_labels_without_a_relation_to_the_inputs_leave_a_constant_answer_or_are_learned_by_heart() -> None:
    slowly = np.r_[2.3, 2.29, 2.27, 2.2, 2.15, 2.13, 2.1, 2.08, 2.08]
    found = vg.diagnose(evidence(loss=slowly, accuracy=np.full(RECORDS, 0.12)))[0]
    assert (found.name, found.alternatives) == ("constant answer", ("learned by heart",))
    still = np.linspace(2.3, 1.8, RECORDS)  # which goes on
    assert vg.verdict(evidence(loss=still, accuracy=np.full(RECORDS, 0.12))) == "constant answer"
    sums = {"loss": 0.167 * still / 2.3, "chance": 0.167, "accuracy": np.full(RECORDS, 0.12)}  # near enough, or not
    assert vg.verdict(evidence(**sums)) != "constant answer"


def test_one_answer_is_constant_whatever_share_of_the_classes_it_is_right_about() -> None:
    rests = np.r_[2.5, 2.35, np.full(RECORDS - 2, 2.28)]
    assert vg.verdict(evidence(loss=rests, accuracy=np.r_[0.1, np.full(RECORDS - 1, 0.25)])) == "constant answer"
    assert vg.verdict(evidence(loss=rests, accuracy=np.linspace(0.1, 0.3, RECORDS))) != "constant answer"


def test_a_training_loss_of_nothing_may_be_learned_by_heart_where_other_data_were_not_looked_at() -> None:
    gone = np.r_[2.3, 0.5, np.full(RECORDS - 2, 0.01)]
    found = vg.diagnose(evidence(loss=gone, accuracy=None))[0]
    assert (found.name, found.alternatives) == ("learns the training data", ("learned by heart",))
    assert vg.diagnose(evidence(loss=gone + 0.5, accuracy=None))[0].alternatives == ()


def test_gradients_of_biases_that_are_level_leave_inputs_to_be_doubted_and_no_vanishing() -> None:
    bias = rows(-1.0, -1.2, layers=LAYERS)
    found = vg.diagnose(evidence(**STUCK, **BLIND, bias=bias))[0]
    assert (found.name, found.alternatives) == ("constant answer", ("collapse", "far from unit scale"))


def test_numbers_that_become_exactly_zero_may_be_units_that_died() -> None:
    zero = over_records(0.0, 0.7)
    found = vg.diagnose(evidence(**STUCK, **BLIND | {"zero": zero}))[0]
    assert (found.name, found.alternatives) == ("constant answer", ("units that died", "vanishing"))


def test_a_spike_may_be_of_steps_that_are_too_large() -> None:
    loss = np.r_[2.3, 1.5, 1.0, 0.8, 0.7, 4.0, 1.2, 1.1, 1.1]
    spiked = next(each for each in vg.diagnose(evidence(loss=loss)) if each.name == "loss spike")
    assert spiked.alternatives == ("learning rate too large",)


def test_a_spike_that_a_run_got_over_is_not_reported() -> None:
    loss = np.r_[2.3, 1.5, 0.6, 0.3, 4.0, 0.3, 0.05, 0.04, 0.03]
    run = evidence(loss=loss, accuracy=np.linspace(0.1, 0.97, RECORDS))
    assert names(vg.diagnose(run)) == ["converged"]


def test_a_loss_that_rose_on_its_way_to_the_constant_answer_may_have_been_thrown_there() -> None:
    found = vg.diagnose(evidence(**STUCK | {"loss": np.r_[2.3, 3.9, np.full(7, 2.31)]}))[0]
    assert (found.name, found.alternatives) == ("constant answer", ("learning rate too large",))


def test_a_run_is_certain_to_have_converged_only_where_nothing_is_left_of_the_loss() -> None:
    held_out = {"accuracy": np.linspace(0.1, 0.99, RECORDS)}
    for end, confidence in ((0.4, "likely"), (0.01, "certain")):
        answer = vg.diagnose(evidence(loss=np.geomspace(2.3, end, RECORDS), **held_out))
        assert [(each.name, each.confidence) for each in answer] == [("converged", confidence)]


def test_a_spike_that_cost_units_is_reported_though_the_loss_falls_on() -> None:
    loss = np.r_[2.3, 1.5, 0.9, 0.8, 9.0, 0.8, 0.7, 0.65, 0.6]
    dead = rows(0.05, 0.05)
    dead[4:, :2] = 0.7
    answer = vg.diagnose(evidence(loss=loss, dead=dead))
    spike = next(each for each in answer if each.name == "loss spike")
    assert spike.alternatives == ("units that died", "learning rate too large")
    assert "units are alive" not in answer.judged
    assert "loss spike" not in names(vg.diagnose(evidence(loss=loss)))


def test_a_spike_of_inputs_that_look_large_may_be_due_to_them() -> None:
    names_of = tuple(f"layer{i}" for i in range(LAYERS))
    large = {"gradient": rows(1.0, 1.0, layers=LAYERS), "bias": rows(-1.0, -1.0, layers=LAYERS)}
    fans = {"fan_in": rows(4.0, 4.0, layers=LAYERS), "names": names_of}
    loss = np.r_[2.3, 2.0, 1.6, 1.2, 1.0, 7.0, 1.6, 1.5, 1.4]
    spike = next(each for each in vg.diagnose(evidence(loss=loss, **large, **fans)) if each.name == "loss spike")
    assert spike.alternatives == ("learning rate too large", "far from unit scale")


def test_a_loss_that_may_be_negative_has_no_level_to_spike_over() -> None:
    loss = np.r_[0.3, 0.2, 0.16, 0.12, 0.1, 0.7, 0.16, 0.15, 0.14]
    run = {"accuracy": None, "chance": None}
    assert "loss spike" in names(vg.diagnose(evidence(loss=loss, **run)))
    assert "loss spike" not in names(vg.diagnose(evidence(loss=np.r_[loss[:-1], -0.01], **run)))
    far = np.r_[-0.3, -2.5, -3.3, -3.1, -3.2, -3.3, 800.0, -0.7, -0.6]
    assert vg.verdict(evidence(loss=far, **run)) == "loss spike"  # many times all that it ranged over before


def test_signals_that_draw_near_over_depth_may_be_why_the_answer_is_constant() -> None:
    near, level = (vg.diagnose(evidence(**STUCK, distance=rows(-0.5, end)))[0] for end in (-4.6, -1.0))
    assert (near.name, near.alternatives) == ("constant answer", ("collapse",))
    assert "collapse" not in level.alternatives


def test_numbers_are_not_finite_where_the_loss_is_none() -> None:
    broken = np.arange(RECORDS) >= 5
    loss = np.where(broken, np.nan, np.geomspace(2.3, 1e6, RECORDS))
    answer = vg.diagnose(evidence(loss=loss, nonfinite_loss=broken))
    assert "all numbers are finite" not in answer.judged


def test_a_run_that_is_thrown_about_at_its_last_record_has_not_converged() -> None:
    thrown = {"loss": np.r_[np.geomspace(2.3, 0.02, RECORDS - 1), 1e7], "weight": over_records(*np.full(8, 0.5), 3.0)}
    thrown |= {"accuracy": np.r_[np.linspace(0.1, 0.98, RECORDS - 1), 0.04]}
    found = vg.diagnose(evidence(**thrown))
    assert (found.verdict, found[0].alternatives) == ("learning rate too large", ("loss spike",))
    assert not any("constant answer" in each or "other data" in each for each in found.judged)


def test_a_constant_answer_lists_what_units_and_signals_show_to_have_happened_on_the_way() -> None:
    some = vg.diagnose(evidence(**STUCK, dead=over_records(0.1, 0.7, layers=10)))[0]
    assert (some.name, some.alternatives) == ("constant answer", ("units that died",))
    grown = vg.diagnose(evidence(**STUCK, scale=over_records(0.0, 3.0, layers=10)))[0]
    assert (grown.name, grown.alternatives) == ("constant answer", ("learning rate too large",))


def test_a_constant_answer_of_equal_probabilities_lists_the_softmax_that_is_applied_twice() -> None:
    falls = {"loss": np.linspace(2.33, 2.15, RECORDS), "accuracy": None}
    found = vg.diagnose(evidence(**falls | BLIND))[0]
    assert (found.name, found.alternatives) == ("constant answer", ("softmax applied twice", "vanishing"))
