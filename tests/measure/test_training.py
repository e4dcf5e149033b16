"""Training: one step against the same net as separate leaves, warm-up, the protocol, and what becomes of a lost run."""

import dataclasses
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import by_hand

import vgbench as vg
from vgbench.data import batch_indices, load_dataset
from vgbench.measure import programs, shared, trainer
from vgbench.measure.draw import training_of
from vgbench.measure.numerics import numerics
from vgbench.measure.snapshot import profile_of
from vgbench.measure.step import TrainState, make_optimizer, make_step, over_layers, propose, start
from vgbench.measure.trainer import Run, Trainer
from vgbench.measure.training import TrainingCurves
from vgbench.models import build_network
from vgbench.models.network import Variables
from vgbench.models.problem import Problem
from vgbench.spec.registry import GRADIENT_TRANSFORMS, OPTIMIZERS

SMALL: dict[str, Any] = {"depth": 5, "width": 16, "batch_size": 32, "activation": "tanh", "init": "glorot_normal"}
SCALES = np.asarray([1e-3, 1.0, 30.0, 0.1], np.float32)


def unequal(blocks: Any) -> Any:
    """Scale every layer's weights differently, so that mixing layers shows."""
    return jax.tree.map(lambda leaf: leaf * SCALES.reshape(-1, *[1] * (leaf.ndim - 1)), blocks)


def one_step(case: vg.Case, scanned: bool) -> Any:
    dataset = load_dataset(case)
    stacked, network = (build_network(case, dataset.problem, form) for form in (True, scanned))
    variables = stacked.init(jax.random.key(0))
    params = variables.params | {"blocks": unequal(variables.params["blocks"])}
    stats = variables.stats
    if not scanned:
        params, stats = (
            tree | {"blocks": tuple(jax.tree.map(lambda leaf, i=i: leaf[i], tree["blocks"]) for i in range(4))}
            for tree in (params, stats)
        )
    state = start(network, case, Variables(params, stats), 0.01)
    step = jax.jit(make_step(network, case))
    batch = batch_indices(dataset.train.examples, case.batch_size, 2, 0)
    for indices in batch:
        state, _ = step(state, (dataset.train.x[indices], dataset.train.y[indices]), 0.01)
    params = by_hand.plain(state.variables.params)
    if not scanned:
        params["blocks"] = jax.tree.map(lambda *leaves: jnp.stack(leaves), *params["blocks"])
    return params


SHAPES = {"input_layer": (5, 6), "blocks": (4, 6, 6), "output_layer": (6, 3)}
MEMBERS = [("gradient_transform", m.name) for m in GRADIENT_TRANSFORMS] + [("optimizer", m.name) for m in OPTIMIZERS]


@pytest.mark.parametrize(("slot", "name"), MEMBERS)
def test_an_update_of_stacked_arrays_equals_one_of_separate_ones(slot: str, name: str) -> None:
    case, draw = vg.Case(**SMALL, **{slot: name}), np.random.default_rng(0)
    params, *gradients = (
        {part: {"kernel": jnp.asarray(draw.standard_normal(shape), jnp.float32)} for part, shape in SHAPES.items()}
        for _ in range(3)
    )

    def updated(scanned: bool) -> Any:
        def laid_out(tree: Any) -> Any:
            blocks = unequal(tree["blocks"])
            apart = tuple(jax.tree.map(lambda leaf, i=i: leaf[i], blocks) for i in range(4))
            return tree | {"blocks": blocks if scanned else apart}

        optimizer, now = make_optimizer(case, 0.01, scanned), laid_out(params)
        state, update = optimizer.init(now), jax.jit(partial(optimizer.update, value=0.7))
        for each in gradients:
            updates, state = update(laid_out(each), state, now)
            now = optax.apply_updates(now, updates)
        return now if scanned else now | {"blocks": jax.tree.map(lambda *leaves: jnp.stack(leaves), *now["blocks"])}

    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-6), updated(True), updated(False))


@pytest.mark.slow
@pytest.mark.parametrize(("slot", "name"), MEMBERS)
def test_a_step_of_the_stacked_net_equals_one_of_separate_leaves(slot: str, name: str) -> None:
    case = vg.Case(**SMALL, **{slot: name})
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-6), one_step(case, True), one_step(case, False)
    )


