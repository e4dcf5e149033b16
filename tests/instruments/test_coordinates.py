"""The coordinate check: against steps by hand, and against what is known of parametrisations."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import vgbench as vg
from vgbench.instruments.coordinate_steps import _owns

RATE = 0.1
DRAW = np.random.default_rng(0)
BATCHES = [(DRAW.normal(size=(6, 3)).astype(np.float32), DRAW.normal(size=(6, 1)).astype(np.float32)) for _ in range(2)]


class NnxPair(nnx.Module):
    """Two linear maps."""

    def __init__(self, width: int, rngs: nnx.Rngs) -> None:
        self.start = nnx.Linear(3, width, use_bias=False, rngs=rngs)
        self.end = nnx.Linear(width, 1, use_bias=False, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.end(self.start(x))


class LinenPair(nn.Module):
    """The same."""

    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.Dense(1, use_bias=False, name="end")(nn.Dense(self.width, use_bias=False, name="start")(x))


def squared(model: Any, batch: Any) -> jax.Array:
    return jnp.mean((model(batch[0]) - batch[1]) ** 2)


def nnx_pair(width: int, seed: int) -> tuple[Any, Any]:
    return NnxPair(width, nnx.Rngs(seed)), optax.sgd(RATE)


def linen_pair(width: int, seed: int) -> tuple[Any, Any]:
    model = nnx_pair(width, seed)[0]
    kernels = {name: {"kernel": getattr(model, name).kernel.get_value()} for name in ("start", "end")}
    return {"params": kernels}, optax.sgd(RATE)


def linen_loss(variables: Any, batch: Any) -> jax.Array:
    width = variables["params"]["start"]["kernel"].shape[1]
    return squared(lambda x: LinenPair(width).apply(variables, x), batch)


def rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(x))))


def by_hand(width: int) -> np.ndarray:
    """Root mean squares [steps, modules, quantities] of two steps of gradient descent."""
    model = nnx_pair(width, seed=0)[0]
    weights = [np.asarray(each.kernel.get_value(), np.float64) for each in (model.start, model.end)]
    history = [weights]
    for x, y in BATCHES:
        first, second = history[-1]
        error = 2 / 6 * (x @ first @ second - y)
        history.append([first - RATE * x.T @ error @ second.T, second - RATE * (x @ first).T @ error])
    x, (w, v), found = BATCHES[0][0], history[0], []
    for (w_before, v_before), (w_now, v_now) in zip([history[0], *history], history, strict=False):
        first = x @ w_now, x @ (w_now - w), x @ (w_now - w_before), x @ (w_now - w), 0 * x
        second = x @ w_now @ v_now, x @ w_now @ v_now - x @ w @ v, x @ (w_now @ v_now - w_before @ v_before)
        found.append([[*map(rms, first)], [*map(rms, (*second, x @ w_now @ (v_now - v), x @ (w_now - w) @ v))]])
    return np.asarray(found)


@pytest.mark.parametrize(
    ("build", "loss"), [(nnx_pair, squared), (linen_pair, linen_loss)], ids=["Flax NNX", "Flax Linen"]
)
def test_sizes_changes_updates_and_parts_are_those_of_steps_by_hand(build: Any, loss: Any) -> None:
    (sweep,) = vg.coordinate_check(build, loss, BATCHES, widths=(4, 7), seeds=(0,), steps=2).sweeps
    assert sweep.modules == ("start", "end")
    np.testing.assert_allclose(sweep.rms[0], [by_hand(4), by_hand(7)], rtol=1e-4, atol=1e-6)


class Mlp(nnx.Module):
    """tanh layers between a linear input and output layer, in the standard or the maximal-update parametrisation."""

    def __init__(self, width: int, layers: int, maximal: bool, rngs: nnx.Rngs) -> None:
        normal = jax.nn.initializers.variance_scaling(1.0, "fan_in", "normal")
        last = jax.nn.initializers.normal(1.0) if maximal else normal
        self.multiplier = 1 / width if maximal else 1.0
        self.input = nnx.Linear(8, width, use_bias=False, kernel_init=normal, rngs=rngs)
        self.hidden = nnx.List(
            nnx.Linear(width, width, use_bias=False, kernel_init=normal, rngs=rngs) for _ in range(layers)
        )
        self.output = nnx.Linear(width, 1, use_bias=False, kernel_init=last, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        h = self.input(x)
        for layer in self.hidden:
            h = layer(jnp.tanh(h))
        return self.output(jnp.tanh(h) * self.multiplier)


def mlp(layers: int, maximal: bool) -> Callable[..., Any]:
    """Trained with Adam; the maximal update divides the hidden matrices' learning rate by the width."""

    def kind(path: Any, _: Any) -> str:
        return "hidden" if "hidden" in jax.tree_util.keystr(path) else "other"

    def build(width: int, seed: int) -> tuple[Any, Any]:
        adams = {"hidden": optax.adam(0.01 * 64 / width if maximal else 0.01), "other": optax.adam(0.01)}
        optimizer = optax.multi_transform(adams, lambda tree: jax.tree_util.tree_map_with_path(kind, tree))
        return Mlp(width, layers, maximal, nnx.Rngs(seed)), optimizer

    return build


