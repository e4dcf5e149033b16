"""Gradient profiles: against plain backpropagation, against theory, and at the edge of what a dtype holds."""

import itertools
import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import by_hand

import vgbench as vg
from vgbench.measure import draw, shared
from vgbench.measure.draw import function_of, initial_network
from vgbench.measure.gradients import GradientProfile
from vgbench.models import segments
from vgbench.models.problem import Problem

TINY = {"depth": 6, "width": 8, "batch_size": 16, "seeds": (0, 1)}
SHAPES = [
    dict(zip(("activation", "norm", "skip"), slots, strict=True))
    for slots in itertools.product(("sigmoid", "tanh", "relu"), ("none", "batch"), ("none", "residual"))
]
FEW = [shape if i % 4 == 3 else pytest.param(shape, marks=pytest.mark.slow) for i, shape in enumerate(SHAPES)]


def ids(case: dict) -> str:
    return "-".join(map(str, case.values()))


@pytest.mark.parametrize("slots", FEW, ids=ids)
def test_float64_profile_equals_plain_backpropagation(slots: dict) -> None:
    case = vg.Case(**TINY, **slots, dtype="float64")
    profile = vg.measure_gradients(case)
    np.testing.assert_allclose(profile.log10_activation_norm, by_hand.log10_activation_norms(case), atol=1e-9)


@pytest.mark.parametrize("slots", SHAPES[:4], ids=ids)
def test_unrolled_profile_equals_scanned(slots: dict) -> None:
    scanned, unrolled = (
        vg.measure_gradients(vg.Case(**TINY, **slots, dtype="float64", block_execution=form))
        for form in ("scan", "unroll")
    )
    np.testing.assert_allclose(scanned.log10_activation_norm, unrolled.log10_activation_norm, atol=1e-9)
    np.testing.assert_allclose(scanned.log10_largest_activation, unrolled.log10_largest_activation, atol=1e-9)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_float32_is_within_2e_5_of_float64_for_smooth_networks(activation: str) -> None:
    slots = {"activation": activation, "init": "lecun_normal", "depth": 100, "width": 32, "seeds": (0,)}
    single, double = (vg.measure_gradients(vg.Case(**slots, dtype=dtype)) for dtype in ("float32", "float64"))
    np.testing.assert_allclose(single.log10_activation_norm, double.log10_activation_norm, atol=2e-5)


def test_float32_is_close_to_float64_for_shallow_relu_networks() -> None:
    slots = {"activation": "relu", "init": "he_normal", "depth": 4, "seeds": (0,)}
    single, double = (vg.measure_gradients(vg.Case(**slots, dtype=dtype)) for dtype in ("float32", "float64"))
    np.testing.assert_allclose(single.log10_activation_norm, double.log10_activation_norm, atol=1e-3)


def test_profile_is_the_same_bit_for_bit_when_measured_again() -> None:
    case = vg.Case(**TINY, activation="sigmoid")
    first, second = vg.measure_gradients(case), vg.measure_gradients(case)
    np.testing.assert_array_equal(first.log10_activation_norm, second.log10_activation_norm)


def test_a_seeds_profile_does_not_depend_on_the_other_seeds() -> None:
    both = vg.measure_gradients(vg.Case(**TINY))
    alone = vg.measure_gradients(vg.Case(**TINY | {"seeds": (1,)}))
    np.testing.assert_array_equal(both.log10_activation_norm[1:], alone.log10_activation_norm)


def test_clipping_leaves_the_decay_of_a_vanishing_case_untouched() -> None:
    slots = TINY | {"activation": "sigmoid"}
    bare = vg.measure_gradients(vg.Case(**slots))
    clipped = vg.measure_gradients(
        vg.Case(**slots, gradient_transform={"name": "clip_by_global_norm", "max_norm": 1e-3})
    )
    np.testing.assert_array_equal(bare.log10_activation_norm, clipped.log10_activation_norm)


THEORY = {"width": 512, "depth": 50, "seeds": (0, 1), "data": {"name": "gaussian"}}


@pytest.mark.parametrize(
    ("slots", "decay", "tolerance"),
    [
        ({"activation": "relu", "init": "lecun_normal"}, -0.1505, 0.004),
        pytest.param({"activation": "relu", "init": "he_normal"}, 0.0, 0.004, marks=pytest.mark.slow),
        pytest.param({"activation": "sigmoid", "init": "lecun_normal"}, -0.6270, 0.004, marks=pytest.mark.slow),
        ({"activation": "relu", "init": "he_normal", "norm": "batch"}, 0.08, 0.01),
    ],
    ids=lambda value: ids(value) if isinstance(value, dict) else str(value),
)
def test_decay_is_what_mean_field_theory_says(slots: dict, decay: float, tolerance: float) -> None:
    profile = vg.measure_gradients(vg.Case(**THEORY, **slots))
    assert profile.decay.value == pytest.approx(decay, abs=tolerance)
    assert profile.status == "ok"


