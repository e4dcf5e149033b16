"""Recurrent networks: against plain backpropagation written by hand, closed forms, and what is known of their cells."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import by_hand, recurrent_by_hand
from pydantic import ValidationError

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.instruments.probe import log10_norms, observe
from vgbench.measure.draw import draw, first_batch
from vgbench.measure.numerics import numerics
from vgbench.measure.profile import profile, whole
from vgbench.measure.step import make_step, start
from vgbench.models import build_network
from vgbench.models.network import Taps, Variables
from vgbench.models.problem import Problem
from vgbench.models.recurrent import Recurrent
from vgbench.spec.registry import CELLS

SMALL: dict[str, Any] = {
    "model": "recurrent",
    "depth": 12,
    "width": 6,
    "data": "adding",
    "batch_size": 8,
    "seeds": (0,),
}
NAMES = [cell.name for cell in CELLS if cell.name != "none"]
each_cell = pytest.mark.parametrize("cell", NAMES)
IN_FAST_TIER = ("lstm", "s5", "gated_linear")
each_cell_slowly = pytest.mark.parametrize(
    "cell", [name if name in IN_FAST_TIER else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
)


@each_cell_slowly
def test_float64_profile_equals_backpropagation_by_hand(cell: str) -> None:
    case = vg.Case(**SMALL | {"seeds": (0, 1)}, cell=cell, dtype="float64")
    joint, apart, weights = recurrent_by_hand.log10_norms(case)
    measured = vg.measure_gradients(case)
    np.testing.assert_allclose(measured.log10_activation_norm, joint, atol=1e-9)
    np.testing.assert_allclose(measured.log10_parameter_norm, weights, atol=1e-9)
    if measured.states:
        assert measured.states == ("c", "h")
        np.testing.assert_allclose(measured.log10_state_norm, apart, atol=1e-9)
    else:
        assert measured.log10_state_norm.shape == (2, 12, 0)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm", "chrono_lstm"])
def test_float32_is_within_1e_5_of_plain_float64_over_200_steps(cell: str) -> None:
    case = vg.Case(**SMALL | {"depth": 200, "width": 32}, cell=cell)
    expected, *_ = recurrent_by_hand.log10_norms(vg.Case(**{**dict(case), "dtype": "float64"}))
    np.testing.assert_allclose(vg.measure_gradients(case).log10_activation_norm, expected, atol=1e-5)


@pytest.mark.parametrize("cell", ["lstm", "gru", "lru"])
def test_a_loss_at_many_steps_leaves_its_profile_to_the_last_one(cell: str) -> None:
    case = vg.Case(**SMALL | {"data": {"name": "copy_memory", "symbols": 3}}, cell=cell, dtype="float64")
    expected, _, weights = recurrent_by_hand.log10_norms(case)
    measured = vg.measure_gradients(case)
    np.testing.assert_allclose(measured.log10_activation_norm, expected, atol=1e-9)
    np.testing.assert_allclose(measured.log10_parameter_norm, weights, atol=1e-9)


@pytest.mark.slow
@each_cell
def test_stacked_cells_in_every_form_have_the_norms_of_an_undivided_pass(cell: str) -> None:
    for layers in ("scan", "unroll"):
        model = {"name": "recurrent", "layers": 2}
        case = vg.Case(**SMALL | {"model": model, "depth": 7}, cell=cell, block_execution=layers, dtype="float64")
        dataset = load_dataset(case)
        with numerics("float64", "highest"):
            network = build_network(case, dataset.problem)
            variables, (x, y) = draw(case, network, dataset, 0), first_batch(case, dataset, 0)

            def loss(taps: Taps, variables: Variables = variables, network: Any = network) -> jax.Array:
                answers = network.apply(variables, x, train=True, probe=observe, taps=taps).answers  # noqa: B023
                return jnp.mean((answers[:, 0] - y) ** 2)  # noqa: B023

            taps = jax.grad(loss)(network.zero_taps())
            measured = whole(profile(network, variables, x, y))
        assert network.states == (("c1", "h1", "c2", "h2") if cell in ("lstm", "chrono_lstm") else ("h1", "h2"))
        for got, plain in zip(measured[:3], (taps.activation, taps.parameter, taps.state), strict=True):
            np.testing.assert_allclose(log10_norms(*got), log10_norms(plain[..., 0], plain[..., 1]), atol=1e-9)


@each_cell
@pytest.mark.parametrize("layers", ["scan", "unroll"])
def test_a_training_step_changes_all_weights(cell: str, layers: str) -> None:
    case = vg.Case(**SMALL | {"data": "digits", "depth": 4}, cell=cell, block_execution=layers)
    dataset = load_dataset(case)
    network = build_network(case, dataset.problem)
    variables = draw(case, network, dataset, 0)
    state, loss = jax.jit(make_step(network, case))(
        start(network, case, variables, 0.01), first_batch(case, dataset, 0), 0.01
    )
    assert np.isfinite(loss)
    for before, after in zip(*map(jax.tree.leaves, (variables.params, state.variables.params)), strict=True):
        assert (before != after).any()


def changed(case: vg.Case, change: Any) -> Any:
    """The profile of the first seed with the cell's parameters passed through `change`."""
    dataset = load_dataset(case)
    with numerics(case.dtype, "highest"):
        network = build_network(case, dataset.problem)
        variables = draw(case, network, dataset, case.seeds[0])
        cell: Any = by_hand.plain(variables.params["input_layer"])["cell"]
        input_layer = jax.tree.unflatten(
            jax.tree.structure(variables.params["input_layer"]), jax.tree.leaves(change(cell))
        )
        variables = variables._replace(params={**variables.params, "input_layer": input_layer})
        x, y = first_batch(case, dataset, case.seeds[0])
        return whole(jax.jit(lambda variables: profile(network, variables, x, y))(variables)), variables