LAYER_SCOPED = {
    "clip_by_block_rms": lambda: optax.clip_by_block_rms(1e-3),
    "adaptive_grad_clip": lambda: optax.adaptive_grad_clip(0.01),
    "scale_by_trust_ratio": optax.scale_by_trust_ratio,
}


@pytest.mark.parametrize("name", LAYER_SCOPED)
def test_mapping_over_layers_undoes_what_stacking_would_mix(name: str) -> None:
    inner, draw = LAYER_SCOPED[name](), np.random.default_rng(0)
    blocks = draw.standard_normal((4, 6, 6)).astype(np.float32) * SCALES[:, None, None]
    ends = {"input_layer": {"w": jnp.ones((3, 6))}, "output_layer": {"w": jnp.ones((6, 2))}}
    params = ends | {"blocks": {"w": jnp.asarray(blocks)}}
    gradients = jax.tree.map(lambda leaf: leaf[::-1] ** 2 + 0.1, params)
    apart = [{"w": params["blocks"]["w"][i]} for i in range(4)], [{"w": gradients["blocks"]["w"][i]} for i in range(4)]

    def updated(transformation: optax.GradientTransformation, params: Any, gradients: Any) -> Any:
        return jax.jit(lambda p, g: transformation.update(g, transformation.init(p), p)[0])(params, gradients)

    expected, got, mixed = (
        updated(inner, *apart),
        updated(over_layers(inner), params, gradients),
        updated(inner, params, gradients),
    )
    wanted = np.stack([layer["w"] for layer in expected])
    np.testing.assert_allclose(got["blocks"]["w"], wanted, rtol=1e-6)
    assert np.abs(np.asarray(mixed["blocks"]["w"]) / wanted - 1).max() > 0.5


def test_every_layer_has_the_initialisers_spread_not_the_stacks() -> None:
    network = build_network(vg.Case(depth=51, width=128, init="lecun_normal"), Problem(64, 10))
    kernels = by_hand.plain(network.init(jax.random.key(0)).params)["blocks"]["branch"][0]["linear"]["kernel"]
    assert kernels.shape == (50, 128, 128)
    np.testing.assert_allclose(np.std(kernels, axis=(1, 2)), 1 / np.sqrt(128), rtol=0.03)
    assert not np.array_equal(kernels[0], kernels[1])


def test_warm_up_raises_the_updates_linearly_to_the_full_rate() -> None:
    sgd = {"name": "sgd", "momentum": 0.0}
    case = vg.Case(**SMALL, optimizer=sgd, warmup_steps=4)
    dataset = load_dataset(case)
    network = build_network(case, dataset.problem)
    state = start(network, case, network.init(jax.random.key(0)), 0.5)
    batch = jnp.asarray(dataset.train.x[:32]), jnp.asarray(dataset.train.y[:32])
    ask = jax.jit(lambda state: propose(network, case, state, batch, 0.5))
    for share in (0.25, 0.5, 0.75, 1.0, 1.0, 1.0):
        move = ask(state)
        expected = jax.tree.map(lambda gradient, share=share: -0.5 * share * gradient, move.gradients)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), move.updates, expected)
        state = state._replace(optimizer=move.optimizer)


PROTOCOL: dict[str, Any] = {
    **SMALL,
    "steps": 60,
    "learning_rates": (1e-3, 1e-2, 1e30),
    "seeds": (0, 1),
    "tuning_seeds": (7,),
    "target": 0.5,
    "norm": "batch",
    "activation": "relu",
    "optimizer": "sgd",
}


@pytest.fixture(scope="module")
def curves() -> TrainingCurves:
    return vg.measure_training(vg.Case(**PROTOCOL))


def test_the_rate_is_the_best_on_validation_and_a_lost_rate_counts_as_wrong(curves: TrainingCurves) -> None:
    assert curves.tuning_metric.shape == (3, 1)
    assert curves.learning_rate == curves.learning_rates[int(np.argmax(curves.tuning_metric.mean(axis=1)))]
    assert curves.tuning_diverged.tolist() == [[False], [False], [True]]
    assert curves.tuning_metric[2, 0] == 0
    assert 0.1 < curves.chance < curves.guessing < 0.16
    assert not curves.none_better_than_chance
    assert curves.status == "ok"


