"""Mixed precision and loss scaling: what is kept in float32, what 16 bits lose, and what scaling saves."""

import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import by_hand

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.measure.draw import draw, first_batch
from vgbench.measure.step import make_step, propose, start
from vgbench.mitigations.loss_scaling import LossScaling
from vgbench.models import build_network
from vgbench.spec.registry import LOSS_SCALINGS

SMALL: dict[str, Any] = {"depth": 4, "width": 16, "batch_size": 16, "seeds": (0,), "activation": "tanh"}
FAMILIES = ["mlp", "convnet", "transformer", "recurrent"]
needs_avx = pytest.mark.skipif(
    "xla_cpu_max_isa=SSE4_2" in os.environ.get("XLA_FLAGS", ""),
    reason="XLA's compiler for CPUs cannot convert to and from float16 by the instructions of SSE4.2",
)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("model", FAMILIES)
def test_parameters_gradients_and_answers_are_float32_and_the_stream_has_16_bits(model: str, dtype: str) -> None:
    case = vg.Case(**SMALL | {"model": model, "dtype": dtype})
    data = load_dataset(case)
    network = build_network(case, data.problem)
    variables = jax.eval_shape(network.init, jax.random.key(0))
    assert {leaf.dtype for leaf in jax.tree.leaves(variables.params)} == {jnp.dtype("float32")}
    x, y = first_batch(case, data, 0)

    def step(variables: Any) -> Any:
        return propose(network, case, start(network, case, variables, 0.1), (x, y), 0.1)

    move = jax.eval_shape(step, variables)
    assert {leaf.dtype for leaf in jax.tree.leaves(move.gradients)} == {jnp.dtype("float32")}
    program = str(jax.make_jaxpr(lambda v: network.apply(v, x, train=True).answers)(variables))
    assert {"bfloat16": "bf16[16,", "float16": "f16[16,"}[dtype] in program


@pytest.mark.parametrize(("dtype", "tolerance"), [("bfloat16", 0.02), pytest.param("float16", 0.003, marks=needs_avx)])
def test_profile_in_16_bits_is_near_float32s_far_below_what_the_dtype_holds(dtype: str, tolerance: float) -> None:
    slots = SMALL | {"depth": 30, "activation": "sigmoid", "init": "lecun_normal", "width": 32}
    single, half = (vg.measure_gradients(vg.Case(**slots, dtype=each)) for each in ("float32", dtype))
    assert single.log10_activation_norm[0, 0] < -15
    np.testing.assert_allclose(half.log10_activation_norm, single.log10_activation_norm, atol=30 * tolerance)
    assert half.decay.value == pytest.approx(single.decay.value, abs=tolerance)


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float16", marks=needs_avx)])
def test_layers_that_plain_backpropagation_reads_as_zero_are_reported(dtype: str) -> None:
    case = vg.Case(**SMALL | {"depth": 70, "activation": "sigmoid", "init": "lecun_normal", "width": 32}, dtype=dtype)
    profile, data = vg.measure_gradients(case), load_dataset(case)
    network = build_network(case, data.problem)
    variables, (x, y) = draw(case, network, data, 0), first_batch(case, data, 0)
    gradients: Any = jax.jit(lambda v: propose(network, case, start(network, case, v, 0.1), (x, y), 0.1).gradients)(
        variables
    )
    kernels = np.asarray(gradients["blocks"]["branch"][0]["linear"]["kernel"][...])
    zero = np.flatnonzero(~kernels.any(axis=(1, 2)))[-1] + 2
    assert profile.plain_zero_layer is not None
    assert -1 <= zero - profile.plain_zero_layer <= by_hand.FLUSHED_EARLIER


def test_dynamic_scale_halves_on_overflow_and_doubles_after_its_interval() -> None:
    scaling: Any = LOSS_SCALINGS.build(LOSS_SCALINGS.choose({"name": "dynamic", "initial": 8.0, "interval": 2}))
    scale, seen = scaling.start(), []
    for finite in (True, False, True, True, True, True):
        scale = scaling.after(scale, jnp.asarray(finite))
        seen.append((float(scale.value), int(scale.skipped)))
    assert seen == [(8, 0), (4, 1), (4, 1), (8, 1), (8, 1), (16, 1)]


def stepped(case: vg.Case, poisoned: bool) -> tuple[Any, Any]:
    """State before and after one step, on a batch that overflows if poisoned."""
    data = load_dataset(case)
    network = build_network(case, data.problem)
    x, y = first_batch(case, data, 0)
    before = start(network, case, draw(case, network, data, 0), 0.1)
    return before, make_step(network, case)(before, (x * jnp.inf if poisoned else x, y), 0.1)[0]


