"""People's own models: spectra, taps under every transformation, profiles of any library, watched optimizers."""

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from rich.console import Console

import vgbench as vg
from vgbench.instruments.spectrum import log10_norm, spectrum, zero_fraction
from vgbench.instruments.tree import in_order, named

X, Y = jnp.linspace(-1, 1, 12).reshape(3, 4), jnp.ones((3, 2))


@pytest.mark.parametrize("size", [1e-37, 1e-20, 1e-3, 1.0, 1e30])
def test_norms_from_spectra_are_exact_over_the_whole_range(size: float) -> None:
    x = np.float32(size) * np.asarray([1, -0.3, 2, 0], np.float32)
    found = spectrum(jnp.asarray(x))
    assert log10_norm(found) == pytest.approx(np.log10(np.linalg.norm(x.astype(np.float64))), abs=1e-6)
    assert zero_fraction(found) == 0.25


def test_spectra_count_by_powers_of_two_and_add_up() -> None:
    found = spectrum([jnp.asarray([1.0, 1.5, 2.0]), jnp.asarray([0.0, jnp.inf])])
    counts = np.asarray(found.counts)
    assert (counts[127], counts[128], counts[0], counts[255]) == (2, 1, 1, 1)
    assert np.isnan(log10_norm(found))
    assert log10_norm(spectrum(jnp.zeros(3))) == -np.inf
    parts = jax.tree.map(jnp.add, spectrum(jnp.asarray([3.0])), spectrum(jnp.asarray([4.0])))
    assert log10_norm(parts) == pytest.approx(np.log10(5))


def test_float64_has_a_bin_for_every_exponent_of_its_own() -> None:
    with jax.enable_x64(True):
        found = spectrum(jnp.asarray([1e-200, 0.0]))
    assert found.counts.shape == (2048,)
    assert log10_norm(found) == pytest.approx(-200)


def net(w: jax.Array, x: jax.Array) -> jax.Array:
    """Three equal layers in a checkpointed scan, then one example after another."""

    def layer(h: jax.Array, i: jax.Array) -> tuple[jax.Array, None]:
        return vg.tap(jnp.tanh(h @ w), "layer", layer=i, of=3), None

    h, _ = jax.lax.scan(jax.checkpoint(layer), x, jnp.arange(3))
    return jax.vmap(lambda one: jnp.sum(vg.tap(one, "last") ** 2))(h).sum()


W = jnp.eye(4) * 0.5 + 0.1


def by_hand() -> list[float]:
    def behind(layer: int, h: jax.Array) -> jax.Array:
        for _ in range(layer, 2):
            h = jnp.tanh(h @ W)
        return jnp.sum(h**2)

    h, norms = X, []
    for layer in range(3):
        h = jnp.tanh(h @ W)
        norms.append(float(jnp.log10(jnp.linalg.norm(jax.grad(behind, 1)(layer, h)))))
    return norms


@pytest.mark.parametrize("jitted", [False, True], ids=["plain", "jitted"])
def test_taps_read_under_scan_remat_and_vmap_even_in_a_function_jitted_before(jitted: bool) -> None:
    function = jax.jit(net) if jitted else net
    before = function(W, X)
    profiled = vg.profile({"w": W}, lambda params, x: function(params["w"], x), X)
    taps = {each.name: each for each in profiled.of("tap")}
    assert [taps[f"layer[{i}]"].log10_gradient for i in range(3)] == pytest.approx(by_hand(), abs=1e-4)
    assert taps["last"].log10_gradient == pytest.approx(by_hand()[-1], abs=1e-4)
    assert taps["last"].size == X.size
    assert function(W, X) == before == pytest.approx(profiled.loss)


def test_a_tap_outside_a_profile_is_nothing() -> None:
    assert vg.tap(X, "name") is X
    assert str(jax.make_jaxpr(lambda x: vg.tap(x, "name"))(X)) == str(jax.make_jaxpr(lambda x: x)(X))


def test_taps_that_contradict_themselves_are_reported() -> None:
    with pytest.raises(vg.InputError, match="give both or neither"):
        vg.tap(X, "h", layer=1)

    def loss(params: Any, x: jax.Array) -> jax.Array:
        return jnp.sum(params * vg.tap(vg.tap(x, "h"), "h", layer=0, of=2))

    with pytest.raises(vg.InputError, match="tap 'h': one place counts 2 layers"):
        vg.profile(W[:1], loss, X)