def test_there_is_a_snapshot_at_the_start_every_25_steps_and_at_the_last(curves: TrainingCurves) -> None:
    assert curves.step.tolist() == [0, 25, 50, 60]
    assert curves.loss.shape == (2, 60)
    assert curves.validation_metric.shape == (2, 4)
    shown = curves.snapshots
    assert shown.log10_activation_norm.shape == shown.preactivation_mean.shape == (2, 4, 5)
    assert shown.log10_parameter_norm.shape == shown.update_to_weight.shape == shown.displacement.shape == (2, 4, 6)
    assert np.isfinite(shown.log10_parameter_norm).all()


@pytest.mark.parametrize("steps", [25, 26])
def test_the_last_snapshot_is_of_the_last_step(steps: int) -> None:
    curves = vg.measure_training(vg.Case(**SMALL, steps=steps, learning_rates=(1e-3,), seeds=(0,), tuning_seeds=()))
    assert curves.step.tolist() == sorted({0, 25, steps})
    assert curves.validation_metric.shape == (1, len(curves.step))


def test_many_validation_examples_are_sampled_but_for_the_last_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "SAMPLED", 50)
    case = vg.Case(**SMALL | {"width": 15}, steps=25, learning_rates=(1e-2,), seeds=(0,), tuning_seeds=())
    dataset = load_dataset(case)
    curves, sample = vg.measure_training(case), programs.sampled(dataset)
    rows = [np.flatnonzero((dataset.validation.x == each).all(axis=1))[0] for each in sample.x]
    assert len(set(rows)) == 50
    np.testing.assert_array_equal(dataset.validation.y[rows], sample.y)
    network = build_network(case, dataset.problem)
    answers = network.apply(network.init(jax.random.key(0)), jnp.asarray(sample.x), train=False).answers
    assert curves.validation_metric[0, 0] == pytest.approx(np.mean(answers.argmax(axis=1) == sample.y))
    right = curves.validation_metric[0, 1] * len(dataset.validation.y), curves.test_metric[0] * len(dataset.test.y)
    np.testing.assert_allclose(right, np.round(right), atol=1e-3)
    assert programs.sampled(dataset._replace(validation=sample)) is sample


def test_recording_leaves_training_alone(curves: TrainingCurves) -> None:
    case = vg.Case(**PROTOCOL)
    with numerics(case.dtype, case.matmul_precision):
        unseen = Trainer(case, load_dataset(case)).train(
            [Run(curves.learning_rate, seed) for seed in case.seeds], recorded=False
        )
    np.testing.assert_allclose(unseen.loss, curves.loss, rtol=1e-3)
    assert unseen.snapshots is None
    # An example near a border may change its class.
    np.testing.assert_allclose(unseen.validation_metric[:, -1], curves.validation_metric[:, -1], atol=0.01)
    np.testing.assert_allclose(unseen.test_metric, curves.test_metric, atol=0.01)


def test_curves_are_those_of_one_plain_step_after_another(curves: TrainingCurves) -> None:
    case = vg.Case(**PROTOCOL)
    (x, y), *_ = dataset = load_dataset(case).of_seed(1)
    network = build_network(case, dataset.problem)
    state, losses = start(network, case, network.init(jax.random.key(1)), curves.learning_rate), []
    step = jax.jit(make_step(network, case))
    for batch in batch_indices(len(y), case.batch_size, case.steps, 1):
        state, loss = step(state, (x[batch], y[batch]), curves.learning_rate)
        losses.append(float(loss))
    np.testing.assert_allclose(curves.loss[1], losses, rtol=1e-3)