MANY = [(DRAW.normal(size=(32, 8)).astype(np.float32), DRAW.normal(size=(32, 1)).astype(np.float32)) for _ in range(2)]


def exponents(layers: int, maximal: bool, **sizes: Any) -> dict[str, float]:
    """Of the change after the last step, by module."""
    check = vg.coordinate_check(mlp(layers, maximal), squared, MANY, **sizes)
    (sweep,) = check.sweeps
    return {module: sweep.exponents(module, "change", check.steps).exponent.value for module in sweep.modules}


def test_adam_moves_wide_hidden_layers_further_unless_its_rate_goes_with_the_width() -> None:
    small = {"widths": (64, 512), "seeds": (0, 1), "steps": 1}
    assert exponents(1, maximal=False, **small)["hidden.0"] > 0.8
    assert all(abs(each) < 0.1 for each in exponents(1, maximal=True, **small).values())


@pytest.mark.slow
def test_standard_parametrisation_grows_and_maximal_update_is_flat_over_a_sixteenfold_width() -> None:
    widths = (64, 128, 256, 512, 1024)
    standard = exponents(2, maximal=False, widths=widths)
    assert min(standard["hidden.0"], standard["hidden.1"], standard["output"]) > 0.7
    flat = exponents(2, maximal=True, widths=widths)
    assert all(abs(each) <= 0.05 for each in flat.values()), flat


def residual(depth: int, seed: int) -> tuple[Any, Any]:
    keys = jax.random.split(jax.random.key(seed), depth)
    return [jax.random.normal(key, (4, 4)) / 8 for key in keys], optax.sgd(0.0)


def residual_loss(weights: Any, batch: Any) -> jax.Array:
    h = batch
    for i, w in enumerate(weights):
        h = h + vg.tap(h @ w, f"layers.{i}.branch")  # its name is the path of no parameter
    return jnp.sum(vg.tap(h, "stream") ** 2)


def test_layers_count_as_one_place_over_depth() -> None:
    batch = np.ones((1, 4), np.float32)
    check = vg.coordinate_check(residual, residual_loss, [batch], depths=(1, 3), seeds=(0,), steps=1)
    (sweep,) = check.sweeps
    assert (sweep.along, sweep.modules) == ("depth", ("layers.*.branch", "stream"))
    h, branches = batch.astype(np.float64), []
    for w in residual(3, 0)[0]:
        branches.append(h @ np.asarray(w, np.float64))
        h = h + branches[-1]
    np.testing.assert_allclose(sweep.rms[0, 1, 0, :, 0], [rms(np.asarray(branches)), rms(h)], rtol=1e-5)
    assert set(check.frame().query("quantity == 'change'")["verdict"]) == {
        "zero or not finite"
    }  # the learning rate is 0


@pytest.mark.parametrize(
    ("place", "parameter", "owned"),
    [
        ("blocks.1", "blocks.1.linear.kernel", True),
        ("blocks.1", "blocks.10.linear.kernel", False),
        ("Dense_0", "params.Dense_0.kernel", True),
        ("mlp", "mlp/~/linear_0.w", True),
        ("mlp/~/linear_0", "mlp/~/linear_1.w", False),
    ],
)
def test_a_module_owns_the_parameters_below_it(place: str, parameter: str, owned: bool) -> None:
    assert _owns(place, parameter) == owned


@pytest.mark.parametrize(
    ("batches", "options", "message"),
    [
        (BATCHES, {"widths": (4,)}, "at least two widths or two depths"),
        (BATCHES, {"widths": (4, 4)}, r"widths are different numbers from 1 on, not \[4, 4\]"),
        (BATCHES, {"depths": (0, 4)}, r"depths are different numbers from 1 on, not \[0, 4\]"),
        ([], {"widths": (4, 8)}, "at least one batch, one seed and one step"),
        (BATCHES, {"widths": (4, 8), "steps": 0}, "at least one batch, one seed and one step"),
        ([BATCHES[0], (BATCHES[0][0][:2], BATCHES[0][1][:2])], {"widths": (4, 8)}, "batches must have the same shapes"),
    ],
)
def test_what_makes_no_check_is_refused(batches: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(vg.InputError, match=message):
        vg.coordinate_check(nnx_pair, squared, batches, **options)