def zero_kernels(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.zeros_like(leaf) if leaf.ndim > 1 else leaf, tree)


@pytest.mark.parametrize("forget_bias", [0.0, 1.0, 3.0])
def test_lstms_memory_without_weights_loses_its_forget_gate_at_every_step(forget_bias: float) -> None:
    case = vg.Case(**SMALL | {"depth": 30}, cell={"name": "lstm", "forget_bias": forget_bias}, dtype="float64")
    measured, _ = changed(case, zero_kernels)
    memory = log10_norms(*measured.state)[:, 0]
    assert np.isneginf(memory[-1])  # the loss reads h alone
    np.testing.assert_allclose(np.diff(memory[:-1]), -np.log10(1 / (1 + np.exp(-forget_bias))), atol=1e-12)


def drawn(case: vg.Case, inputs: int = 2) -> tuple[Recurrent, list[Any]]:
    """The network, and the cell's parameters for each seed."""
    network: Any = build_network(case, Problem(inputs * case.depth, 1))
    cells = [by_hand.plain(network.init(jax.random.key(seed)).params["input_layer"]) for seed in case.seeds]
    return network, [cell["cell"] for cell in cells]


@pytest.mark.parametrize("steps", [100, 1000])
def test_chrono_memories_last_as_long_as_the_sequence(steps: int) -> None:
    case = vg.Case(
        **SMALL | {"depth": steps, "width": 256, "seeds": tuple(range(8))}, cell="chrono_lstm", init="lecun_normal"
    )
    biases = np.stack([np.split(cell["dense_h"]["bias"], 4) for cell in drawn(case)[1]])
    lasting = (1 / (1 + np.exp(-biases[:, 1]))) ** steps
    assert lasting.mean() == pytest.approx(0.149, abs=0.02)
    np.testing.assert_array_equal(biases[:, 0], -biases[:, 1])


@pytest.mark.slow
def test_chrono_profile_without_weights_is_that_of_its_forget_gates() -> None:
    case = vg.Case(**SMALL | {"depth": 60, "width": 64}, cell="chrono_lstm", dtype="float64")
    measured, variables = changed(case, zero_kernels)
    output_layer = np.asarray(variables.params["output_layer"]["kernel"][...])[:, 0]
    forget = 1 / (
        1 + np.exp(-np.split(np.asarray(variables.params["input_layer"]["cell"]["dense_h"]["bias"][...]), 4)[1])
    )
    lengths = np.arange(1, 60)[::-1]
    expected = np.log10(np.linalg.norm(output_layer[:, None] * forget[:, None] ** lengths, axis=0))
    memory = log10_norms(*measured.state)[:-1, 0]
    np.testing.assert_allclose(memory - memory[-1], expected - expected[-1], atol=1e-12)