def test_runs_side_by_side_in_one_program_have_the_splits_of_their_seeds(
    curves: TrainingCurves, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "_deal", lambda runs: [runs])  # as on an accelerator
    case = vg.Case(**PROTOCOL)
    runs = [Run(curves.learning_rate, seed) for seed in case.seeds]
    with numerics(case.dtype, case.matmul_precision):
        together = Trainer(case, load_dataset(case)).train(runs, recorded=True)
    np.testing.assert_allclose(together.loss, curves.loss, rtol=1e-3)
    np.testing.assert_allclose(together.validation_metric, curves.validation_metric, atol=0.01)
    np.testing.assert_allclose(together.test_metric, curves.test_metric, atol=0.01)


def test_it_learns_and_reports_the_running_statistics_accuracy(curves: TrainingCurves) -> None:
    assert (curves.loss[:, -1] < curves.loss[:, 0]).all()
    assert (curves.test_metric > 0.5).all()
    assert curves.trained == 2


def test_seeds_are_trained_alike_whoever_is_beside_them(curves: TrainingCurves) -> None:
    alone = vg.measure_training(
        vg.Case(**PROTOCOL | {"learning_rates": (curves.learning_rate,), "tuning_seeds": (), "seeds": (1, 0)})
    )
    np.testing.assert_allclose(alone.loss[::-1], curves.loss, rtol=1e-3)


def test_training_is_the_same_bit_for_bit_when_measured_again(curves: TrainingCurves) -> None:
    again = vg.measure_training(vg.Case(**PROTOCOL))
    for one, other in ((again, curves), (again.snapshots, curves.snapshots)):
        for field in dataclasses.fields(one):
            if field.name != "snapshots":
                np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


def test_a_run_that_diverges_everywhere_is_an_outcome() -> None:
    lost = vg.measure_training(vg.Case(**PROTOCOL | {"learning_rates": (1e30, 1e31, 1e32)}))
    assert lost.status == "diverged"
    assert lost.trained == 0
    assert lost.test_metric.tolist() == [0, 0]
    shown = lost.snapshots
    assert np.isfinite(shown.log10_activation_norm[:, 0]).all()
    for broken in (shown.log10_activation_norm, shown.log10_weight_norm, shown.preactivation_mean):
        assert not np.isfinite(broken[:, -1]).any()
    assert (shown.gradient_histogram[:, 0, :, -1] == 0).all()
    assert (shown.gradient_histogram[:, -1, :, -1] > 0).all()


def test_run_that_is_lost_is_trained_no_further_and_recorded_as_if_it_were(monkeypatch: pytest.MonkeyPatch) -> None:
    case = vg.Case(**PROTOCOL)
    asked: list[int] = []
    ran = trainer._lost

    def watched(state: Any, loss: Any) -> bool:
        asked.append(loss.shape[1])
        return ran(state, loss)

    monkeypatch.setattr(trainer, "_lost", watched)
    with numerics(case.dtype, case.matmul_precision):
        runs = [Run(1e30, 0)]
        early = Trainer(case, load_dataset(case)).train(runs, recorded=True)
        assert asked == [25]
        monkeypatch.setattr(trainer, "_lost", lambda state, loss: False)
        late = Trainer(case, load_dataset(case)).train(runs, recorded=True)
    np.testing.assert_array_equal(early.loss, late.loss)
    assert np.isnan(early.loss[0, -1])
    for name in ("validation_metric", "test_metric"):
        np.testing.assert_array_equal(getattr(early, name), getattr(late, name))
    for one, other in zip(*(profile_of(each.snapshots) for each in (early, late)), strict=True):
        jax.tree.map(np.testing.assert_array_equal, one, other)


def test_run_with_a_loss_that_is_not_a_number_goes_on_while_its_parameters_are() -> None:
    def state(*second: float) -> TrainState:
        return TrainState(Variables({"w": np.ones((2, 3)), "b": np.asarray(second)}, {}), ())

    lost, finite = np.full((2, 4), np.nan), np.ones((2, 4))
    assert [trainer._lost(state(*each), lost) for each in ((1, 1), (1, np.nan), (np.nan, np.nan))] == [
        False,
        False,
        True,
    ]
    assert not trainer._lost(state(np.nan, np.nan), finite)


def test_a_case_without_steps_cannot_be_trained() -> None:
    with pytest.raises(vg.InputError, match="steps: 0 means that this case is not trained"):
        vg.measure_training(vg.Case(**SMALL, steps=0))