@pytest.mark.slow
def test_tanhs_mean_factor_is_what_theory_says_though_its_decay_is_no_straight_line() -> None:
    profile = vg.measure_gradients(vg.Case(**THEORY, activation="tanh", init="lecun_normal"))
    assert profile.log10_first_over_last.value / 49 == pytest.approx(-0.0154, abs=0.002)
    assert profile.decay.value > profile.log10_first_over_last.value / 49  # it decays as 1/l, most in the first layers


@pytest.mark.slow
def test_ten_thousand_layers_are_measured_exactly() -> None:
    case = vg.Case(model="mlp", depth=10000, width=128, activation="sigmoid", init="lecun_normal", seeds=(0,))
    profile = vg.measure_gradients(case)
    assert profile.log10_activation_norm[0, 0] == pytest.approx(-6280, abs=30)
    assert profile.decay.value == pytest.approx(-0.628, abs=0.01)


def test_plain_backpropagation_reads_zero_where_the_profile_says() -> None:
    case = vg.Case(depth=70, width=32, activation="sigmoid", init="lecun_normal", seeds=(0,))
    profile = vg.measure_gradients(case)
    assert profile.plain_zero_layer is not None
    zero = np.flatnonzero(np.isneginf(by_hand.log10_activation_norms(case)[0]))[-1] + 1
    assert -1 <= zero - profile.plain_zero_layer <= by_hand.FLUSHED_EARLIER
    assert np.isfinite(profile.log10_activation_norm).all()


def test_activations_that_flush_to_zero_are_named_and_left_out() -> None:
    profile = vg.measure_gradients(vg.Case(depth=300, activation="relu", init="lecun_normal", seeds=(0,)))
    assert profile.status == "forward_underflow"
    assert profile.forward_limit == pytest.approx(250, abs=20)
    assert np.isnan(profile.decay.value)


def test_activations_that_overflow_are_named() -> None:
    slots = {"activation": "relu", "init": "he_normal", "skip": "residual"}
    profile = vg.measure_gradients(vg.Case(depth=300, seeds=(0,), **slots))
    assert profile.status == "nonfinite"
    largest = profile.log10_largest_activation[0]
    assert profile.forward_limit is not None
    assert np.isfinite(largest[: profile.forward_limit - 1]).all()
    assert not np.isfinite(largest[profile.forward_limit - 1])


def profile_of(norms: np.ndarray, largest: np.ndarray | None = None) -> GradientProfile:
    largest = np.zeros_like(norms) if largest is None else largest
    return GradientProfile(
        norms,
        norms[:, [*range(norms.shape[1]), -1]],
        largest,
        (),
        np.zeros((*norms.shape, 0)),
        (),
        np.zeros((*norms.shape, 0)),
        np.isneginf(norms),
        float(jnp.finfo("float32").smallest_normal),
        2.0**-23,
    )


def test_decay_is_negative_when_norms_fall_towards_the_input() -> None:
    profile = profile_of(np.asarray([[-3.0, -2.0, -1.0], [-5.0, -3.0, -1.0]]))
    np.testing.assert_allclose(profile.decay_per_seed, [-1, -2])
    assert profile.decay.value == pytest.approx(-1.5)
    assert profile.decay.half_width == pytest.approx(12.706 * np.std([1, 2], ddof=1) / np.sqrt(2), rel=1e-3)
    assert profile.log10_first_over_last.value == pytest.approx(-3)


def test_slope_is_fitted_only_where_both_passes_hold() -> None:
    norms = np.asarray([[-9.0, -7.0, -5.0, 40.0, 50.0]])
    assert profile_of(norms, np.asarray([[0, 0, 0, -np.inf, -np.inf]])).decay.value == pytest.approx(-2)
    assert profile_of(np.asarray([[-np.inf, -np.inf, -3.0, -2.0]])).decay.value == pytest.approx(-1)


def test_a_single_layer_has_no_decay() -> None:
    profile = vg.measure_gradients(vg.Case(**TINY | {"depth": 1}))
    assert np.isfinite(profile.log10_activation_norm).all()
    assert np.isnan(profile.decay.value)
    assert profile.log10_first_over_last.value == 0


def test_zero_gradient_is_minus_infinity_not_an_error() -> None:
    profile = profile_of(np.full((1, 3), -np.inf))
    assert profile.status == "ok"
    assert profile.plain_zero_layer == 3
    assert np.isnan(profile.decay.value)