@pytest.mark.parametrize(
    ("r_min", "r_max"),
    [(0.0, 1.0), *(pytest.param(*ring, marks=pytest.mark.slow) for ring in ((0.9, 0.999), (0.5, 0.6)))],
)
def test_linear_recurrent_unit_loses_what_its_ring_says(r_min: float, r_max: float) -> None:
    cell = {"name": "lru", "r_min": r_min, "r_max": r_max}
    case = vg.Case(**SMALL | {"depth": 20, "width": 512, "seeds": tuple(range(8))}, cell=cell, activation="linear")
    profile = vg.measure_gradients(case)
    squared = 10 ** (2 * profile.log10_activation_norm - 2 * profile.log10_activation_norm[:, -1:])
    steps = np.arange(20)[::-1]
    expected = (r_max ** (2 * steps + 2) - r_min ** (2 * steps + 2)) / ((steps + 1) * (r_max**2 - r_min**2))
    np.testing.assert_allclose(squared.mean(axis=0), expected, rtol=0.08)
    modulus = np.concatenate([np.exp(-np.exp(params["log_decay"])) for params in drawn(case)[1]])
    assert ((modulus >= r_min - 1e-6) & (modulus <= r_max + 1e-6)).all()


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-5)])
def test_linear_orthogonal_recurrence_keeps_the_gradient_as_exactly_as_it_is_drawn(
    dtype: Any, tolerance: float
) -> None:
    case = vg.Case(**SMALL | {"depth": 300, "width": 32}, activation="linear", init="orthogonal", dtype=dtype)
    norms = vg.measure_gradients(case).log10_activation_norm
    np.testing.assert_allclose(norms, norms[:, -1:] @ np.ones((1, 300)), atol=tolerance)


def irnn(depth: int) -> vg.Case:
    cell = {"name": "rnn", "input_scale": 0.001}
    slots = SMALL | {"depth": depth, "dtype": "float64"}
    return vg.Case(**slots, cell=cell, activation="relu", init="identity")


def test_irnn_keeps_the_gradient_of_positive_states_exactly() -> None:
    positive, _ = changed(irnn(100), lambda cell: jax.tree.map(jnp.abs, cell))
    norms = log10_norms(*positive.activation)
    np.testing.assert_allclose(norms, norms[-1], atol=1e-12)


def test_irnn_that_reads_nothing_has_no_gradient() -> None:
    def deaf(cell: Any) -> Any:
        return {**cell, "dense_i": jax.tree.map(jnp.zeros_like, cell["dense_i"])}

    silent, _ = changed(irnn(10), deaf)
    norms = log10_norms(*silent.activation)
    assert np.isneginf(norms[:-1]).all()  # its state is 0, where the slope of ReLU is 0
    assert np.isfinite(norms[-1])


PROTOTYPES: dict[str, tuple[dict[str, Any], float, float]] = {
    "tanh": ({"init": "lecun_normal"}, -24, -11),
    "orthogonal_tanh": ({"init": "orthogonal"}, -21, -14),
    "orthogonal_linear": ({"init": "orthogonal", "activation": "linear"}, -0.001, 0.001),
    "irnn": (
        {"init": "identity", "activation": "relu", "cell": {"name": "rnn", "input_scale": 0.001}},
        -0.3,
        0.0,
    ),
    "gru": ({"cell": "gru"}, -27, -22),
    "gru_update_1": ({"cell": {"name": "gru", "update_bias": 1.0}}, -12.5, -9.5),
    "lstm": ({"cell": "lstm"}, -31, -23),
    "lstm_forget_1": ({"cell": {"name": "lstm", "forget_bias": 1.0}}, -11.5, -7.5),
    "lstm_forget_3": ({"cell": {"name": "lstm", "forget_bias": 3.0}}, -1.5, 1.5),
    "chrono_lstm": ({"cell": "chrono_lstm"}, -1.5, -0.5),
    "lru_near_the_circle": ({"cell": {"name": "lru", "r_min": 0.9, "r_max": 0.999}}, -1.5, -0.5),
    "lru_disc": ({"cell": "lru"}, -2.5, -1.5),
}


@pytest.mark.parametrize(
    "name", [name if name == "tanh" else pytest.param(name, marks=pytest.mark.slow) for name in PROTOTYPES]
)
def test_decades_over_200_steps_are_those_known_of_the_cell(name: str) -> None:
    slots, low, high = PROTOTYPES[name]
    case = vg.Case(model="recurrent", depth=200, width=64, data="adding", seeds=tuple(range(8)), **slots)
    assert low <= vg.measure_gradients(case).log10_first_over_last.value <= high


