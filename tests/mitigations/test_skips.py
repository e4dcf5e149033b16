"""What the skips promise: closed forms, the identity at initialisation, and combinations that have no meaning."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.measure.draw import draw, first_batch
from vgbench.mitigations.site import Site
from vgbench.mitigations.skips import Skip
from vgbench.models import build_network
from vgbench.spec.registry import SKIPS

SMALL: dict[str, Any] = {"depth": 6, "width": 16, "batch_size": 32, "seeds": (0, 1), "dtype": "float64"}
FIXUP: dict[str, Any] = {"name": "mlp", "order": "pre_activation", "layers_per_block": 2}
POST_NORM = {"name": "mlp", "order": "post_norm"}

LAYOUTS = ["scan", pytest.param("unroll", marks=pytest.mark.slow)]


def built(choice: Any, width: int = 4, depth: int = 17, layer: int = 2) -> Skip:
    return SKIPS.build(SKIPS.choose(choice), Site(width, depth, layer, nnx.Rngs(0)))


H, BRANCH = jnp.asarray([[1.0, -2.0, 0.5, 3.0]]), jnp.asarray([[4.0, 8.0, -1.0, 2.0]])


@pytest.mark.parametrize(
    ("choice", "stream", "scale"),
    [
        ("none", 0, 1),
        ("residual", 1, 1),
        ({"name": "residual", "scale": 0.5, "stream_scale": 2.0}, 2, 0.5),
        ("scaled", 1, 1 / 4),
        ("rezero", 1, 0),
        ("skip_init", 1, 0),
        ("zero_gamma", 1, 0),
        ("layer_scale", 1, 0.1),
        ("deep_norm", 2, 1),
        ("fixup", 1, 1),
    ],
    ids=str,
)
def test_skip_is_its_formula(choice: Any, stream: float, scale: float) -> None:
    np.testing.assert_allclose(built(choice)(H, BRANCH), stream * H + scale * BRANCH, rtol=1e-6)


@pytest.mark.parametrize(("depth", "scale"), [(18, 0.1), (19, 1e-5), (24, 1e-5), (25, 1e-6)])
def test_layer_scale_starts_smaller_in_deeper_networks(depth: int, scale: float) -> None:
    np.testing.assert_allclose(built("layer_scale", depth=depth)(jnp.zeros((1, 4)), BRANCH), scale * BRANCH, rtol=1e-6)


@pytest.mark.parametrize(
    ("choice", "shape"),
    [
        ("rezero", ()),
        ("zero_gamma", (4,)),
        ({"name": "residual", "learned": True}, ()),
        ({"name": "residual", "learned": True, "per_channel": True}, (4,)),
    ],
    ids=str,
)
def test_learned_scales_are_parameters(choice: Any, shape: tuple[int, ...]) -> None:
    (leaf,) = jax.tree.leaves(nnx.state(built(choice), nnx.Param))
    assert leaf.shape == shape


def test_highway_carries_its_input_where_the_gate_is_closed_and_its_branch_where_open() -> None:
    for bias, expected in ((-50.0, H), (50.0, BRANCH)):
        np.testing.assert_allclose(built({"name": "highway", "gate_bias": bias})(H, BRANCH), expected, rtol=1e-5)


def test_dense_stream_grows_and_keeps_what_was_there() -> None:
    np.testing.assert_array_equal(built("dense")(H, BRANCH), np.concatenate([H, BRANCH], axis=1))
    case = vg.Case(**SMALL, skip={"name": "dense", "growth": 5})
    data = load_dataset(case)
    network = build_network(case, data.problem)
    shapes = [leaf.shape for leaf in jax.tree.leaves(network.init(jax.random.key(0)).params) if leaf.ndim == 2]
    assert shapes == [(16 + 5 * i, 5) for i in range(5)] + [(64, 16), (41, 10)]


def test_stochastic_depth_drops_whole_branches_as_often_as_it_says() -> None:
    skip: Any = built({"name": "stochastic_depth", "survival": 0.5}, depth=5, layer=4)
    survived = [bool((skip(H, BRANCH) == H + BRANCH).all()) for _ in range(400)]
    # The third of four blocks survives with 1 - 3/4 * 1/2; the interval holds for all but one in 10^6 keys.
    assert abs(np.mean(survived) - 0.625) < 5 * (0.625 * 0.375 / 400) ** 0.5
    skip.eval()
    np.testing.assert_allclose(skip(H, BRANCH), H + 0.625 * BRANCH, rtol=1e-6)


@pytest.mark.parametrize("layers", LAYOUTS)
def test_stochastic_depth_leaves_dropped_branches_without_gradient(layers: str) -> None:
    skip = {"name": "stochastic_depth", "survival": 0.1}
    case = vg.Case(**SMALL | {"depth": 24}, activation="tanh", skip=skip, block_execution=layers)
    norms = vg.measure_gradients(case).log10_parameter_norm
    dropped = np.isneginf(norms[:, 1:-1])
    assert 0.3 < dropped.mean() < 0.7  # 1/2 in expectation over 46 blocks
    assert dropped[:, 12:].sum() > dropped[:, :11].sum()


@pytest.mark.parametrize("layers", ["scan", "unroll"])
@pytest.mark.parametrize("skip", ["rezero", "skip_init", "zero_gamma", "fixup"])
def test_closed_branches_pass_the_gradient_exactly(skip: str, layers: str) -> None:
    slots: dict[str, Any] = {"skip": skip, "block_execution": layers} | ({"model": FIXUP} if skip == "fixup" else {})
    profile = vg.measure_gradients(vg.Case(**SMALL | {"dtype": "float32", "depth": 4}, **slots))
    norms = profile.log10_activation_norm
    np.testing.assert_allclose(norms, np.repeat(norms[:, -1:], 4, axis=1), atol=1e-6)  # sums of equal squares
    assert np.isfinite(norms).all()
    if skip != "fixup":
        assert np.isneginf(profile.log10_parameter_norm[:, 1:-1]).all()
    assert profile.branches_closed == (skip != "fixup")


def test_fixups_closed_matrices_have_a_gradient_of_zero_and_its_last_ones_open() -> None:
    case = vg.Case(**SMALL, skip="fixup", model=FIXUP)
    data = load_dataset(case)
    with jax.enable_x64(True):
        network = build_network(case, data.problem)
        variables, (x, y) = draw(case, network, data, 0), first_batch(case, data, 0)

        def loss(params: Any) -> jax.Array:
            logits = network.apply(variables._replace(params=params), x, train=True).answers
            return -jax.nn.log_softmax(logits)[jnp.arange(len(y)), y].mean()

        branch: Any = jax.jit(jax.grad(loss))(variables.params)["blocks"]["branch"]
    drawn: Any = variables.params["blocks"]["branch"]
    assert not np.asarray(branch[0]["linear"]["kernel"][...]).any()
    assert np.asarray(branch[1]["linear"]["kernel"][...]).any(axis=(1, 2)).all()
    assert not np.asarray(drawn[1]["linear"]["kernel"][...]).any()
    # L^(-1/(2m - 2)) of He's standard deviation, with m = 2 layers a branch
    std = np.asarray(drawn[0]["linear"]["kernel"][...]).std()
    assert std == pytest.approx((2 / 16) ** 0.5 * 5**-0.5, rel=0.05)


@pytest.mark.parametrize(
    ("slots", "reason"),
    [
        ({"skip": {"name": "residual", "per_channel": True}}, "per_channel = true has no meaning .* not learned"),
        ({"skip": "deep_norm"}, "skip 'deep_norm': .* order = \"post_norm\""),
        ({"skip": "fixup"}, "skip 'fixup': .* layers_per_block = 2"),
        ({"skip": "fixup", "model": FIXUP, "norm": "batch"}, "skip 'fixup': .* without a norm"),
        ({"skip": "dense", "block_execution": "scan"}, "skip 'dense': its blocks differ in width"),
        ({"skip": "dense", "depth": 65}, "skip 'dense': its blocks differ in width"),
        ({"skip": "dense", "model": POST_NORM, "norm": "layer"}, "skip 'dense': order 'post_norm' would transform"),
        ({"model": POST_NORM}, "model 'mlp': order 'post_norm' needs a norm of the signal, not norm 'none'"),
        ({"model": POST_NORM, "norm": "weight"}, "needs a norm of the signal, not norm 'weight'"),
        ({"width": 20, "norm": "group"}, "norm 'group': 8 groups do not divide a width of 20"),
        ({"norm": "group", "skip": {"name": "dense", "growth": 4}}, "8 groups do not divide a width of 4"),
        ({"init": "lsuv", "norm": "weight"}, "init 'lsuv': norm 'weight' gives the weights a scale of its own"),
        ({"init": {"name": "he_normal", "gain": "critical"}, "activation": "softplus"}, "no stable edge of chaos"),
        ({"warmup_steps": 500}, "warmup_steps: 500 leaves none of 500 steps"),
    ],
    ids=str,
)
def test_combination_without_meaning_is_refused_with_the_reason(slots: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        vg.Case(**slots)


@pytest.mark.parametrize("layers", LAYOUTS)
@pytest.mark.parametrize("skip", ["none", "residual"])
def test_lsuv_gives_every_layer_outputs_of_variance_one_on_its_batch(skip: str, layers: str) -> None:
    slots: dict[str, Any] = {"depth": 5, "activation": "relu", "init": "lsuv", "skip": skip, "block_execution": layers}
    case = vg.Case(**SMALL | slots)
    data = load_dataset(case)
    with jax.enable_x64(True):
        network = build_network(case, data.problem, scanned=False)
        params: Any = draw(case, network, data, 0).params
        h = np.asarray(first_batch(case, data, 0)[0], np.float64)
    for i, layer in enumerate([params["input_layer"], *(block["branch"][0] for block in params["blocks"])]):
        z = h @ np.asarray(layer["linear"]["kernel"][...])
        assert z.std() == pytest.approx(1, abs=1e-6)  # scaled in float32, as everything is drawn
        h = np.maximum(z, 0) + (h if skip == "residual" and i else 0)
    assert (h @ np.asarray(params["output_layer"]["linear"]["kernel"][...])).std() == pytest.approx(1, abs=1e-6)
    assert vg.measure_forward(case).log10_activation_scale[0, -1] == pytest.approx(
        np.log10(np.sqrt((h**2).mean())), abs=1e-6
    )


def test_weight_norm_starts_as_the_unnormalised_network_and_learns_lengths() -> None:
    plain, normed = (vg.measure_gradients(vg.Case(**SMALL, norm=norm)) for norm in ("none", "weight"))
    # Lengths are drawn in float32, like all parameters.
    np.testing.assert_allclose(normed.log10_activation_norm, plain.log10_activation_norm, atol=1e-6)
    # The gradient of a direction is orthogonal to it, so what is left of dL/dW is smaller.
    assert (normed.log10_parameter_norm[:, :-1] < plain.log10_parameter_norm[:, :-1]).all()


@pytest.mark.parametrize(
    "order", ["before_addition", "norm_after_activation", "post_activation", "pre_activation", "post_norm"]
)
def test_layers_stand_in_the_models_order(order: str) -> None:
    case = vg.Case(
        **SMALL | {"depth": 3},
        model={"name": "mlp", "order": order, "layers_per_block": 2},
        activation="tanh",
        norm="rms",
        skip="residual",
        block_execution="unroll",
    )
    data = load_dataset(case)
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        network = build_network(case, data.problem)
        variables, (x, _) = draw(case, network, data, 0), first_batch(case, data, 0)
        logits = jax.jit(lambda v: network.apply(v, x, train=True).answers)(variables)
    params: Any = variables.params

    def linear(layer: Any) -> Any:
        return lambda h: h @ np.asarray(layer["linear"]["kernel"][...])

    def norm(h: np.ndarray) -> np.ndarray:
        return h / np.sqrt((h**2).mean(axis=-1, keepdims=True) + 1e-6)

    def chain(h: np.ndarray, *steps: Any) -> np.ndarray:
        for step in steps:
            h = step(h)
        return h

    h, act = np.asarray(x, np.float64), np.tanh
    first, last = linear(params["input_layer"]), linear(params["output_layer"])
    entering = {"pre_activation": (), "post_norm": (norm,), "norm_after_activation": (act, norm)}
    h = chain(h, first, *entering.get(order, (norm, act)))
    for block in params["blocks"]:
        one, two = map(linear, (block["branch"][0], block["branch"][1]))
        match order:
            case "before_addition":
                h = h + chain(h, one, norm, act, two, norm, act)
            case "norm_after_activation":
                h = h + chain(h, one, act, norm, two, act, norm)
            case "post_activation":
                h = act(h + chain(h, one, norm, act, two, norm))
            case "pre_activation":
                h = h + chain(h, norm, act, one, norm, act, two)
            case _:
                h = norm(h + chain(h, act, one, act, two))
    expected = chain(h, norm, act, last) if order == "pre_activation" else last(h)
    np.testing.assert_allclose(logits, expected, atol=1e-9)
