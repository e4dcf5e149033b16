"""The recorder where training is not plain: accumulation, masks, frozen and stacked weights, 16 bits, derivatives."""

import os
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import vgbench as vg

X = jax.random.normal(jax.random.key(0), (4, 3))
PARAMS = {"a": jnp.eye(3) * 0.5, "b": jnp.ones((3, 3)) / 3}


def loss(params: dict[str, Any], x: jax.Array) -> jax.Array:
    return jnp.mean((jnp.tanh(vg.tap(x @ params["a"], "first")) @ params["b"] - 1) ** 2)


def trained(recorder: Any, params: Any, steps: int, function: Any = loss) -> Any:
    """The state after some steps of a transformation."""
    extra = optax.with_extra_args_support(recorder)

    def step(carry: Any, _: None) -> Any:
        params, state = carry
        value, gradients = jax.value_and_grad(function)(params, X)
        updates, state = extra.update(gradients, state, params, value=value)
        return (optax.apply_updates(params, updates), state), None

    return jax.jit(lambda: jax.lax.scan(step, (params, extra.init(params)), length=steps)[0])()[1]


def of(recorder: vg.Recorder, state: Any) -> list[Any]:
    recorder.read(state)
    return list(recorder.run.records)


def test_within_gradient_accumulation_real_updates_are_counted() -> None:
    inside = vg.Recorder(loss, optax.sgd(0.1), batch=X, every=2)
    state = trained(optax.MultiSteps(inside.optimizer, 3).gradient_transformation(), PARAMS, 9)
    records = of(inside, state)
    assert [record.step for record in records] == [0, 2]
    assert all(record.layers["a"].update > -10 for record in records)
    around = vg.Recorder(loss, optax.MultiSteps(optax.sgd(0.1), 3).gradient_transformation(), batch=X, every=4)
    first, second = of(around, trained(around, PARAMS, 6))[:2]
    assert (first.step, second.step) == (0, 4)
    assert first.layers["a"].update == -np.inf  # the first of three collects only


@pytest.mark.parametrize(
    "optimizer",
    [
        optax.masked(optax.sgd(0.1), {"a": True, "b": False}),
        optax.multi_transform({"on": optax.sgd(0.1), "off": optax.set_to_zero()}, {"a": "on", "b": "off"}),
    ],
    ids=["masked", "multi_transform"],
)
def test_masks_and_groups_are_seen_from_around_them(optimizer: optax.GradientTransformation) -> None:
    recorder = vg.Recorder(loss, optimizer, batch=X, every=2)
    first = of(recorder, trained(recorder, PARAMS, 3))[0]
    assert list(first.layers) == ["a", "b"]
    assert first.layers["a"].cosine == pytest.approx(1, abs=1e-5)
    if "masked" in str(optimizer.init):
        assert first.layers["b"].update == first.layers["b"].gradient  # optax.masked lets the gradient through
    else:
        assert first.layers["b"].update == -np.inf


def test_frozen_parameters_stay_in_the_forward_pass_and_are_no_layers() -> None:
    def of_part(params: dict[str, Any], x: jax.Array) -> jax.Array:
        return loss({**params, "b": PARAMS["b"]}, x)

    recorder = vg.Recorder(of_part, optax.sgd(0.1), batch=X, every=2)
    (record,) = of(recorder, trained(recorder, {"a": PARAMS["a"]}, 2, of_part))
    assert list(record.layers) == ["a"]
    assert list(record.modules) == ["first"]


def test_scales_that_are_tuned_alone_are_the_layers_of_a_model_that_has_no_others() -> None:
    def of_scales(params: dict[str, Any], x: jax.Array) -> jax.Array:
        return loss(PARAMS, x * params["scale"])

    recorder = vg.Recorder(of_scales, optax.sgd(0.1), batch=X, every=2)
    (record,) = of(recorder, trained(recorder, {"scale": jnp.ones(X.shape[1])}, 2, of_scales))
    assert list(record.layers) == ["scale"]
    assert np.isfinite(record.layers["scale"].update)


def test_stacked_weights_are_split_and_sorted_layer_by_layer() -> None:
    stack = {"down": jnp.stack([PARAMS["a"]] * 2), "up": jnp.stack([PARAMS["b"]] * 2)}

    def scanned(params: dict[str, Any], x: jax.Array) -> jax.Array:
        def block(h: jax.Array, sliced: Any) -> Any:
            i, w = sliced
            return vg.tap(jnp.tanh(h @ w["up"]) @ w["down"], "block", layer=i, of=2), None

        return jnp.mean(jax.lax.scan(block, x, (jnp.arange(2), params))[0] ** 2)

    recorder = vg.Recorder(scanned, optax.sgd(0.1), batch=X, every=2, stacked=("up", "down"))
    (record,) = of(recorder, trained(recorder, stack, 2, scanned))
    assert list(record.layers) == ["up[0]", "down[0]", "up[1]", "down[1]"]
    assert list(record.modules) == ["block[0]", "block[1]"]


