"""Cost: pairs in one form, the plain step alone, and figures that follow from the raw samples."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.measure.cost import Compilation, Cost, _orders, cost_id
from vgbench.measure.snapshot import snapshot
from vgbench.measure.step import make_step, start
from vgbench.models import build_network
from vgbench.problem import Problem
from vgbench.statistics import bootstrap_median, t_interval

SMALL = {"depth": 3, "width": 8, "batch_size": 16}


@pytest.fixture(scope="module")
def cost() -> Cost:
    return vg.measure_cost(vg.Case(**SMALL, norm="batch"), vg.Case(**SMALL), rounds=6)


def test_raw_samples_of_both_are_kept(cost: Cost) -> None:
    assert cost.step_seconds.shape == cost.reference_seconds.shape == (6,)
    assert (cost.step_seconds > 0).all()
    assert cost.form == "unrolled"


def test_parameters_and_flops_are_counted(cost: Cost) -> None:
    dense = 64 * 8 + 8 + 2 * (8 * 8 + 8) + 8 * 10 + 10
    assert cost.parameters == dense + 3 * 16
    assert cost.step_flops == 16 * 2 * (2 * 64 * 8 + 3 * (2 * 8 * 8 + 8 * 10))


def test_compilation_is_told_apart(cost: Cost) -> None:
    assert min(dataclasses.astuple(cost.compilation)) > 0
    assert Compilation(1.0, 2.0, 3.0, 9.0, 1, 1).seconds == 6


def test_ratio_and_throughput_follow_from_the_samples() -> None:
    reference = np.linspace(1, 2, 30)
    cost = Cost("scanned", 1.5 * reference, reference, Compilation(1.0, 1.0, 1.0, 1.0, 1, 1), 1, 1, batch_size=12)
    assert cost.ratio == pytest.approx((1.5, 1.5, 1.5))
    assert cost.examples_per_second == pytest.approx(12 / 2.25)


def test_forms_are_never_mixed() -> None:
    with pytest.raises(vg.InputError, match="unrolled and scanned blocks cannot be compared"):
        vg.measure_cost(vg.Case(depth=64), vg.Case(depth=65))


def test_each_goes_first_equally_often_in_random_order() -> None:
    orders = _orders(30)
    assert orders.count((0, 1)) == orders.count((1, 0)) == 15
    assert orders != sorted(orders)


def test_a_pairs_id_knows_which_is_the_reference() -> None:
    a, b = vg.Case(depth=3), vg.Case(depth=4)
    assert cost_id(a, b) != cost_id(b, a)
    assert cost_id(a, b) == cost_id(vg.Case(depth=3), b)


def test_the_timed_step_holds_no_probe() -> None:
    case = vg.Case(**SMALL)
    data = load_dataset(case)
    network = build_network(case, data.problem)
    state = start(network, case, network.init(jax.random.key(0)))
    batch = data.train.x[:16], data.train.y[:16]

    def text(function: Callable[..., Any]) -> str:
        return jax.jit(function).lower(state, batch, 0.1).as_text(debug_info=True)

    assert "scaled_norm" in text(lambda state, *rest: snapshot(network, case, state, state.variables.params, *rest))
    assert "scaled_norm" not in text(make_step(network, case))


@pytest.mark.parametrize("n", [2, 3, 5])
def test_t_interval_covers_as_often_as_it_says(n: int) -> None:
    samples = np.random.default_rng(n).standard_normal((4000, n))
    intervals = map(t_interval, samples)
    covered = np.mean([interval.low <= 0 <= interval.high for interval in intervals])
    assert covered == pytest.approx(0.95, abs=0.015)


def test_one_sample_has_no_interval() -> None:
    assert np.isnan(t_interval(np.asarray([1.0])).low)


def test_bootstrap_is_deterministic_and_holds_the_median() -> None:
    samples = np.random.default_rng(0).lognormal(size=40)
    interval = bootstrap_median(samples)
    assert interval == bootstrap_median(samples)
    assert interval.low < interval.value == np.median(samples) < interval.high


def test_a_scanned_step_is_one_program_whatever_the_depth() -> None:
    def lines(depth: int) -> int:
        case = vg.Case(**SMALL | {"depth": depth})
        network = build_network(case, Problem(64, 10), scanned=True)
        state = start(network, case, network.init(jax.random.key(0)))
        batch = np.zeros((16, 64), np.float32), np.zeros(16, np.int32)
        return len(jax.jit(make_step(network, case)).lower(state, jax.device_put(batch), 0.1).as_text().splitlines())

    assert lines(10) == lines(1000)