def test_batches_are_epochs_without_repetition() -> None:
    batches = batch_indices(100, 32, 7, seed=3)
    assert batches.shape == (7, 32)
    assert len(set(batches[:3].ravel())) == 96
    np.testing.assert_array_equal(batches, batch_indices(100, 32, 9, seed=3)[:7])
    assert not np.array_equal(batches, batch_indices(100, 32, 7, seed=4))


def test_digits_are_standardised_on_the_training_split_and_splits_are_disjoint() -> None:
    data = load_dataset(vg.Case())
    assert [len(split.y) for split in data[:3]] == [1078, 359, 360]
    spread = data.train.x.std(axis=0)
    np.testing.assert_allclose(data.train.x.mean(axis=0), 0, atol=1e-5)
    assert set(np.round(spread, 3)) <= {0.0, 1.0}
    rows = [{row.tobytes() for row in split.x} for split in data[:3]]
    assert not rows[0] & rows[1]
    assert not rows[1] & rows[2]


CHANCE = {"activation": "sigmoid", "init": "glorot_normal", "depth": 16}
FIXES = [{"activation": "relu", "init": "he_normal"}, {"skip": "residual"}, {"norm": "batch"}]
MOMENTUM = {"optimizer": "sgd", "learning_rates": (0.01, 0.0316, 0.1, 0.316, 1.0)}
ADAM = {"optimizer": "adam", "learning_rates": (3e-4, 9.49e-4, 3e-3, 9.49e-3, 3e-2)}


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [MOMENTUM, ADAM], ids=["sgd", "adam"])
@pytest.mark.parametrize("gradient_transform", ["none", "clip_by_global_norm"])
def test_deep_sigmoid_nets_stay_at_chance_at_every_rate(optimizer: dict, gradient_transform: str) -> None:
    curves = vg.measure_training(vg.Case(**CHANCE, **optimizer, gradient_transform=gradient_transform))
    assert (curves.tuning_metric < 0.2).all()
    assert curves.trained == 0


@pytest.mark.slow
@pytest.mark.parametrize("fix", FIXES, ids=str)
def test_each_remedy_trains_the_deep_net(fix: dict) -> None:
    curves = vg.measure_training(vg.Case(**CHANCE | fix, **MOMENTUM))
    assert curves.trained == 3
    assert curves.outcome.value > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [MOMENTUM, ADAM], ids=["sgd", "adam"])
def test_shallow_sigmoid_nets_train(optimizer: dict) -> None:
    curves = vg.measure_training(vg.Case(**CHANCE | {"depth": 4}, **optimizer))
    assert 0.93 < curves.outcome.value < 0.97


@pytest.mark.slow
def test_cells_that_differ_in_initialisation_and_protocol_alone_share_their_compiled_training() -> None:
    slots: dict = {"depth": 3, "width": 24, "batch_size": 16, "steps": 3, "learning_rates": (1e-3,), "seeds": (0,)}
    shared.forget()
    made = shared.programs_made()
    for others in ({}, {"init": "orthogonal", "learning_rates": (1e-2,), "seeds": (5,), "target": 0.5}):
        vg.measure_training(vg.Case(**(slots | others)))
    assert shared.programs_made() - made == 3  # and one that draws for each initialisation
    tight, loose = ({"gradient_transform": {"name": "clip_by_global_norm", "max_norm": norm}} for norm in (1e-3, 1e3))
    optimizer = {"optimizer": {"name": "sgd", "momentum": 0.0}}
    clipped, whole, free = (
        vg.measure_training(vg.Case(**(slots | optimizer | each))).snapshots.displacement[0, -1]
        for each in (tight, loose, {})
    )
    assert shared.programs_made() - made == 5
    np.testing.assert_allclose(whole, free, rtol=1e-5)
    assert (clipped < free / 100).all()
    for others in (
        {"norm": "rms"},
        {"optimizer": "sgd"},
        {"gradient_transform": "normalize"},
        {"batch_size": 8},
        {"steps": 4},
    ):
        assert training_of(vg.Case(**(slots | others))) != training_of(vg.Case(**slots))
