"""Cost: pairs in one form, the plain step alone, and figures that follow from the raw samples."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.measure.cost import Cost, cost_id
from vgbench.measure.executable import Compilation, Executable, Memory
from vgbench.measure.pairs import Rounds
from vgbench.measure.peaks import peak_flops_per_second
from vgbench.measure.round_robin import comparable
from vgbench.measure.snapshot import snapshot
from vgbench.measure.step import make_step, start
from vgbench.measure.timing import with_compilations
from vgbench.models import build_network
from vgbench.models.problem import Problem
from vgbench.statistics import bootstrap_median, t_interval

SMALL = {"depth": 3, "width": 8, "batch_size": 16}


@pytest.fixture(scope="module")
def cost() -> Cost:
    return vg.measure_cost(vg.Case(**SMALL, norm="batch"), vg.Case(**SMALL), precision=1.0)


def made(**fields: Any) -> Cost:
    """A cost of steps that take what `fields` say."""
    samples = np.linspace(1, 2, 30)
    memory = Memory(parameters=1, optimizer=2, temporary=3, peak=30)
    base = {
        **{"form": "scan", "step_seconds": 1.5 * samples, "reference_seconds": samples},
        **{"queued_seconds": np.full(5, 0.5), "compilation": Compilation(1.0, 2.0, 3.0, 9.0, False)},
        **{"memory": memory, "reference_memory": dataclasses.replace(memory, peak=20), "parameters": 1},
        **{"step_flops": 100, "xla_flops": 119.0, "product_flops_per_second": np.full(5, 400.0), "batch_size": 12},
    }
    return Cost(**{**base, **fields})


def test_raw_samples_of_both_are_kept(cost: Cost) -> None:
    assert cost.step_seconds.shape == cost.reference_seconds.shape == (30,)
    assert (cost.step_seconds > 0).all()
    assert cost.queued_seconds.shape == (5,)
    assert cost.form == "unroll"


def test_parameters_and_flops_are_counted(cost: Cost) -> None:
    dense = 64 * 8 + 8 + 2 * (8 * 8 + 8) + 8 * 10 + 10
    assert cost.parameters == dense + 3 * 16
    assert cost.step_flops == 16 * 2 * (2 * 64 * 8 + 3 * (2 * 8 * 8 + 8 * 10))
    assert (cost.product_flops_per_second > 0).all()
    assert cost.copy_bytes_per_second is not None
    assert (cost.copy_bytes_per_second > 0).all()
    assert cost.xla_bytes > 4 * cost.parameters  # each is read and written


def test_memory_is_that_of_the_executable(cost: Cost) -> None:
    assert cost.memory.parameters == 4 * cost.parameters
    assert cost.memory.optimizer == 8 * cost.parameters + 4  # Adam's two moments and its count
    assert cost.memory.peak > cost.memory.parameters + cost.memory.optimizer
    assert cost.memory_ratio > 1  # batch norm's scales and statistics


def test_compilation_is_distinguished(cost: Cost) -> None:
    *seconds, persistent_cache = dataclasses.astuple(cost.compilation)
    assert min(seconds) > 0
    config: Any = jax.config
    assert persistent_cache is bool(config.jax_enable_compilation_cache and config.jax_compilation_cache_dir)
    assert made().compilation.seconds == 6


def test_ratio_throughput_and_utilisation_follow_from_the_samples() -> None:
    assert made().ratio == pytest.approx((1.5, 1.5, 1.5))
    assert made().verdict == "SLOWER"
    assert made().latency == pytest.approx(2.25)
    assert made().examples_per_second == pytest.approx(24)
    assert made().flops_per_second == pytest.approx(200)
    assert made().utilisation == pytest.approx(0.5)
    assert made().memory_ratio == pytest.approx(1.5)


@pytest.mark.parametrize(("counted", "differs"), [(79.0, True), (81.0, False), (119.0, False), (121.0, True)])
def test_counts_that_are_a_fifth_apart_are_said_to_differ(counted: float, differs: bool) -> None:
    assert made(xla_flops=counted).flops_differ is differs


@pytest.mark.parametrize(
    "slots",
    [
        {},
        {"norm": "layer"},
        {"skip": "residual"},
        {"activation": "tanh", "model": {"name": "mlp", "order": "pre_activation"}},
        {"model": "recurrent", "depth": 8, "block_execution": "unroll", "data": "digits"},
        {"model": "recurrent", "depth": 8, "block_execution": "unroll", "cell": "gru", "activation": "relu"},
    ],
    ids=str,
)
def test_own_count_of_operations_is_xlas_on_unrolled_networks(slots: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"depth": 4, "width": 256, "batch_size": 256, "optimizer": "sgd", **slots}
    executable = Executable(vg.Case(**fields))
    assert executable.flops == pytest.approx(executable.xla_flops, rel=0.05)


@pytest.mark.parametrize(("first", "steps", "parts"), [(0.0005, 10, 50), (0.03, 10, 3), (0.25, 10, 2)])
def test_samples_are_as_much_work_whatever_disturbs_the_warm_up(
    monkeypatch: pytest.MonkeyPatch, first: float, steps: int, parts: int
) -> None:
    taken = iter([2 * first, first, 3 * first, *[0.02] * (parts - 1), 0.001])
    monkeypatch.setattr(Executable, "_blocked", lambda self, steps: next(taken))
    executable = object.__new__(Executable)
    executable.warm_up()
    assert executable._steps == steps
    assert next(taken, None) is None


def test_xlas_count_takes_a_loop_once_and_is_flagged() -> None:
    executable = Executable(vg.Case(depth=32, width=16, batch_size=16, block_execution="scan"))
    assert made(step_flops=executable.flops, xla_flops=executable.xla_flops).flops_differ


@pytest.mark.parametrize("family", [{}, {"model": "recurrent", "depth": 64}], ids=["mlp", "recurrent"])
@pytest.mark.parametrize("layers", ["scan", pytest.param("unroll", marks=pytest.mark.slow)])
def test_rematerialisation_gives_the_same_step_for_less_memory(layers: Any, family: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"depth": 40, "width": 32, "batch_size": 256, "norm": "none", "activation": "gelu"}
    plain, remat = (
        Executable(vg.Case(**fields | family, block_execution=layers, remat=remat, learning_rates=(0.01,)))
        for remat in (False, True)
    )
    for a, b in zip(*(jax.tree.leaves(each.state.variables.params) for each in (plain, remat)), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)
    if layers == "scan":
        assert remat.memory.temporary < plain.memory.temporary


def test_forms_are_never_mixed() -> None:
    with pytest.raises(vg.InputError, match="unroll and scan blocks cannot be compared"):
        vg.measure_cost(vg.Case(depth=64), vg.Case(depth=65))


def test_forms_are_compared_where_nothing_else_differs() -> None:
    scanned, unrolled = (vg.Case(**SMALL, block_execution=form) for form in ("scan", "unroll"))
    assert comparable(scanned, unrolled)
    assert not comparable(scanned, vg.Case(**SMALL, block_execution="unroll", norm="batch"))
    assert made(reference_form="unroll").forms == "scanned over unrolled"
    assert made(reference_form="scan").forms == made().forms == "scanned"


def test_the_roof_is_the_lower_of_what_products_and_a_copy_allow() -> None:
    assert np.isnan(made().roof)
    copied: Any = {"xla_bytes": 11.9, "copy_bytes_per_second": np.full(5, 20.0), "form": "unroll"}
    assert made(**copied).intensity == pytest.approx(10)
    assert np.isnan(made(**copied | {"form": "scan"}).intensity)
    assert made(**copied).roof == pytest.approx(200)  # bytes: 10 a byte, 20 bytes a second
    assert made(**copied | {"xla_bytes": 1.19}).roof == pytest.approx(400)  # products


def test_a_step_is_bound_by_its_launch_where_the_device_is_idle_for_more_than_half_of_it() -> None:
    assert made().launch_bound is made().device_ratio is None
    assert made(device_seconds=0.2).launch_bound is True  # 0.5 s in a queue
    assert made(device_seconds=0.3).launch_bound is False
    assert made(device_seconds=0.3, reference_device_seconds=0.2).device_ratio == pytest.approx(1.5)


def test_the_peak_is_that_of_the_dtype_and_the_precision() -> None:
    kind, case = "NVIDIA H100 80GB HBM3", vg.Case(**SMALL)
    half, single, full = (
        peak_flops_per_second(vg.Case(**SMALL, **fields), kind)
        for fields in ({"dtype": "bfloat16"}, {}, {"matmul_precision": "highest"})
    )
    assert half == 989.4e12
    assert half > single > full
    assert peak_flops_per_second(case, "cpu") is None
    assert peak_flops_per_second(vg.Case(**SMALL, dtype="float64"), kind) is None
    assert made(peak_flops_per_second=400.0).peak_share == pytest.approx(0.5)


def test_the_interval_covers_several_compilations() -> None:
    one = made()
    slower = Rounds(2 * one.step_seconds, one.reference_seconds)
    assert with_compilations(one, []) is one
    both = with_compilations(one, [slower, slower])
    assert both.compilation_rounds == (30, 30, 30)
    assert both.step_seconds.shape == both.reference_seconds.shape == (90,)
    assert both.ratio == pytest.approx((3, 1.5, 3))


def test_a_pairs_id_knows_which_is_the_reference() -> None:
    a, b = vg.Case(depth=3), vg.Case(depth=4)
    assert cost_id(a, b) != cost_id(b, a)
    assert cost_id(a, b) == cost_id(vg.Case(depth=3), b)


def test_the_timed_step_holds_no_probe() -> None:
    case = vg.Case(**SMALL)
    data = load_dataset(case)
    network = build_network(case, data.problem)
    state = start(network, case, network.init(jax.random.key(0)), 0.1)
    batch = data.train.x[:16], data.train.y[:16]

    def text(function: Callable[..., Any]) -> str:
        return jax.jit(function).lower(state, batch, 0.1).as_text(debug_info=True)

    assert "measure/matrices.py" in text(
        lambda state, *rest: snapshot(network, case, state, state.variables.params, *rest)
    )
    assert "measure/matrices.py" not in text(make_step(network, case))


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


def test_a_bootstrap_over_groups_holds_the_mean_of_groups_as_often_as_it_says() -> None:
    draw = np.random.default_rng(1)
    sizes, covered = (20,) * 12, []
    for _ in range(100):
        samples = np.repeat(draw.normal(size=12), 20) + 0.1 * draw.normal(size=240)
        pooled, grouped = bootstrap_median(samples, resamples=200), bootstrap_median(samples, sizes, 200)
        covered.append([pooled.low <= 0 <= pooled.high, grouped.low <= 0 <= grouped.high])
    assert np.mean(covered, axis=0) == pytest.approx([0.35, 0.95], abs=0.1)
    assert grouped == bootstrap_median(samples, sizes, 200)


def test_a_bootstrap_over_groups_of_other_sizes_takes_medians_of_what_it_drew() -> None:
    interval = bootstrap_median(np.asarray([1.0, 1, 1, 1, 1, 3]), (5, 1))
    # Both groups are the long one, the short one, or one of each, whose six samples have a median of 1.
    assert (interval.low, interval.value, interval.high) == (1.0, 1.0, 3.0)


def test_a_scanned_step_is_one_program_whatever_the_depth() -> None:
    def lines(depth: int) -> int:
        case = vg.Case(**SMALL | {"depth": depth})
        network = build_network(case, Problem(64, 10), scanned=True)
        state = start(network, case, network.init(jax.random.key(0)), 0.1)
        batch = np.zeros((16, 64), np.float32), np.zeros(16, np.int32)
        return len(jax.jit(make_step(network, case)).lower(state, jax.device_put(batch), 0.1).as_text().splitlines())

    assert lines(10) == lines(1000)