@pytest.mark.slow
def test_gaussian_matrix_shared_over_time_is_outside_mean_field_theory() -> None:
    slots = {"activation": "linear", "init": "lecun_normal", "depth": 100, "width": 256, "seeds": tuple(range(6))}
    fresh = vg.measure_gradients(vg.Case(**slots)).log10_first_over_last
    shared = vg.measure_gradients(vg.Case(**slots, model="recurrent", data="adding", batch_size=16))
    assert fresh.value == pytest.approx(0, abs=0.3)  # weights drawn anew in each layer, as the theory has it
    assert shared.log10_first_over_last.value > 0.6


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_each_gate_gets_an_orthogonal_matrix_of_its_own(cell: str) -> None:
    _, (params,) = drawn(vg.Case(**SMALL | {"width": 16}, cell=cell, init="orthogonal"))
    kernel = params["dense_h"]["kernel"]
    for gate in np.split(np.asarray(kernel), kernel.shape[1] // 16, axis=1):
        np.testing.assert_allclose(gate @ gate.T, np.eye(16), atol=1e-5)


def test_gates_get_the_biases_that_the_case_says() -> None:
    _, (lstm,) = drawn(vg.Case(**SMALL, cell={"name": "lstm", "forget_bias": 2.0}))
    np.testing.assert_array_equal(lstm["dense_h"]["bias"].reshape(4, 6)[:, 0], [0, 2, 0, 0])
    _, (gru,) = drawn(vg.Case(**SMALL, cell={"name": "gru", "update_bias": 2.0}))
    np.testing.assert_array_equal(gru["dense_i"]["bias"].reshape(3, 6)[:, 0], [0, 2, 0])
    _, (mgu,) = drawn(vg.Case(**SMALL, cell={"name": "mgu", "forget_bias": 2.0}))
    np.testing.assert_array_equal(mgu["gate_input"]["bias"], -2)
    _, (minimal,) = drawn(vg.Case(**SMALL, cell={"name": "min_lstm", "forget_bias": 2.0}))
    np.testing.assert_array_equal([gate["bias"][0] for gate in minimal["gates"].values()], [2, 0])


def test_preactivations_are_watched_at_every_step() -> None:
    case = vg.Case(**SMALL | {"dtype": "float64"})
    dataset = load_dataset(case)
    with numerics("float64", "highest"):
        network = build_network(case, dataset.problem)
        variables, (x, _) = draw(case, network, dataset, 0), first_batch(case, dataset, 0)

        def means(given: list[jax.Array], layers: int) -> jax.Array:
            return jnp.stack([jnp.mean(z, axis=range(1, z.ndim)) for z in given], axis=1)

        seen = network.apply(variables, x, train=True, describe=means).described
        p: Any = by_hand.plain(variables.params["input_layer"])["cell"]
        h, expected = jnp.zeros((8, 6)), []
        for piece in np.asarray(x, np.float64).reshape(8, 12, 2).swapaxes(0, 1):
            z = piece @ p["dense_i"]["kernel"] + p["dense_i"]["bias"] + h @ p["dense_h"]["kernel"]
            expected.append(z.mean())
            h = np.tanh(z)
    np.testing.assert_allclose(seen[:, 0], expected, atol=1e-12)


@pytest.mark.parametrize("cell", ["lstm", "mgu"])
def test_steps_are_counted_in_the_operations_of_their_matrix_products(cell: str) -> None:
    network, (params,) = drawn(vg.Case(**SMALL, cell=cell))
    matrices = sum(leaf.size for leaf in jax.tree.leaves(params) if leaf.ndim > 1)
    inputs = sum(leaf.size for leaf in jax.tree.leaves(params) if leaf.ndim > 1 and leaf.shape[0] == 2)
    assert network.forward_flops == 2 * (12 * matrices + 6)
    assert network.backward_flops == 2 * (12 * (2 * matrices - inputs) + 2 * 6)


def test_families_have_their_own_defaults_which_a_case_may_change() -> None:
    case = vg.Case(model="recurrent")
    assert (case.cell.name, case.activation.name, case.init.name, case.block_execution) == (
        "rnn",
        "tanh",
        "orthogonal",
        "scan",
    )
    assert vg.Case(model="recurrent", activation="relu", block_execution="auto").timed_form == "unroll"
    assert vg.Case().activation.name == "relu"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"cell": "none"}, "model 'recurrent': needs a cell other than 'none'"),
        ({"norm": "layer"}, "model 'recurrent': its cells have no norm: norm 'layer' has no place"),
        ({"skip": "residual"}, "model 'recurrent': its cells have no skip: skip 'residual' has no place"),
        ({"init": "lsuv"}, "model 'recurrent': init 'lsuv' scales the layers of a feed-forward network"),
        ({"init": {"name": "orthogonal", "gain": "auto"}}, "model 'recurrent': gain = \"auto\" comes from mean-field"),
        ({"cell": {"name": "lru", "r_min": 0.5, "r_max": 0.5}}, "cell 'lru': r_min 0.5 is not below r_max 0.5"),
        ({"cell": {"name": "s5", "dt_min": 0.2}}, "cell 's5': dt_min 0.2 is not below dt_max 0.1"),
        ({"cell": {"name": "s5", "blocks": 3}, "width": 64}, "blocks: a width of 64 does not divide into 3"),
        ({"cell": {"name": "gated_linear", "heads": 5}, "width": 64}, "heads: a width of 64 does not divide into 5"),
        ({"data": "adding", "depth": 1}, "data 'adding': needs a depth of at least 2 time steps, not 1"),
        ({"data": "copy_memory", "depth": 20}, "data 'copy_memory': needs a depth of at least 21 time steps, not 20"),
        (
            {"data": "temporal_order", "depth": 9},
            "data 'temporal_order': needs a depth of at least 10 time steps, not 9",
        ),
        ({"model": "mlp", "cell": "gru"}, "cell 'gru': is for model 'recurrent', not 'mlp'"),
        ({"model": "mlp", "data": "adding"}, "data 'adding': is read step by step: needs model 'recurrent', not 'mlp'"),
    ],
)
def test_what_has_no_meaning_is_refused_with_the_reason(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        vg.Case(**{"model": "recurrent"} | fields)
    assert reason in str(caught.value)


def test_examples_that_do_not_divide_into_the_steps_are_bad_input() -> None:
    with pytest.raises(vg.InputError, match="depth: the 64 numbers of an example do not divide into 10 steps"):
        vg.measure_gradients(vg.Case(model="recurrent", depth=10))


def test_forward_profile_of_a_recurrent_network_is_refused() -> None:
    with pytest.raises(vg.InputError, match="reads an input at every step can always distinguish"):
        vg.measure_forward(vg.Case(model="recurrent"))


def test_state_that_waits_for_the_first_input_is_no_underflow() -> None:
    profile = vg.measure_gradients(vg.Case(model="recurrent", depth=64, seeds=(0,)))
    assert np.isneginf(profile.log10_largest_activation[0, 0])  # the first pixel of every digit is blank
    assert (profile.status, profile.forward_limit) == ("ok", None)


@pytest.mark.slow
def test_training_begins_with_the_profile_at_initialisation_and_is_the_same_again() -> None:
    slots = {**SMALL, "cell": "lstm", "steps": 30, "learning_rates": (0.01,), "tuning_seeds": ()}
    case = vg.Case(**slots | {"seeds": (0, 1)}, matmul_precision="highest")
    first, again = vg.measure_training(case), vg.measure_training(case)
    np.testing.assert_array_equal(first.loss, again.loss)
    measured = vg.measure_gradients(case)
    for name in ("log10_activation_norm", "log10_parameter_norm", "log10_state_norm"):
        np.testing.assert_allclose(getattr(first.snapshots, name)[:, 0], getattr(measured, name), atol=1e-5)
    assert first.snapshots.log10_state_norm.shape == (2, 3, 12, 2)
    assert first.snapshots.log10_weight_norm.shape == (2, 3, 2)
    assert first.snapshots.preactivation_mean.shape == (2, 3, 12)


@pytest.mark.slow
def test_gru_learns_to_add_over_a_few_steps() -> None:
    slots: dict[str, Any] = {"depth": 8, "width": 24, "batch_size": 64, "steps": 300, "learning_rates": (0.02,)}
    curves = vg.measure_training(vg.Case(model="recurrent", data="adding", cell="gru", tuning_seeds=(), **slots))
    assert (curves.loss[:, -20:].mean(axis=1) < 0.02).all()
    assert (curves.test_metric > 0.2).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("slots", "learns"),
    [
        ({"cell": "gru"}, True),
        ({"cell": "lstm"}, True),
        ({"cell": {"name": "lstm", "forget_bias": 1.0}}, True),
        ({"init": "lecun_normal"}, False),
    ],
    ids=["gru", "lstm", "lstm_forget_1", "tanh"],
)
def test_gates_learn_a_hundred_steps_whatever_their_profile_at_first(slots: dict[str, Any], learns: bool) -> None:
    case = vg.Case(
        model="recurrent",
        data="adding",
        depth=100,
        steps=1000,
        learning_rates=(3e-3, 1e-2),
        tuning_seeds=(1000,),
        seeds=(0, 1),
        **slots,
    )
    curves = vg.measure_training(case)
    loss, norms = curves.loss[:, -20:].mean(axis=1), curves.snapshots.log10_activation_norm
    assert (loss < 0.01).all() if learns else (loss > 0.15).all()
    lost = norms[..., 0] - norms[..., -1]
    assert (lost[:, 0] < -3).all()
    if learns:
        assert (lost[:, -1] > -1).all()