@pytest.mark.slow
def test_a_step_that_overflows_changes_nothing_but_the_scale_if_scaling_is_dynamic() -> None:
    case = vg.Case(**SMALL, norm="batch", loss_scaling="dynamic")
    before, after = stepped(case, poisoned=True)
    jax.tree.map(np.testing.assert_array_equal, after[:2], before[:2])
    assert float(after.scale.value) == float(before.scale.value) / 2
    assert int(after.scale.skipped) == 1


def test_a_step_that_overflows_is_taken_if_scaling_is_static() -> None:
    _, after = stepped(vg.Case(**SMALL, loss_scaling="static"), poisoned=True)
    assert not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(after.variables.params))


@pytest.mark.parametrize("scaling", ["static", "dynamic"])
def test_in_float32_a_scale_that_is_a_power_of_two_changes_no_digit(scaling: str) -> None:
    _, plain = stepped(vg.Case(**SMALL), poisoned=False)
    _, scaled = stepped(vg.Case(**SMALL, loss_scaling=scaling), poisoned=False)
    jax.tree.map(np.testing.assert_array_equal, scaled[:2], plain[:2])


@needs_avx
def test_a_step_with_loss_scaling_can_be_timed() -> None:
    case = vg.Case(**SMALL | {"depth": 1, "loss_scaling": "dynamic", "dtype": "float16"})
    assert vg.measure_cost(case, case, precision=1.0).latency > 0


def test_loss_scaling_without_a_rule_is_none() -> None:
    assert LOSS_SCALINGS.build(LOSS_SCALINGS.choose("none")) is None
    assert isinstance(LOSS_SCALINGS.build(LOSS_SCALINGS.choose("static")), LossScaling)


def trained(**slots: Any) -> Any:
    common: dict[str, Any] = {"seeds": (0,), "tuning_seeds": (), "learning_rates": (1e-3,), "steps": 25}
    return vg.measure_training(vg.Case(**common | slots))


CONSTRUCTED: dict[str, Any] = {"depth": 8, "loss_scaling": {"name": "static", "scale": 1e-5}}
"""Half of the exponents that float16 has are lost before the backward pass begins."""


@pytest.mark.slow
def test_float16_reads_zeros_where_the_loss_is_small_and_records_their_share() -> None:
    scale = {"name": "static", "scale": 1e-9}
    curves = trained(**SMALL | {"steps": 1, "loss_scaling": scale}, dtype="float16")
    shown = curves.snapshots
    assert (shown.zero_share == 1).all()
    assert (shown.subnormal_share == 1).all()
    np.testing.assert_allclose(shown.loss_scale, 1e-9)
    assert not shown.skipped_steps.any()


@pytest.mark.slow
def test_a_small_loss_is_lost_to_float16_and_not_to_float32() -> None:
    common = CONSTRUCTED | {"steps": 300, "seeds": (0, 1)}
    single, half = (trained(**common, dtype=dtype) for dtype in ("float32", "float16"))
    assert half.snapshots.zero_share[:, 0, :-1].min() > 0.5
    assert half.test_metric.max() < 0.5
    assert single.test_metric.min() > 0.9


@pytest.mark.slow
def test_loss_scaling_keeps_small_gradients_of_a_tanh_network_from_reading_zero() -> None:
    slots = {"depth": 16, "activation": "tanh", "init": {"name": "lecun_normal", "gain": 0.3}, "steps": 1}
    shares = {
        name: trained(**slots, dtype=dtype, loss_scaling=scaling).snapshots.zero_share[0, 0, :4].max()
        for name, dtype, scaling in (
            ("plain", "float16", "none"),
            ("static", "float16", "static"),
            ("dynamic", "float16", "dynamic"),
            ("bfloat16", "bfloat16", "none"),
            ("single", "float32", "none"),
        )
    }
    assert shares["plain"] > max(shares["static"], shares["dynamic"]) + 0.005
    # Some pixels are 0 in all pictures of the batch, and so are their weights' gradients in any dtype.
    assert 0 < shares["single"] < 0.1
    assert shares["bfloat16"] == pytest.approx(shares["single"], abs=0.002)


@pytest.mark.slow
def test_dynamic_scaling_skips_what_static_scaling_takes() -> None:
    slots: dict[str, Any] = {"depth": 8, "steps": 100, "dtype": "float16"}
    static = trained(**slots, loss_scaling={"name": "static", "scale": 2.0**24})
    dynamic = trained(**slots, loss_scaling={"name": "dynamic", "initial": 2.0**24})
    assert static.diverged.all()
    assert not dynamic.diverged.any()
    assert dynamic.snapshots.skipped_steps[0, -1] > 0
