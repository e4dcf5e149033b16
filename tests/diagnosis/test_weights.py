"""What arrays of weights show: the signal by the gradients of biases, the size of inputs, steps and bursts."""

from typing import Any

import numpy as np
from helpers.evidence import BLIND, LAYERS, RECORDS, STUCK, evidence, over_records, rows

import vgbench as vg
from vgbench.diagnosis.reading import Reading

NAMES = tuple(f"layer{i}" for i in range(LAYERS))


def blind(**changes: Any) -> Reading:
    return Reading(evidence(**BLIND | {"names": NAMES} | changes))


def test_biases_show_the_signal_where_weights_do_not() -> None:
    vanishing = blind(bias=rows(-8.0, -2.0, layers=LAYERS), gradient=rows(-2.0, -2.0, layers=LAYERS))
    assert vanishing.by_biases is not None
    assert 4 < vanishing.by_biases < 6
    assert not vanishing.level
    assert vanishing.faded is not None
    assert vanishing.faded > 4  # what the weights multiply shrinks as the signal grows
    assert vg.verdict(vanishing.evidence) == "nothing found"  # since it learns
    stuck = blind(bias=rows(-8.0, -2.0, layers=LAYERS), gradient=rows(-2.0, -2.0, layers=LAYERS), **STUCK)
    assert vg.verdict(stuck.evidence) == "vanishing"


def test_few_layers_of_one_kind_are_level_and_a_recurrent_cell_is_never_known_to_be() -> None:
    two: dict[str, Any] = {name: rows(-1.0, -1.2, layers=2) for name in ("gradient", "weight", "update", "zero")}
    assert blind(**two, moved=None, nonfinite=None, names=("layer0", "layer1")).level
    assert not blind(**two, moved=None, nonfinite=None, names=("wx", "readout")).level
    assert not blind(names=tuple(f"rnn{i}" for i in range(LAYERS))).level


def test_the_size_of_inputs_follows_from_the_first_layers_gradients() -> None:
    fan_in = rows(64.0, 64.0, layers=LAYERS)
    bias = rows(-1.0, -1.0, layers=LAYERS)
    large = blind(gradient=bias + np.log10(8 * 200.0), bias=bias, fan_in=fan_in)
    assert large.input_scale is not None
    assert round(large.input_scale) == 200
    cancels = bias + np.log10(8 * 200.0) - np.where(np.arange(RECORDS) == 3, 2.0, 0.0)[:, None]
    assert (blind(gradient=cancels, bias=bias, fan_in=fan_in).input_scale or 0) < 3
    assert blind(gradient=bias, bias=bias, fan_in=None).input_scale is None


def test_a_gradient_that_bursts_is_measured_against_its_usual_size() -> None:
    usual = over_records(-1.0, -1.0)
    assert blind(gradient=usual).bursts == 0
    assert blind(gradient=usual + np.where(np.arange(RECORDS) == 5, 2.5, 0.0)[:, None]).bursts == 2.5


def test_records_behind_the_first_that_is_not_finite_say_nothing() -> None:
    broken = np.arange(RECORDS) >= 4
    run = blind(nonfinite_loss=broken, gradient=np.where(broken[:, None], -np.inf, -1.0) * np.ones(LAYERS))
    assert run.finite.tolist() == [True] * 4 + [False] * 5
    assert not run.zeroed.any()


def test_a_bias_that_a_norm_takes_off_shows_nothing() -> None:
    gradient, fan_in = rows(-1.0, -1.0, layers=LAYERS), rows(64.0, 64.0, layers=LAYERS)
    taken = blind(gradient=gradient, bias=gradient - 8.0, fan_in=fan_in)
    assert taken.input_scale is None
    assert taken.by_biases is None


def test_inputs_of_zero_are_no_dead_units() -> None:
    first = np.arange(LAYERS) == 0
    gradient = np.where(first, -np.inf, -1.0) * np.ones((RECORDS, 1))
    zeros = {"gradient": gradient, "bias": rows(-1.0, -1.0, layers=LAYERS), "fan_in": rows(64.0, 64.0, layers=LAYERS)}
    run = blind(**zeros | STUCK)
    assert run.input_scale == 0
    assert vg.verdict(run.evidence) == "far from unit scale"