def test_updates_that_sixteen_bits_round_away_are_counted() -> None:
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), PARAMS)
    recorder = vg.Recorder(loss, optax.sgd(1e-5), batch=X, every=2)
    (record,) = of(recorder, trained(recorder, params, 2))
    assert record.layers["b"].swallowed == 1
    assert record.layers["a"].swallowed == pytest.approx(3 / 9)  # the zeros beside the diagonal move
    assert record.layers["a"].dtype == recorder.run.header.dtype == "bfloat16"


def test_the_step_of_the_first_number_that_is_not_finite_is_found_between_records() -> None:
    optimizer = vg.watch(optax.apply_if_finite(optax.sgd(0.1), 100), every=4, keep=9)

    def step(state: Any, i: jax.Array) -> Any:
        poison = jnp.where(i == 2, jnp.nan, 1.0)
        return optimizer.update(jax.tree.map(lambda leaf: leaf * poison, PARAMS), state, PARAMS, value=poison)[1], None

    state = jax.jit(lambda: jax.lax.scan(step, optimizer.init(PARAMS), jnp.arange(5))[0])()
    first, second = vg.watched(state)
    assert first["nonfinite_since"] == {}
    assert second["nonfinite_since"] == {"loss": 2, "gradients": 2}
    assert second["nonfinite_losses"] == 1
    assert second["loss"] == 1


def test_derivatives_inside_the_loss_are_part_of_the_gradient_at_a_tap() -> None:
    def energy(w: jax.Array, x: jax.Array) -> jax.Array:
        return jnp.sum(jnp.tanh(vg.tap(x @ w, "z")) ** 2)

    def penalty(w: jax.Array, x: jax.Array) -> jax.Array:
        return jnp.sum(jax.grad(energy, argnums=1)(w, x) ** 2)

    (tap,) = vg.profile(PARAMS["a"], penalty, X).of("tap")

    def of_z(z: jax.Array, w: jax.Array) -> jax.Array:
        return jnp.sum((jax.grad(lambda z: jnp.sum(jnp.tanh(z) ** 2))(z) @ w.T) ** 2)

    expected = jnp.linalg.norm(jax.grad(of_z)(X @ PARAMS["a"], PARAMS["a"]))
    assert 10**tap.log10_gradient == pytest.approx(float(expected), rel=1e-3)


SHARDED = """
import jax, jax.numpy as jnp, optax
import vgbench as vg
from jax.sharding import NamedSharding, PartitionSpec

x = jax.random.normal(jax.random.key(0), (4, 8))
params = {"w": jax.random.normal(jax.random.key(1), (8, 8))}
loss = lambda params, x: jnp.mean(vg.tap(jnp.tanh(x @ params["w"]), "h") ** 2)
found = []
for kind in (None, jax.sharding.AxisType.Auto, jax.sharding.AxisType.Explicit):
    put, given = params, x
    if kind is not None:
        mesh = jax.make_mesh((2,), ("model",), axis_types=(kind,))
        put = jax.device_put(params, NamedSharding(mesh, PartitionSpec(None, "model")))
        given = jax.device_put(x, NamedSharding(mesh, PartitionSpec()))
    recorder = vg.Recorder(loss, optax.sgd(0.1), batch=given, every=2)
    state = recorder.init(put)
    value, gradients = jax.jit(jax.value_and_grad(loss))(put, given)
    _, state = jax.jit(recorder.update)(gradients, state, put, value=value)
    recorder.read(state)
    record = recorder.run.records[0]
    profile = vg.profile(put, loss, given)
    found.append((record.layers["w"].gradient, record.layers["w"].update, record.modules["h"].signal))
    found[-1] += (profile.of("tap")[0].log10_gradient, record.modules["h"].dead, record.modules["h"].scale)
    assert len(put["w"].sharding.device_set) == (1 if kind is None else 2)
print(max(abs(one - other) for each in found[1:] for one, other in zip(found[0], each)) < 1e-5)
"""


def test_sharded_parameters_are_read_as_whole_ones_whatever_kind_of_axes_the_mesh_has() -> None:
    env = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(  # devices are chosen once for a process
        [sys.executable, "-c", SHARDED],
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout.strip() == "True", done.stderr[-2000:]
