"""The recorder: what it keeps of a run in plain JAX, NNX and Equinox, in one program or two, and what can be asked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import vgbench as vg
from vgbench.boundary.run_lines import read_run

X = jax.random.normal(jax.random.key(0), (8, 4))
Y = jnp.argmax(X[:, :3], axis=1)
PARAMS = {name: jax.random.normal(jax.random.key(i), (4, 4)) / 2 for i, name in enumerate("bac")}
EVERY, STEPS = 3, 8


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def loss(params: dict[str, jax.Array], batch: tuple[jax.Array, jax.Array]) -> jax.Array:
    """The forward pass uses c first, then b, then a."""
    h = batch[0]
    for name in "cba":
        h = vg.tap(jnp.tanh(h @ params[name]), f"after {name}")
    return cross_entropy(h, batch[1])


def step_of(recorder: vg.Recorder) -> Callable[..., Any]:
    def step(params: Any, state: Any) -> Any:
        value, gradients = jax.value_and_grad(loss)(params, (X, Y))
        updates, state = recorder.update(gradients, state, params, value=value)
        return optax.apply_updates(params, updates), state

    return step


@pytest.fixture(scope="module")
def recorded() -> vg.Recorder:
    """A run in one program, recorded by a condition in it."""
    recorder = vg.Recorder(
        loss, optax.adam(1e-2), batch=(X, Y), every=EVERY, classes=3, learning_rate=lambda i: 1 / (1 + i)
    )
    step = step_of(recorder)
    start = PARAMS, recorder.init(PARAMS)
    _, state = jax.jit(lambda: jax.lax.scan(lambda carry, _: (step(*carry), None), start, length=STEPS)[0])()
    recorder.read(state)
    return recorder


def test_records_hold_losses_layers_and_modules_in_the_order_of_the_forward_pass(recorded: vg.Recorder) -> None:
    run = recorded.run
    assert [record.step for record in run.records] == [0, 3, 6]
    assert [len(record.losses or ()) for record in run.records] == [1, 3, 3]
    assert run.records[1].loss == pytest.approx(np.mean(run.records[1].losses))
    assert [record.learning_rate for record in run.records] == [1, 1 / 4, 1 / 7]
    for record in run.records:
        assert list(record.layers) == ["c", "b", "a"]
        assert list(record.modules) == ["after c", "after b", "after a"]
        assert record.nonfinite_losses == 0
        assert record.nonfinite_since == {}
    assert run.header.chance_loss == pytest.approx(np.log(3))
    assert (run.header.framework, run.header.dtype, run.header.every) == ("jax", "float32", EVERY)
    assert run.header.batch["0"].deviation == pytest.approx(float(X.std()), rel=1e-5)


def test_a_record_is_what_gradient_weights_and_update_are(recorded: vg.Recorder) -> None:
    adam, params = optax.adam(1e-2), PARAMS
    state = adam.init(params)
    for _ in range(3):
        updates, state = adam.update(jax.grad(loss)(params, (X, Y)), state, params)
        params = optax.apply_updates(params, updates)
    gradient = jax.grad(loss)(params, (X, Y))["b"]
    update = adam.update({**jax.grad(loss)(params, (X, Y))}, state, params)[0]["b"]
    found = recorded.run.records[1].layers["b"]
    norm = jnp.linalg.norm
    for name, array in (("gradient", gradient), ("weight", params["b"]), ("update", update)):
        assert getattr(found, name) == pytest.approx(float(jnp.log10(norm(array))), abs=1e-4), name
    assert found.moved == pytest.approx(float(norm(params["b"] - PARAMS["b"]) / norm(PARAMS["b"])), rel=1e-3)
    assert found.cosine == pytest.approx(float(-jnp.sum(gradient * update) / norm(gradient) / norm(update)), abs=1e-4)
    profile = vg.profile(params, loss, (X, Y))
    module, tap = recorded.run.records[1].modules["after b"], profile.of("tap")[1]
    assert tap.name == "after b"
    assert module.signal == pytest.approx(tap.log10_gradient, abs=1e-4)
    assert tap.forward is not None
    assert (module.scale, module.spread) == pytest.approx((tap.forward.scale, tap.forward.spread), abs=1e-4)
    assert module.activation == "tanh"


def test_a_step_compiled_twice_records_the_same_and_may_donate(recorded: vg.Recorder) -> None:
    recorder = vg.Recorder(loss, optax.adam(1e-2), batch=(X, Y), every=EVERY, keep=2)
    step = recorder.jit(step_of(recorder), donate_argnums=(0, 1))
    params = jax.tree.map(jnp.copy, PARAMS)
    state = recorder.init(params)
    for _ in range(STEPS):
        params, state = step(params, state)
    for one, other in zip(recorder.run.records, recorded.run.records, strict=True):
        assert (one.step, one.loss) == (other.step, pytest.approx(other.loss, rel=1e-5))
        assert one.layers["a"].gradient == pytest.approx(other.layers["a"].gradient, abs=1e-4)
        assert one.modules["after a"].signal == pytest.approx(other.modules["after a"].signal, abs=1e-4)


def test_a_scan_in_rounds_gives_what_a_scan_gives_and_records_the_same(recorded: vg.Recorder) -> None:
    recorder = vg.Recorder(loss, optax.adam(1e-2), batch=(X, Y), every=EVERY)

    def step(carry: Any, x: jax.Array) -> Any:
        return step_of(recorder)(*carry), x

    start = PARAMS, recorder.init(PARAMS)
    (_, state), ys = jax.jit(lambda: recorder.scan(step, start, jnp.arange(STEPS)))()
    np.testing.assert_array_equal(ys, np.arange(STEPS))
    recorder.read(state)
    for one, other in zip(recorder.run.records, recorded.run.records, strict=True):
        assert (one.step, one.loss) == (other.step, pytest.approx(other.loss, rel=1e-5))
        assert one.layers["a"].gradient == pytest.approx(other.layers["a"].gradient, abs=1e-4)


def test_the_plain_step_holds_nothing_of_a_record() -> None:
    recorder = vg.Recorder(loss, optax.sgd(1e-2), batch=(X, Y), every=EVERY)
    state = recorder.init(PARAMS)
    compiled = recorder.jit(step_of(recorder))
    plain, recorded_ = (str(jax.make_jaxpr(each)(PARAMS, state)) for each in (compiled.plain, compiled.recorded))
    assert "cond" not in plain
    assert plain.count("dot_general") < recorded_.count("dot_general")


def test_what_was_recorded_can_be_saved_shown_flattened_and_diagnosed(recorded: vg.Recorder, tmp_path: Path) -> None:
    recorded.note(7, accuracy=0.5, validation_loss=1.25)
    recorded.save(tmp_path / "run.jsonl")
    assert read_run(tmp_path / "run.jsonl") == recorded.run
    assert recorded.run.records[-1].accuracy == 0.5
    frame = recorded.frame()
    assert len(frame) == 3 * (3 + 3)
    assert set(frame["kind"]) == {"layer", "module"}
    step, flat = recorded.scalars()[-1]
    assert step == 6
    assert flat["accuracy"] == 0.5
    assert flat["modules/after a/signal"] == recorded.run.records[-1].modules["after a"].signal
    assert "after a" in recorded.plot().to_json()
    assert "after a" not in recorded.plot("gradient").to_json()
    assert recorded.diagnose() == vg.diagnose(recorded.run)


class Net(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.up, self.norm, self.down = (
            nnx.Linear(4, 6, rngs=rngs),
            nnx.BatchNorm(6, rngs=rngs),
            nnx.Linear(6, 3, rngs=rngs),
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.down(nnx.relu(self.norm(self.up(x))))


def of_model(model: Any, batch: Any) -> jax.Array:
    return cross_entropy(model(batch[0]), batch[1])


@pytest.mark.parametrize("twice", [False, True], ids=["nnx.jit", "recorder.jit"])
def test_an_nnx_optimizer_takes_the_recorder_for_its_transformation(twice: bool) -> None:
    model = Net(nnx.Rngs(0))
    recorder = vg.Recorder(model, optax.sgd(0.1), loss=of_model, batch=(X, Y), every=2, modules="up|norm")
    optimizer = nnx.Optimizer(model, recorder, wrt=nnx.Param)

    def step(model: Net, optimizer: nnx.Optimizer) -> None:
        value, gradients = nnx.value_and_grad(of_model)(model, (X, Y))
        optimizer.update(model, gradients, value=value)

    compiled = recorder.jit(step, nnx.jit) if twice else nnx.jit(step)
    for _ in range(3):
        compiled(model, optimizer)
    if not twice:
        recorder.read(optimizer)
    first, second = recorder.run.records
    assert list(first.layers) == ["up.kernel", "down.kernel"]
    assert list(first.modules) == ["up", "norm"]
    assert first.modules["norm"].activation == "relu"
    assert recorder.run.header.framework == "flax.nnx"
    assert second.loss is not None
    assert first.loss is not None
    assert second.loss < first.loss


def test_an_equinox_model_is_recorded_through_its_filtered_parameters() -> None:
    eqx = pytest.importorskip("equinox", reason="needs equinox")
    model = eqx.nn.MLP(4, 3, 5, 1, key=jax.random.key(0))

    def of_batch(model: Any, batch: Any) -> jax.Array:
        return cross_entropy(vg.tap(jax.vmap(model)(batch[0]), "logits"), batch[1])

    recorder = vg.Recorder(model, optax.sgd(0.1), loss=of_batch, batch=(X, Y), every=2)
    state = recorder.init(eqx.filter(model, eqx.is_inexact_array))

    def step(model: Any, state: Any) -> Any:
        value, gradients = eqx.filter_value_and_grad(of_batch)(model, (X, Y))
        updates, state = recorder.update(gradients, state, eqx.filter(model, eqx.is_inexact_array), value=value)
        return eqx.apply_updates(model, updates), state

    compiled = recorder.jit(step, eqx.filter_jit)
    for _ in range(3):
        model, state = compiled(model, state)
    (record, _) = recorder.run.records
    assert list(record.layers) == ["layers.0.weight", "layers.1.weight"]
    assert list(record.modules) == ["logits"]
    assert recorder.run.header.framework == "equinox"


def test_what_a_recorder_cannot_do_is_said() -> None:
    with pytest.raises(vg.InputError, match="must be at least 1, not 0 and 200"):
        vg.Recorder(loss, optax.sgd(1.0), every=0)
    for bad in ({"model_or_fn": loss, "loss": loss}, {"model_or_fn": PARAMS, "batch": X}):
        with pytest.raises(vg.InputError, match="needs a model and `loss`, or a function"):
            vg.Recorder(**bad, optimizer=optax.sgd(1.0))
    recorder = vg.Recorder(loss, optax.sgd(1.0))
    with pytest.raises(vg.InputError, match=r"no records; recorder.read\(state\) takes them"):
        recorder.save("nowhere")
    with pytest.raises(vg.InputError, match="no record at or before step 3"):
        recorder.note(3, accuracy=1.0)
    with pytest.raises(vg.InputError, match="no regular expression"):
        vg.Recorder(loss, optax.sgd(1.0), modules="(")
    state = recorder.init(PARAMS)
    twice = recorder.jit(lambda state: [recorder.update(PARAMS, state, PARAMS) for _ in range(2)])
    with pytest.raises(vg.InputError, match="a recorded step calls `update` once, outside of any loop, not 2 times"):
        twice(state)