def test_more_examples_than_there_are_is_refused() -> None:
    with pytest.raises(vg.InputError, match="batch_size: 2000 is more than the 1078 training examples of digits"):
        vg.measure_gradients(vg.Case(batch_size=2000))


def test_cells_that_differ_in_initialisation_and_training_share_a_compiled_profile() -> None:
    slots: dict = {"depth": 3, "width": 24, "batch_size": 16, "seeds": (0,)}
    shared.forget()
    made = shared.programs_made()
    for others in (
        {},
        {"init": "lsuv"},
        {"optimizer": "lion", "gradient_transform": "normalize", "learning_rates": (1.0,)},
    ):
        vg.measure_gradients(vg.Case(**slots, **others))
    assert shared.programs_made() - made == 3  # and one that draws for each initialisation
    (profile,) = (program for (make, _), program in shared._PROCESS.programs.items() if make.__name__ == "program")
    assert profile._cache_size() == 1
    vg.measure_gradients(vg.Case(**slots, norm="rms"))
    assert shared.programs_made() - made == 5


@pytest.mark.parametrize(
    "others",
    [
        {"init": {"name": "orthogonal", "gain": 1.3}, "norm": "batch"},
        pytest.param({"skip": "highway", "dtype": "float64"}, marks=pytest.mark.slow),
    ],
)
def test_weights_drawn_where_they_are_used_give_the_same_profile(others: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    case = vg.Case(depth=6, width=16, batch_size=16, activation="tanh", seeds=(0,), **others)
    held, held_forward = vg.measure_gradients(case), vg.measure_forward(case)
    monkeypatch.setattr(draw, "HELD_WEIGHTS", 1000)
    network = initial_network(case, Problem(64, 10))
    assert network.redrawn
    key = network.init(jax.random.key(0)).params["blocks"]
    assert {leaf.shape for leaf in jax.tree.leaves(key)} == {(5, 2), (5,)}
    shared.forget()
    drawn, drawn_forward = vg.measure_gradients(case), vg.measure_forward(case)
    for name in ("log10_activation_norm", "log10_parameter_norm", "log10_largest_activation"):
        np.testing.assert_allclose(getattr(drawn, name), getattr(held, name), atol=1e-5)
    np.testing.assert_allclose(drawn_forward.mean_slope, held_forward.mean_slope, atol=1e-5)
    with monkeypatch.context() as other:
        other.setattr(draw, "HELD_WEIGHTS", 10**8)
        assert not initial_network(case, Problem(64, 10)).redrawn
    assert function_of(case, network).init == case.init


@pytest.mark.parametrize(
    ("others", "held"),
    [
        ({"norm": "batch", "skip": "residual"}, 10**8),
        ({"dtype": "float64"}, 0),
        pytest.param({"init": "lsuv"}, 0, marks=pytest.mark.slow),
        pytest.param({"model": "transformer", "norm": "layer", "skip": "residual"}, 0, marks=pytest.mark.slow),
        pytest.param({"model": "convnet", "norm": "batch", "dtype": "float64"}, 10**8, marks=pytest.mark.slow),
    ],
)
def test_a_profile_in_segments_is_the_same(others: dict, held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    case = vg.Case(depth=9, width=16, batch_size=16, activation="tanh", seeds=(0,), **others)
    whole = vg.measure_gradients(case)
    monkeypatch.setattr(draw, "HELD_WEIGHTS", held)
    monkeypatch.setattr(draw, "SHALLOW", 0)
    monkeypatch.setattr(segments, "HELD_BYTES", 0)
    shared.forget()
    parts = vg.measure_gradients(case)
    # Weights that are drawn anew may differ in the last bit of float32 from those that one program draws.
    tolerance = 1e-12 if case.dtype == "float64" and held else 1e-5
    for name in ("activation_norm", "parameter_norm", "largest_activation", "state_norm", "kind_norm"):
        found, expected = (getattr(each, f"log10_{name}") for each in (parts, whole))
        np.testing.assert_allclose(found, expected, atol=tolerance)


DEEP = """
import json, resource, sys
import vgbench as vg
profile = vg.measure_gradients(vg.Case(**json.loads(sys.argv[1]), steps=0, seeds=(0,)))
print(json.dumps([profile.decay.value, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("depth", "width"), [(100_000, 64), (10_000, 512)])
def test_the_deepest_profiles_take_less_than_4_gib(depth: int, width: int) -> None:
    case = json.dumps({"depth": depth, "width": width, "activation": "sigmoid", "init": "lecun_normal"})
    done = subprocess.run([sys.executable, "-c", DEEP, case], check=True, text=True, stdout=subprocess.PIPE)
    decay, peak_gib = json.loads(done.stdout)
    assert decay == pytest.approx(-0.628, abs=0.01)
    assert peak_gib < 4
