"""Theory: the anchors of the literature, what is exact, what is unknown, and predictions beside measurements."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from helpers.command_line import vgbench
from scipy import stats

import vgbench as vg
from vgbench.mitigations.mean_field import moments
from vgbench.records.runs import read_runs
from vgbench.records.schema import CellRecord, Manifest
from vgbench.records.store import device_folders, read_record
from vgbench.spec.registry import ACTIVATIONS
from vgbench.theory import Prediction, compare, phase_diagram, point, predict, why_none
from vgbench.theory.inputs import inputs_of
from vgbench.theory.normalised import growth_of_one_example, kept_correlation, over_batch, over_features
from vgbench.theory.phase import edge_of_chaos
from vgbench.theory.prediction import LEVEL, from_factors

RESULTS = Path(__file__).parents[2] / "results"
UNTRAINED: dict[str, Any] = {"steps": 0, "learning_rates": (), "tuning_seeds": ()}


def case(**slots: Any) -> vg.Case:
    common = {"depth": 50, "width": 512, "data": "gaussian", "batch_size": 16, **UNTRAINED}
    return vg.Case(**common | slots)


def lecun(weight_variance: float) -> dict[str, Any]:
    return {"name": "lecun_normal", "gain": weight_variance**0.5}


def squared_decades(**slots: Any) -> float:
    found = predict(case(**slots))
    assert found
    return 2 * found.log10_first_over_last


LEAKY = {"name": "leaky_relu", "negative_slope": 0.2}

# (activation, sw2, sb2, log10 of the squared ratio of dL/dz over 49 layers)
PLAIN = [
    ("linear", 1, 0, 0.0),
    ("relu", 2, 0, 0.0),
    ("relu", 1, 0, -14.750),
    (LEAKY, 2 / 1.04, 0, 0.0),
    ("tanh", 1, 0, -1.835),
    ("tanh", 0.5, 0.05, -18.128),
    ("tanh", 1.76095, 0.05, -0.339),
    ("tanh", 4, 0.05, 6.099),
    ("sigmoid", 1, 0, -61.544),
    ("sigmoid", 103.0, 0, -0.183),
    ("erf", 1, 0, -0.325),
    ("selu", 1, 0, 1.472),
    ("gelu", 1, 0, -28.861),
    ("gelu", 2, 0, -11.137),
    ("silu", 2, 0, -13.467),
]


@pytest.mark.parametrize(("activation", "weights", "biases", "published"), PLAIN, ids=str)
def test_plain_networks_have_the_published_ratio(
    activation: Any, weights: float, biases: float, published: float
) -> None:
    # In this order h_l is the pre-activation, of which the published figures are.
    model = {"name": "mlp", "bias_std": biases**0.5, "order": "pre_activation"}
    got = squared_decades(activation=activation, init=lecun(weights), model=model)
    assert got == pytest.approx(published, abs=2e-3)


@pytest.mark.parametrize("depth", [10, 100])
def test_gradients_by_h_and_by_z_differ_by_one_factor_chi(depth: int) -> None:
    weights, first = 25 / 9, 25 / 9  # variance of the weights, and of the first layer's pre-activations
    last = first
    for _ in range(depth - 1):
        last = weights * float(moments(jnp.tanh, last).square)
    chi_first, chi_last = (weights * float(moments(jnp.tanh, q).slope) for q in (first, last))
    by_h, by_z = (
        squared_decades(activation="tanh", init=lecun(weights), depth=depth, model={"name": "mlp", "order": order})
        for order in ("before_addition", "pre_activation")
    )
    assert by_h - by_z == pytest.approx(np.log10(chi_last / chi_first), abs=1e-5)
    assert by_h - by_z == pytest.approx(0.16, abs=0.005)  # as docs/concepts.md says


def test_only_what_a_width_leaves_is_called_unstable() -> None:
    gelu, tanh = predict(case(activation="gelu", init=lecun(2))), predict(case(activation="tanh", init=lecun(1)))
    assert gelu
    assert tanh
    assert any("unstable" in assumption for assumption in gelu.assumptions)
    assert (gelu.kind, tanh.kind) == ("order", "asymptotic")
    assert not any("unstable" in assumption for assumption in tanh.assumptions)


# (activation, squared factor a layer behind layer or RMS norm, behind batch norm in a large batch)
NORMALISED = [
    ("relu", 1.0, np.pi / (np.pi - 1)),
    ("tanh", 1.17781, 1.17781),
    ("sigmoid", 0.15283, 1.03359),
    ("selu", 1.07161, 1.07161),
    ("gelu", 1.07203, 1.31884),
    ("silu", 1.06663, 1.21208),
    ("squared_relu", 4 / 3, 1.6),
]


@pytest.mark.parametrize(("activation", "features", "batch"), NORMALISED)
def test_normalised_factors_in_the_limit(activation: str, features: float, batch: float) -> None:
    function, many = ACTIVATIONS[activation].function, 100_000
    for centred in (True, False):
        unit = over_features(function, many, centred=centred)
        assert unit.kept / unit.power == pytest.approx(features, abs=1e-4)
    unit = over_batch(function, many)
    assert unit.kept / unit.power == pytest.approx(batch, abs=1e-4)


@pytest.mark.parametrize(("activation", "variance"), [("relu", np.pi / (np.pi - 1)), ("sigmoid", 1.03359)])
def test_layer_norm_after_the_activation_divides_by_its_variance(activation: str, variance: float) -> None:
    slots = {"activation": activation, "norm": "layer", "init": "lecun_normal"}
    found = predict(case(**slots, model={"name": "mlp", "order": "norm_after_activation"}))
    assert found
    np.testing.assert_allclose(2 * -np.diff(found.log10_norm), np.log10(variance), atol=1e-5)


@pytest.mark.parametrize(
    ("activation", "examples", "factor"),
    [("relu", 8, 1.7882), ("relu", 128, 1.4797), ("linear", 8, 6 / 5), ("linear", 32, 30 / 29)],
)
def test_batch_norm_of_a_finite_batch_is_yangs_theorem(activation: str, examples: int, factor: float) -> None:
    unit = over_batch(ACTIVATIONS[activation].function, examples)
    assert unit.kept / unit.power == pytest.approx(factor, abs=5e-5)


def test_normalised_integrals_are_those_of_random_vectors() -> None:
    n, z = 12, np.random.default_rng(0).normal(size=(400_000, 12))
    z -= z.mean(axis=1, keepdims=True)
    z *= np.sqrt(n / (z**2).sum(axis=1, keepdims=True))
    values, slopes = np.tanh(z), 1 - np.tanh(z) ** 2
    unit = over_batch(ACTIVATIONS["tanh"].function, n)
    assert unit.power == pytest.approx((values[:, 0] ** 2 - values[:, 0] * values[:, 1]).mean(), abs=3e-3)
    gradient = slopes * (g := np.random.default_rng(1).normal(size=z.shape), g - g.mean(axis=1, keepdims=True))[1]
    gradient -= gradient.mean(axis=1, keepdims=True)
    gradient -= (gradient * z).sum(axis=1, keepdims=True) / n * z
    kept = (gradient**2).sum() / ((g - g.mean(axis=1, keepdims=True)) ** 2).sum() * n / (n - 3)
    assert unit.kept == pytest.approx(kept, rel=5e-3)


def test_single_examples_break_out_of_a_batch_for_gelu_and_silu_alone() -> None:
    growth = {
        name: growth_of_one_example(ACTIVATIONS[name].function) for name in ("linear", "relu", "tanh", "gelu", "silu")
    }
    assert growth["linear"] == pytest.approx(1)
    assert growth["relu"] == pytest.approx(1)
    assert growth["tanh"] < 0.5
    assert min(growth["gelu"], growth["silu"]) > 1.05


def test_correlations_of_a_batch_outlive_near_linear_layers() -> None:
    kept = {name: kept_correlation(ACTIVATIONS[name].function) for name in ("linear", "relu", "tanh", "sigmoid")}
    assert kept["linear"] == pytest.approx(1)
    assert kept["relu"] == pytest.approx((1 / 4) / (1 / 2 - 1 / (2 * np.pi)))
    assert kept["tanh"] == pytest.approx(0.6057**2 / 0.39429, abs=1e-3)
    assert kept["sigmoid"] > 0.98


AUTO = {"name": "lecun_normal", "gain": "auto"}

BACKBONES = [
    (30, {"skip": "residual"}, 30 * np.log10(2)),
    (60, {"skip": "scaled"}, 60 * np.log10(1 + 1 / 60)),
    (60, {"skip": "residual", "norm": "layer"}, np.log10(61)),
    (60, {"skip": "residual", "norm": "rms"}, np.log10(61)),
    (30, {"skip": "residual", "norm": "layer", "order": "post_norm"}, 0.0),
    (60, {"skip": "deep_norm", "norm": "layer", "order": "post_norm"}, 0.0),
]


@pytest.mark.parametrize(("blocks", "slots", "published"), BACKBONES, ids=str)
def test_residual_networks(blocks: int, slots: dict[str, Any], published: float) -> None:
    order = slots.get("order", "pre_activation")
    rest = {slot: value for slot, value in slots.items() if slot != "order"}
    got = squared_decades(depth=blocks + 1, width=4096, init=AUTO, model={"name": "mlp", "order": order}, **rest)
    assert got == pytest.approx(published, abs=0.01)


@pytest.mark.parametrize(
    ("parametrization", "branch"), [("mup", 1.0), ("depth_mup", (60 / 15) ** -0.5), ("completep", 15 / 60)]
)
def test_branches_are_multiplied_as_the_parametrization_says(parametrization: str, branch: float) -> None:
    # The stream's variance at block l is q = 1 + (l - 1) branch^2, and the block's factor is 1 + branch^2 / q.
    slots: dict[str, Any] = {"optimizer": "adam", "skip": "residual", "norm": "rms", "init": AUTO}
    model = {"name": "mlp", "order": "pre_activation"}
    got = squared_decades(depth=61, width=4096, parametrization=parametrization, model=model, **slots)
    assert got == pytest.approx(np.log10(1 + 60 * branch**2), abs=0.01)


FIXUP = {"skip": "fixup", "model": {"name": "mlp", "order": "pre_activation", "layers_per_block": 2}}
EXACT = [
    ({"skip": "rezero"}, 0.0),
    ({"skip": "skip_init", "activation": "sigmoid"}, 0.0),
    ({"skip": "zero_gamma", "norm": "batch"}, 0.0),
    ({"skip": {"name": "residual", "scale": 0.0, "stream_scale": 0.5}}, np.log10(0.5)),
    (FIXUP, 0.0),
    ({"activation": "linear", "init": "orthogonal"}, 0.0),
    ({"activation": "linear", "init": {"name": "identity", "gain": 0.9}}, np.log10(0.9)),
    ({"model": "recurrent", "activation": "linear", "data": "adding"}, 0.0),
    ({"model": "transformer", "data": "digits", "skip": "rezero", "norm": "none"}, 0.0),
]


@pytest.mark.parametrize(("slots", "forward"), EXACT, ids=str)
def test_exact_predictions(slots: dict[str, Any], forward: float) -> None:
    found = predict(case(**slots))
    assert found
    assert found.kind == "exact"
    np.testing.assert_allclose(found.log10_norm, forward * np.arange(49, -1, -1), atol=1e-9)
    assert found.decay == pytest.approx(forward)


UNKNOWN = [
    ({"norm": "batch", "activation": "gelu"}, "single examples' variances grow by 6% a layer"),
    ({"norm": "batch", "activation": "sigmoid", "data": "digits", "depth": 1001}, "a layer takes 2% of what examples"),
    ({"norm": "batch", "activation": "tanh", "data": "digits", "batch_size": 257}, "far from the fixed point"),
    ({"norm": "batch", "batch_size": 4}, "over 4 numbers: the integrals need at least 8"),
    ({"skip": "dense"}, "share the gradient unevenly"),
    ({"skip": "stochastic_depth"}, "drawn anew"),
    ({"init": "identity"}, "not random"),
    ({"skip": "attention_residual"}, "no theory of it is known here"),
    ({"norm": "batch", "model": {"name": "mlp", "order": "norm_after_activation"}}, "behind the activation reads"),
    ({"init": "gpt2", "skip": "residual"}, "the last weights of a branch are smaller"),
    (
        {"skip": "residual", "norm": "rms", "model": {"name": "mlp", "order": "post_activation"}},
        "tie the gradient to the signal",
    ),
    ({"skip": "residual", "init": "lecun_normal"}, "a mean that adds up on the stream"),
    ({"model": {"name": "recurrent", "layers": 2}, "data": "adding"}, "several cells"),
    ({"model": "transformer", "data": "digits", "norm": "batch"}, "norm 'batch' of tokens"),
    ({"model": "transformer", "data": "digits", "skip": "highway"}, "skip 'highway': no theory of it is known here"),
    ({"model": "transformer", "data": "digits", "norm": "none"}, "chooses single tokens"),
    ({"model": "transformer", "data": "gaussian_stream", "width": 16}, "how alike its tokens are"),
    ({"model": {"name": "causal_lm", "tied": True}, "data": "text"}, "begins along the tokens' own vectors"),
    ({"model": "causal_lm", "data": {"name": "text", "length": 512}}, "512 tokens: pairs of at most 256"),
]


@pytest.mark.parametrize(("slots", "reason"), UNKNOWN, ids=str)
def test_what_no_theory_covers_is_said_with_the_reason(slots: dict[str, Any], reason: str) -> None:
    asked = case(**slots)
    assert predict(asked) is None
    assert reason in (why_none(asked) or "")
    assert why_none(case()) is None


@pytest.mark.parametrize(
    ("slots", "reason"),
    [
        ({"depth": 10**9}, "depth 1000000000: a prediction is followed through 10,000 layers at most"),
        ({"init": {"name": "he_normal", "gain": 1e300}}, "the numbers of this case leave the range of float64"),
        ({"skip": {"name": "residual", "scale": 1e300}, "activation": "tanh"}, "leave the range of float64"),
    ],
)
def test_cases_beyond_what_can_be_followed_have_no_prediction(slots: dict[str, Any], reason: str) -> None:
    asked = case(**slots)
    assert predict(asked) is None
    assert reason in (why_none(asked) or "")


def test_ten_thousand_layers_are_followed() -> None:
    found = predict(case(depth=10_000, activation="relu", init="he_normal"))
    assert found
    assert found.decay == pytest.approx(0, abs=1e-9)


def recurrent(**slots: Any) -> Prediction:
    found = predict(case(model="recurrent", depth=100, data="adding", **slots))
    assert found
    return found


def test_the_linear_recurrent_unit_forgets_by_its_ring() -> None:
    found = recurrent(cell={"name": "lru", "r_min": 0.9, "r_max": 0.999})
    area = np.random.default_rng(0).uniform(0.9**2, 0.999**2, 200_000)
    assert found.log10_norm[0] == pytest.approx(np.log10(np.mean(area**99)) / 2, abs=0.005)
    assert found.kind == "asymptotic"


def test_the_state_space_cell_forgets_by_the_lengths_of_its_steps() -> None:
    found = recurrent(cell={"name": "s5", "dt_min": 0.01})
    step = np.exp(np.random.default_rng(0).uniform(np.log(0.01), np.log(0.1), 200_000))
    assert found.log10_norm[0] == pytest.approx(np.log10(np.mean(np.exp(-step * 99))) / 2, abs=0.005)
    assert found.kind == "asymptotic"


def test_a_driven_recurrence_settles_where_its_length_map_does() -> None:
    drive, data = 0.01, {"name": "gaussian", "features": 400}
    found = predict(case(model="recurrent", depth=400, data=data, cell={"name": "rnn", "input_scale": 0.1}))
    assert found
    z = np.random.default_rng(0).normal(size=1_000_000)
    q = 0.1
    for _ in range(100):
        q = np.mean(np.tanh(q**0.5 * z) ** 2) + drive
    slope = np.mean((1 - np.tanh(q**0.5 * z) ** 2) ** 2)
    assert np.diff(found.log10_norm)[-1] == pytest.approx(-np.log10(slope) / 2, abs=1e-3)


@pytest.mark.parametrize(
    ("activation", "bias_variance", "variance"),
    [("tanh", 0, 1), ("tanh", 0.05, 1.76095), ("sigmoid", 0, 103.0), ("relu", 0, 2), ("gelu", 0, np.nan)],
)
def test_edge_of_chaos(activation: str, bias_variance: float, variance: float) -> None:
    edge = edge_of_chaos(ACTIVATIONS.choose(activation), bias_variance**0.5)
    assert edge**2 == pytest.approx(variance, rel=1e-4, nan_ok=True)


def test_points_of_the_phase_diagram() -> None:
    sigmoid = point("sigmoid", 1.0)
    assert sigmoid.variance == pytest.approx(0.2647, abs=1e-4)
    assert 10 ** (2 * sigmoid.decay) == pytest.approx(0.05572, abs=1e-5)
    assert sigmoid.phase == "vanishing"
    assert sigmoid.depth_scale == pytest.approx(-1 / np.log(0.05572), rel=1e-3)
    critical = point("tanh", 1.76095**0.5, 0.05**0.5)
    assert critical.variance == pytest.approx(0.57, abs=1e-3)
    assert critical.phase == "critical"
    assert point("tanh", 2.0, 0.05**0.5).phase == "exploding"
    assert point("relu", 1.0).variance == 0
    assert point("relu", 2.0).variance == np.inf
    assert point("linear", 1.0).depth_scale == np.inf


def test_phases_change_at_the_edge() -> None:
    diagram = phase_diagram("tanh", np.linspace(0.5, 3, 26), np.linspace(0, 1, 3))
    assert diagram.decay.shape == (3, 26)
    for edge, decay in zip(diagram.edge, diagram.decay, strict=True):
        assert (decay[diagram.gain < edge - 0.05] < 0).all()
        assert (decay[diagram.gain > edge + 0.05] > 0).all()


HALVING = np.full(20, 0.25)


def asymptotic() -> Prediction:
    return from_factors(HALVING, "asymptotic", (), ())


def test_departure_has_the_p_of_a_t_test_over_the_seeds() -> None:
    assert asymptotic().decay == pytest.approx(np.log10(0.5))
    found = compare(asymptotic(), np.asarray([-0.30, -0.32, -0.34]))
    t = (-0.32 - np.log10(0.5)) / (0.02 / 3**0.5)
    assert found.p == pytest.approx(1 - abs(t) / np.sqrt(2 + t**2))  # with two degrees of freedom
    assert (found.measured, found.predicted) == pytest.approx((-0.32, np.log10(0.5)))
    assert found.departs is False


def test_three_standard_errors_of_three_seeds_are_no_departure_and_thirty_two_are_one() -> None:
    seeds = np.asarray([-0.01, 0.0, 0.01])
    for standard_errors, departs in ((3, False), (31, False), (32, True)):
        found = compare(asymptotic(), np.log10(0.5) + seeds + standard_errors * 0.01 / 3**0.5)
        assert found.departs is departs


def test_what_cannot_be_tested_has_no_p_and_is_not_said_to_depart() -> None:
    rough = from_factors(HALVING, "order", (), ())
    for prediction, decays in ((rough, [-1.0, -1.0]), (asymptotic(), [-1.0]), (asymptotic(), [np.nan, np.nan])):
        found = compare(prediction, np.asarray(decays))
        assert np.isnan(found.p)
        assert found.departs is None


@pytest.mark.parametrize(
    ("epsilon", "off", "departs"), [(2**-23, 1e-7, False), (2**-23, 1e-4, True), (2**-8, 1e-4, False)]
)
def test_exact_prediction_is_held_against_rounding_alone(epsilon: float, off: float, departs: bool) -> None:
    exact = from_factors(HALVING, "exact", (), ())
    for scatter in (0.0, 1e-12):
        found = compare(exact, np.log10(0.5) + off + np.asarray([0, scatter]), epsilon)
        assert np.isnan(found.p)
        assert found.departs is departs


def test_scatter_of_rounding_makes_no_departure() -> None:
    found = compare(asymptotic(), np.log10(0.5) + 1e-9 + 1e-13 * np.arange(3))
    assert found.departs is False


def test_gradient_of_a_batch_is_the_mean_over_its_sizes_of_examples() -> None:
    factors = np.asarray([[0.5, 0.1], [0.25, 1.0]])
    found = from_factors(factors, "asymptotic", (), ())
    assert 10 ** (2 * found.log10_norm) == pytest.approx([(0.5 * 0.25 + 0.1) / 2, (0.25 + 1) / 2, 1])
    uneven = from_factors(factors, "asymptotic", (), (), np.asarray([3.0, 1.0]))
    assert 10 ** (2 * uneven.log10_norm) == pytest.approx([(3 * 0.5 * 0.25 + 0.1) / 4, (3 * 0.25 + 1) / 4, 1])


def test_inputs_of_the_digits_are_as_large_as_they_are() -> None:
    x = vg.data.load_dataset(vg.Case(data="digits")).train.x
    found = inputs_of(vg.Case(data="digits", width=100))
    assert found.features == 64
    assert found.known
    squares = (x**2).mean(axis=1)
    assert np.mean(found.mean_square < 0.7) == pytest.approx(np.mean(squares < 0.7), abs=0.05)
    assert found.mean_square.max() > 3
    assert inputs_of(case(data={"name": "gaussian", "features": 30})).features == 30


def test_sizes_of_the_inputs_count_where_the_activation_saturates() -> None:
    (folder,) = device_folders(RESULTS / "mitigations")
    rows = read_record(folder.manifest, Manifest).rows
    row = next(row for row in rows if row.mitigation == "tanh_orthogonal" and row.axes["depth"] == 8)
    record = read_record(folder.cell(row.cell_id), CellRecord)
    found = predict(record.case)
    assert found
    assert record.gradients
    # Taken to be all of mean square 1, the digits would have a decay of -0.0492, 4 standard deviations off.
    assert record.gradients.decay.value == pytest.approx(found.decay, abs=0.001)


def p_of_draws(asked: vg.Case) -> np.ndarray:
    """The p of every three seeds of a case."""
    found = predict(asked)
    assert found
    decays = vg.measure_gradients(asked).decay_per_seed.reshape(-1, 3)
    return np.asarray([compare(found, three).p for three in decays])


def test_p_of_right_predictions_is_uniform() -> None:
    draws = np.log10(0.5) + 0.01 * np.random.default_rng(0).normal(size=(2000, 3))
    found = [compare(asymptotic(), three) for three in draws]
    assert stats.kstest([each.p for each in found], "uniform").pvalue > 0.01
    assert sum(bool(each.departs) for each in found) <= 6


def test_p_of_networks_is_uniform() -> None:
    found = p_of_draws(vg.Case(depth=6, activation="tanh", init="glorot_normal", seeds=tuple(range(300)), **UNTRAINED))
    assert 0.01 <= np.mean(found < 0.05) <= 0.1
    assert stats.kstest(found, "uniform").pvalue > 0.01


CALIBRATED = [
    {"activation": "sigmoid", "init": "glorot_normal"},
    {"activation": "tanh", "init": {"name": "orthogonal", "gain": "critical"}},
    {"activation": "relu", "init": "lecun_normal"},
    {"activation": "selu", "init": "lecun_normal"},
    {"activation": "sigmoid", "init": "glorot_normal", "skip": "residual"},
    {"activation": "sigmoid", "init": "glorot_normal", "skip": "highway"},
    {"activation": "relu", "init": "glorot_normal", "norm": "batch"},
    {"activation": "silu", "init": "lecun_normal", "norm": "layer"},
]


@pytest.mark.slow
def test_p_of_networks_of_many_kinds_is_uniform() -> None:
    seeds = tuple(range(1000, 1300))
    found = np.concatenate([p_of_draws(vg.Case(depth=12, seeds=seeds, **UNTRAINED, **slots)) for slots in CALIBRATED])
    assert 0.02 <= np.mean(found < 0.05) <= 0.09
    assert np.mean(found < LEVEL) <= 0.005


PUBLISHED = ["claims", "mitigations", "precision", "quickstart", "recurrent", "transformer"]


@pytest.mark.parametrize(
    "suite", ["flax-defaults", *(pytest.param(each, marks=pytest.mark.slow) for each in PUBLISHED)]
)
def test_no_published_row_departs_by_chance(suite: str) -> None:
    records = [entry.cell for run in read_runs(RESULTS / suite) for entry in run.entries if entry.cell]
    found = [
        compare(prediction, record.gradients.decay_per_seed, record.gradients.epsilon).departs
        for record in records
        if record.gradients and (prediction := predict(record.case))
    ]
    assert found.count(None) < len(found)
    assert not any(found)


def errors(width: int, activations: tuple[str, ...], gains: tuple[float, ...], seeds: int, depth: int) -> np.ndarray:
    """|measured - predicted| decay of every combination at one width."""
    found = []
    for activation in activations:
        for gain in gains:
            asked = case(
                activation=activation,
                init={"name": "lecun_normal", "gain": gain},
                width=width,
                depth=depth,
                seeds=tuple(range(seeds)),
                data={"name": "gaussian", "features": width},
            )
            prediction = predict(asked)
            assert prediction
            found.append(abs(vg.measure_gradients(asked).decay.value - prediction.decay))
    return np.asarray(found)


@pytest.mark.slow
def test_predictions_come_true_the_better_the_wider() -> None:
    narrow, wide = (errors(width, ("tanh", "sigmoid"), (1.0, 2.0), seeds=2, depth=12) for width in (16, 192))
    assert wide.max() < 0.01
    assert wide.mean() < narrow.mean() / 2


@pytest.mark.slow
def test_errors_shrink_with_the_width_over_activations_and_gains() -> None:
    activations, gains = ("linear", "tanh", "sigmoid", "relu", "selu"), (1.0, 2.0)
    narrow, middle, wide = (errors(width, activations, gains, seeds=4, depth=30) for width in (32, 128, 512))
    assert wide.mean() < middle.mean() < narrow.mean()
    assert wide.mean() < narrow.mean() / 3
    assert np.median(wide) < 0.002


LAST: dict[str, Any] = {"name": "mlp", "order": "norm_after_activation"}
MEASURED = [
    {"norm": "group", "activation": "tanh"},
    {"norm": "layer", "activation": "sigmoid"},
    {"norm": "layer", "model": LAST},
    {"norm": "rms", "activation": "tanh", "skip": "residual", "model": LAST},
    {"norm": "rms"},
    {"norm": "batch", "activation": "tanh", "batch_size": 64},
    {"norm": "dynamic_tanh", "activation": "silu"},
    {"norm": "dynamic_erf", "activation": "silu"},
    {"norm": "rms", "activation": "squared_relu"},
    pytest.param(
        {"skip": "residual", "init": "he_normal"},
        marks=pytest.mark.xfail(reason="ReLU's mean lines the stream up before theory refuses it: 0.20, not 0.15"),
    ),
    {"skip": "residual", "activation": "sigmoid"},
    {"skip": "residual", "activation": "tanh"},
    {"skip": "residual", "norm": "batch", "batch_size": 64, "model": {"name": "mlp", "order": "pre_activation"}},
    {"skip": "residual", "norm": "layer", "activation": "silu"},
    {"skip": "scaled", "model": {"name": "mlp", "layers_per_block": 2}, "activation": "sigmoid"},
    {"skip": "highway", "activation": "tanh"},
    {"skip": "highway", "activation": "relu"},
    {"skip": "layer_scale"},
    {"skip": "deep_norm", "norm": "layer", "model": {"name": "mlp", "order": "post_norm"}},
    {"model": {"name": "mlp", "order": "post_norm"}, "norm": "layer", "activation": "tanh"},
    {"model": {"name": "mlp", "order": "post_activation"}, "activation": "erf"},
    {"init": "lsuv", "activation": "tanh"},
    {"init": "orthogonal", "activation": "tanh"},
    {"init": {"name": "small_normal", "std": 0.05}, "activation": "tanh"},
    {"init": {"name": "glorot_uniform", "gain": 2.0}, "activation": "softsign"},
]


@pytest.mark.slow
@pytest.mark.parametrize("slots", MEASURED, ids=str)
def test_every_kind_of_network_comes_out_as_predicted(slots: dict[str, Any]) -> None:
    asked = case(**{"width": 256, "depth": 24, "seeds": (0, 1, 2, 3), "init": "lecun_normal", **slots})
    prediction, measured = predict(asked), vg.measure_gradients(asked).decay
    assert prediction
    assert measured.value == pytest.approx(prediction.decay, abs=max(measured.half_width, 0.004))


@pytest.mark.slow
def test_the_command_shows_every_activation() -> None:
    shown = vgbench("theory")
    for member in ACTIVATIONS:
        assert member.name in shown.out
    assert "-0.6270" in shown.out


def test_the_command_shows_the_cells_of_a_suite() -> None:
    suite = vgbench("theory", "skips")
    assert suite.code == 0
    assert "exact" in suite.out
    assert "drawn anew" in suite.out


def test_the_command_shows_predictions_and_what_a_run_measured_of_them() -> None:
    shown = vgbench("theory", RESULTS / "flax-defaults")
    assert shown.code == 0
    line = next(line for line in shown.out.splitlines() if "baseline, activation relu" in line)
    row = vg.load(RESULTS / "flax-defaults").query("mitigation == 'baseline' and activation == 'relu'").iloc[0]
    off = row["decay"] - row["predicted_decay"]
    expected = ["-0.1505", f"{row['decay']:.4f}", f"{off:.4f}", f"p {row['theory_p']:.3f}", "asymptotic"]
    assert [cell.strip() for cell in line.split("│")[2:7]] == expected
    assert "departs" not in shown.out


@pytest.mark.slow
def test_the_command_draws_a_phase_diagram(tmp_path: Any) -> None:
    shown = vgbench("theory", "--activation", "tanh", "--gains", "0.5:2", "--biases", "0:0.5")
    assert shown.code == 0
    last = [line for line in shown.out.splitlines() if line.startswith("bias std")][-1]
    signs = last.split()[-1]
    assert signs == "".join(sorted(signs, key="-=+".index))
    assert signs.count("=") > 0
    assert "edge of chaos at bias std 0: gain 1 " in shown.out
    picture = tmp_path / "phase.svg"
    assert vgbench("theory", "--activation", "tanh", "--out", picture).code == 0
    assert "tanh: change of the gradient" in picture.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--activation", "tnah"], "did you mean 'tanh'"),
        (["--activation", "tanh", "--gains", "2:1"], "--gains 2:1: is not LOW:HIGH"),
        (["--activation", "tanh", "--out", "x.gif"], "needs a name that ends in .png, .svg, .html"),
        (["--out", "x.png"], "needs --activation NAME"),
        (["quickstart", "--activation", "tanh"], "leave out 'quickstart'"),
        (["no_such_suite"], "unknown suite"),
    ],
)
def test_bad_arguments_are_reported(arguments: list[str], message: str) -> None:
    reported = vgbench("theory", *arguments)
    assert reported.code == 2
    assert message in reported.err
