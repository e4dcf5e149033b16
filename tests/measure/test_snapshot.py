"""What training shows: against numpy by hand, against the profile at initialisation, and where float32 reads zero."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import by_hand

import vgbench as vg
from vgbench.data import batch_indices, load_dataset
from vgbench.measure.draw import draw
from vgbench.measure.numerics import numerics
from vgbench.measure.profile import Norms, ratio
from vgbench.models import build_network

RATE, STEPS = 0.1, 3
TINY: dict[str, Any] = {
    "model": {"name": "mlp", "bias_std": 2.0},
    "depth": 3,
    "width": 12,
    "batch_size": 16,
    "dtype": "float64",
    "optimizer": {"name": "sgd", "momentum": 0.0},
    "learning_rates": (RATE,),
    "steps": STEPS,
    "seeds": (0, 3),
    "tuning_seeds": (),
}
SLOPES = {"tanh": lambda z: 1 - np.tanh(z) ** 2, "relu": lambda z: (z > 0).astype(float)}


def weights(params: Any) -> list[np.ndarray]:
    layers = [params["input_layer"], *(block["branch"][0] for block in params["blocks"]), params["output_layer"]]
    return [np.asarray(layer["linear"]["kernel"]) for layer in layers]


def biases(params: Any) -> list[np.ndarray]:
    return [
        np.asarray(layer["linear"]["bias"])
        for layer in (params["input_layer"], *(b["branch"][0] for b in params["blocks"]))
    ]


def log2_counts(gradient: np.ndarray) -> np.ndarray:
    """The histogram from the definition of its bins."""
    edges = np.concatenate([[0.0], 2.0 ** np.arange(-126, 128)])
    counts, _ = np.histogram(np.abs(gradient), bins=edges)
    return np.append(counts, [0, 0])


def shown_by_hand(case: vg.Case, seed: int) -> dict[str, np.ndarray]:
    """What a snapshot after all steps should show, by plain backpropagation and numpy, [layers]."""
    (x, y), *_ = dataset = load_dataset(case).of_seed(seed)
    with numerics("float64", "highest"):
        network = build_network(case, dataset.problem, scanned=False)
        initial = params = jax.tree.map(jnp.asarray, by_hand.plain(draw(case, network, dataset, seed).params))
        none = [jnp.zeros((case.batch_size, case.width))] * case.depth
        gradients_of = jax.jit(jax.grad(lambda p, x, y: by_hand.loss(case, p, x, y, none)))
        batches = batch_indices(len(y), case.batch_size, case.steps, seed)
        for batch in batches:
            moved = gradients_of(params, jnp.asarray(x[batch], "float64"), y[batch])
            params = jax.tree.map(lambda p, g: p - RATE * g, params, moved)
        gradients = weights(gradients_of(params, jnp.asarray(x[batches[0]], "float64"), y[batches[0]]))
    norms, start, steep = (list(map(np.linalg.norm, each)) for each in (weights(params), weights(initial), gradients))
    moved = [np.linalg.norm(now - then) for now, then in zip(weights(params), weights(initial), strict=True)]
    h, given = x[batches[0]].astype(np.float64), []
    for kernel, bias in zip(weights(params)[:-1], biases(params), strict=True):
        given.append(h @ kernel + bias)
        h = np.asarray(by_hand.ACTIVATIONS[case.activation.name](given[-1]), np.float64)
    slopes = [SLOPES[case.activation.name](z) for z in given]
    return {
        "log10_parameter_norm": np.log10(steep),
        "gradient_histogram": np.stack([log2_counts(gradient) for gradient in gradients]),
        "update_to_weight": RATE * np.divide(steep, norms),
        "log10_weight_norm": np.log10(norms),
        "displacement": np.divide(moved, start),
        "preactivation_mean": np.asarray([z.mean() for z in given]),
        "preactivation_variance": np.asarray([z.var() for z in given]),
        "mean_slope": np.asarray([slope.mean() for slope in slopes]),
        "saturated": np.asarray([np.mean(slope < 0.05) for slope in slopes]),
        "dead": np.asarray([np.mean((slope < 0.05).all(axis=0)) for slope in slopes]),
    }


@pytest.mark.parametrize(
    ("activation", "layers"),
    [
        ("relu", "unroll"),
        pytest.param("tanh", "scan", marks=pytest.mark.slow),
        pytest.param("tanh", "unroll", marks=pytest.mark.slow),
        pytest.param("relu", "scan", marks=pytest.mark.slow),
    ],
)
def test_every_field_is_what_numpy_says(activation: str, layers: str) -> None:
    case = vg.Case(**TINY, activation=activation, block_execution=layers)
    curves = vg.measure_training(case)
    for i, seed in enumerate(case.seeds):
        for name, expected in shown_by_hand(case, seed).items():
            np.testing.assert_allclose(
                getattr(curves.snapshots, name)[i, -1], expected, rtol=1e-6, atol=1e-9, err_msg=name
            )
    assert 0 < curves.snapshots.dead.mean() < curves.snapshots.saturated.mean() < 1


@pytest.fixture(scope="module")
def deep() -> vg.Snapshots:
    slots = {"activation": "sigmoid", "init": "glorot_normal", "depth": 80, "width": 16, "matmul_precision": "highest"}
    case = vg.Case(**slots, steps=3, learning_rates=(0.1,), seeds=(0, 1), tuning_seeds=())
    return vg.measure_training(case).snapshots


def test_profiles_go_on_where_float32_reads_zero(deep: vg.Snapshots) -> None:
    assert (deep.gradient_histogram[:, :, 0, 0] == 64 * 16).all()
    assert (deep.log10_activation_norm[:, :, 0] < -45).all()
    assert np.isfinite(deep.log10_activation_norm).all()
    assert np.isfinite(deep.log10_parameter_norm).all()


def test_the_first_snapshot_is_the_profile_at_initialisation(deep: vg.Snapshots) -> None:
    slots = {"activation": "sigmoid", "init": "glorot_normal", "depth": 80, "width": 16}
    profile = vg.measure_gradients(vg.Case(**slots, seeds=(0, 1)))
    np.testing.assert_allclose(deep.log10_activation_norm[:, 0], profile.log10_activation_norm, atol=1e-5)
    np.testing.assert_allclose(deep.log10_parameter_norm[:, 0], profile.log10_parameter_norm, atol=1e-5)
    assert (deep.displacement[:, 0] == 0).all()


def test_every_weight_is_counted_once(deep: vg.Snapshots) -> None:
    sizes = [64 * 16, *[16 * 16] * 79, 16 * 10]
    np.testing.assert_array_equal(deep.gradient_histogram.sum(axis=-1), np.broadcast_to(sizes, (2, 2, 81)))


def test_a_net_that_stands_still_shows_the_same_in_every_snapshot() -> None:
    # But for the learning rate the case that is held against numpy, so that their programs are shared.
    curves = vg.measure_training(
        vg.Case(**TINY | {"learning_rates": (1e-300,)}, activation="relu", block_execution="unroll")
    )
    assert curves.step.tolist() == [0, STEPS]
    assert (curves.snapshots.displacement == 0).all()
    for name in ("preactivation_mean", "preactivation_variance", "log10_activation_norm", "gradient_histogram"):
        shown = getattr(curves.snapshots, name)
        np.testing.assert_array_equal(shown, np.broadcast_to(shown[:, :1], shown.shape))


def test_a_layer_without_activation_has_no_preactivations() -> None:
    order = {"name": "mlp", "order": "pre_activation"}
    curves = vg.measure_training(vg.Case(**TINY | {"model": order, "depth": 2}, skip="residual"))
    assert np.isnan(curves.snapshots.saturated[:, :, 0]).all()
    assert np.isfinite(curves.snapshots.saturated[:, :, 1]).all()


@pytest.mark.slow
def test_blocks_of_unequal_width_and_of_several_matrices_are_shown() -> None:
    case = vg.Case(
        **TINY | {"model": "mlp"}, skip={"name": "dense", "growth": 4}, norm="weight", block_execution="unroll"
    )
    curves = vg.measure_training(case)
    assert curves.snapshots.gradient_histogram.sum(axis=-1)[0, 0].tolist() == [64 * 12, 12 * 4, 16 * 4, 20 * 10]
    gated = vg.measure_training(vg.Case(**TINY | {"depth": 2}, skip="highway"))
    assert gated.snapshots.gradient_histogram.sum(axis=-1)[0, 0].tolist() == [64 * 12, 2 * 12 * 12, 12 * 10]


def test_a_ratio_of_norms_beyond_float64_is_taken_from_their_exponents() -> None:
    norm, other = (Norms(np.asarray([1.5, 1.0, 0.0]), np.asarray([e, 0.0, 0.0])) for e in (-3000.0, -3001.0))
    zero = Norms(np.zeros(3), np.zeros(3))
    np.testing.assert_array_equal(ratio(norm, other), [2, 1, np.nan])
    np.testing.assert_array_equal(ratio(norm, zero)[1:], [np.inf, np.nan])