class Net(nnx.Module):
    """Two sigmoid layers, batch norm and an output layer."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.layers = nnx.List([nnx.Linear(4, 4, rngs=rngs) for _ in range(2)])
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.out = nnx.Linear(4, 2, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        for layer in self.layers:
            x = nnx.sigmoid(layer(x))
        return self.out(self.norm(x))


def squared(model: Any, batch: Any) -> jax.Array:
    return jnp.mean((model(batch[0]) - batch[1]) ** 2)


@pytest.fixture(scope="module")
def profiled() -> tuple[Net, vg.ModelProfile]:
    model = Net(nnx.Rngs(0))
    return model, vg.profile(model, squared, (X, Y))


def test_a_profile_of_an_nnx_module_is_its_gradients_and_changes_nothing(
    profiled: tuple[Net, vg.ModelProfile],
) -> None:
    model, found = profiled
    np.testing.assert_array_equal(model.norm.mean[...], 0)
    gradients = named(nnx.grad(squared)(Net(nnx.Rngs(0)), (X, Y)))
    parameters = {each.name: each for each in found.of("parameter")}
    assert parameters.keys() == gradients.keys()
    for name, gradient in gradients.items():
        with np.errstate(divide="ignore"):
            assert parameters[name].log10_gradient == pytest.approx(
                float(np.log10(jnp.linalg.norm(gradient))), abs=1e-3
            )
        assert parameters[name].histogram.sum() == gradient.size
    whole = next(each for each in found.of("module") if each.name == "")
    assert whole.log10_gradient == pytest.approx(float(jnp.log10(optax.tree.norm(gradients))), abs=1e-3)
    assert {"layers", "layers.0", "layers.1", "norm", "out"} < {each.name for each in found.of("module")}


def test_a_profile_prints_plots_and_makes_a_frame(profiled: tuple[Net, vg.ModelProfile]) -> None:
    _, found = profiled
    console = Console(width=120, record=True)
    console.print(found)
    assert "layers.0.kernel" in console.export_text()
    assert "layers.0.kernel" in str(found)
    frame = found.frame()
    assert list(frame["kind"].unique()) == ["parameter", "module", "output"]
    assert frame.loc[frame["name"] == "out.kernel", "size"].item() == 8
    assert "layers.1.kernel" in found.plot("parameter").to_json()
    assert "layers.1.kernel" not in found.plot().to_json()


def test_stacked_parameters_are_reported_layer_by_layer() -> None:
    params = {"blocks": {"w": jnp.stack([W, 2 * W])}, "out": W}

    def loss(params: Any, x: jax.Array) -> jax.Array:
        h, _ = jax.lax.scan(lambda h, w: (jnp.tanh(h @ w), None), x, params["blocks"]["w"])
        return jnp.sum(h @ params["out"])

    found = vg.profile(params, loss, X, stacked={"blocks"})
    gradient = jax.grad(loss)(params, X)["blocks"]["w"]
    rows = {each.name: each.log10_gradient for each in found.of("parameter")}
    for i in range(2):
        assert rows[f"blocks.w[{i}]"] == pytest.approx(float(jnp.log10(jnp.linalg.norm(gradient[i]))), abs=1e-4)


def test_what_cannot_be_profiled_is_reported() -> None:
    with pytest.raises(vg.InputError, match="no floating-point arrays"):
        vg.profile({"n": jnp.arange(3)}, lambda params, x: jnp.sum(x), X)
    with pytest.raises(vg.InputError, match=r"must be a scalar, not of shape \(3, 4\)"):
        vg.profile(W, lambda params, x: x @ params, X)


def test_names_are_in_the_order_of_the_network() -> None:
    names = ["out.w", "blocks.10.w", "blocks.2.w", "embed.w"]
    assert in_order(names, []) == ["blocks.2.w", "blocks.10.w", "embed.w", "out.w"]
    assert in_order(names, ["embed", "blocks"]) == ["embed.w", "blocks.2.w", "blocks.10.w", "out.w"]


PARAMS = {"first": {"w": W, "b": jnp.zeros(4)}, "stack": {"w": jnp.stack([W, 2 * W])}}


def stacked_loss(params: Any) -> jax.Array:
    h = jnp.tanh(X @ params["first"]["w"] + params["first"]["b"])
    for i in range(2):
        h = jnp.tanh(h @ params["stack"]["w"][i])
    return jnp.mean((h - 0.3) ** 2)


def trained(optimizer: optax.GradientTransformation, steps: int) -> tuple[Any, Any, jax.Array]:
    extra = optax.with_extra_args_support(optimizer)

    def step(carry: Any, _: None) -> Any:
        params, state = carry
        loss, gradients = jax.value_and_grad(stacked_loss)(params)
        updates, state = extra.update(gradients, state, params, value=loss)
        return (optax.apply_updates(params, updates), state), loss

    start = PARAMS, extra.init(PARAMS)
    (params, state), losses = jax.jit(lambda: jax.lax.scan(step, start, length=steps))()
    return params, state, losses


def test_watching_changes_nothing_and_keeps_the_last_records() -> None:
    adam = optax.adam(1e-2)
    bare, _, _ = trained(adam, 12)
    watched, state, losses = trained(optax.chain(vg.watch(adam, every=5, keep=2, stacked={"stack"})), 12)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), bare, watched)
    records = vg.watched(state)
    assert [record["step"] for record in records] == [5, 10]
    assert records[0]["loss"] == pytest.approx(float(losses[1:6].mean()), rel=1e-5)
    assert list(records[1]["layers"]) == ["first.w", "stack.w[0]", "stack.w[1]"]

    at_five, opt_state = trained(adam, 5)[:2]
    gradients = jax.grad(stacked_loss)(at_five)
    updates, _ = adam.update(gradients, opt_state, at_five)
    reported = records[0]["layers"]["stack.w[1]"]
    for name, tree in (("gradient", gradients), ("weight", at_five), ("update", updates)):
        assert reported[name] == pytest.approx(float(jnp.log10(jnp.linalg.norm(tree["stack"]["w"][1]))), abs=1e-4)
    assert sum(reported["histogram"]) == pytest.approx(1, abs=1e-4)
    assert json.loads(json.dumps(records, allow_nan=False)) == records


def test_a_watched_state_can_be_donated() -> None:
    optimizer = vg.watch(optax.sgd(1.0))
    step = jax.jit(lambda state: optimizer.update({"w": W}, state, {"w": W})[1], donate_argnums=0)
    state = optimizer.init({"w": W})
    for _ in range(2):
        state = step(state)
    assert vg.watched(state)[0]["step"] == 0


def test_records_tell_zeros_and_what_is_not_finite() -> None:
    optimizer = vg.watch(optax.sgd(1.0))
    state = optimizer.init({"w": W, "v": W})
    gradients = {"w": jnp.zeros((4, 4)), "v": W.at[0, 0].set(jnp.nan)}
    _, state = optimizer.update(gradients, state, {"w": W, "v": W})
    (record,) = vg.watched(state)
    assert record["loss"] is None
    assert record["layers"]["w"]["gradient"] == record["layers"]["w"]["update"] == "-inf"
    assert record["layers"]["w"]["zero"] == 1
    assert record["layers"]["v"]["gradient"] == "nan"
    assert record["layers"]["v"]["nonfinite"] == pytest.approx(1 / 16)
    assert record["nonfinite_since"] == {"gradients": 0, "updates": 0}


def test_vectors_are_layers_where_no_matrix_is_trained() -> None:
    optimizer = vg.watch(optax.sgd(1.0))
    state = optimizer.update({"b": W[0]}, optimizer.init({"b": W[0]}), {"b": W[0]})[1]
    assert list(vg.watched(state)[0]["layers"]) == ["b"]


def test_shares_are_of_evenly_spaced_numbers_of_large_arrays_and_of_all_of_small_ones() -> None:
    optimizer = vg.watch(optax.sgd(1.0))
    large = jnp.where(jnp.arange(90_000).reshape(300, 300) % 90_000 < 45_000, 0.0, 1e-3)
    gradients = {"large": large, "small": jnp.asarray([[0.0, 1e-30], [1e-5, 1.0]])}
    _, state = optimizer.update(gradients, optimizer.init(gradients), gradients)
    layers = vg.watched(state)[0]["layers"]
    assert layers["large"]["zero"] == pytest.approx(0.5, abs=0.01)
    assert layers["small"]["zero"] == 0.25
    assert sum(layers["small"]["histogram"]) == pytest.approx(1)
    assert sorted(share for share in layers["small"]["histogram"] if share) == [0.25] * 4


def test_watching_badly_is_reported() -> None:
    with pytest.raises(vg.InputError, match="must be at least 1, not 0 and 1"):
        vg.watch(optax.sgd(1.0), every=0)
    optimizer = vg.watch(optax.sgd(1.0))
    with pytest.raises(vg.InputError, match="needs the parameters"):
        optimizer.update(PARAMS, optimizer.init(PARAMS))
    with pytest.raises(vg.InputError, match="no watched optimizer"):
        vg.watched(optax.sgd(1.0).init(PARAMS))


def test_the_gradient_of_a_bias_is_kept_with_the_weights_that_it_belongs_to() -> None:
    vector = jnp.asarray([3.0, 4.0, 0.0, 0.0])
    params = {
        "dense": {"kernel": W, "bias": vector},
        "flat": {"w1": W, "b1": vector, "w2": W, "b2": 10 * vector},
        "pair": [W, 1e-25 * vector],
        "stack": {"w": jnp.stack([W, W]), "b": jnp.stack([vector, 2 * vector])},
        "bare": {"w": W},
    }
    optimizer = vg.watch(optax.sgd(1.0), stacked={"stack"})
    layers = vg.watched(optimizer.update(params, optimizer.init(params), params)[1])[0]["layers"]
    kept = {
        name: None if (bias := layer.get("bias")) is None else round(10**bias, 27) for name, layer in layers.items()
    }
    expected = {"dense.kernel": 5, "flat.w1": 5, "flat.w2": 50, "stack.w[0]": 5, "stack.w[1]": 10, "bare.w": None}
    assert {name: kept[name] for name in expected} == pytest.approx(expected)
    assert kept["pair.0"] == pytest.approx(5e-25, rel=1e-2)
    assert layers["dense.kernel"]["fan_in"] == layers["stack.w[1]"]["fan_in"] == 4
