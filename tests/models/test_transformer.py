"""Transformers: against one written out by hand, and what theory and other measurements say of them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.transformer_by_hand import attention, feed_forward, mapped, norm

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.measure.draw import draw, first_batch
from vgbench.models import build_network

KINDS = ("query", "key", "value", "output", "up", "down")

TINY: dict[str, Any] = {"depth": 3, "width": 8, "batch_size": 8, "seeds": (0,), "dtype": "float64"}


def model(**options: Any) -> dict[str, Any]:
    return {"name": "transformer", **options}


@pytest.mark.parametrize(
    ("order", "qk_norm", "pooling"), [("pre_norm", True, "mean"), ("post_norm", False, "flatten")], ids=str
)
def test_network_is_attention_and_feed_forward_parts_in_its_order(order: str, qk_norm: bool, pooling: str) -> None:
    options = model(order=order, heads=2, qk_norm=qk_norm, pooling=pooling)
    case = vg.Case(**TINY, model=options, block_execution="unroll")
    data = load_dataset(case)
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        network = build_network(case, data.problem)
        variables, (x, _) = draw(case, network, data, 0), first_batch(case, data, 0)
        logits = jax.jit(lambda v: network.apply(v, x, train=True).answers)(variables)
    params: Any = variables.params
    images = np.asarray(x, np.float64).reshape(-1, 8, 8)
    patches = [images[:, i : i + 2, j : j + 2].reshape(-1, 4) for i in range(0, 8, 2) for j in range(0, 8, 2)]
    h = mapped(params["input_layer"]["linear"], np.stack(patches, axis=1)) + np.asarray(
        params["input_layer"]["position"][...]
    )
    post = order == "post_norm"
    h = norm(h) if post else h
    for block in params["blocks"]:
        for name, part in (("attention", attention), ("feeding", feed_forward)):
            given: dict[str, Any] = {"heads": 2, "qk_norm": qk_norm} if name == "attention" else {}
            branch = part(block[name]["branch"], h if post else norm(h), **given)
            h = norm(h + branch) if post else h + branch
    h = h if post else norm(h)
    h = h.mean(axis=1) if pooling == "mean" else h.reshape(len(h), -1)
    np.testing.assert_allclose(logits, mapped(params["output_layer"]["linear"], h), atol=1e-9)


@pytest.fixture(scope="module")
def blocks() -> Any:
    """Gradients of the blocks' parameters by plain backpropagation."""
    case = vg.Case(**TINY, model=model())
    data = load_dataset(case)
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        network = build_network(case, data.problem, scanned=False)
        variables, (x, y) = draw(case, network, data, 0), first_batch(case, data, 0)

        def loss(params: Any) -> jax.Array:
            logits = network.apply(variables._replace(params=params), x, train=True).answers
            return -jax.nn.log_softmax(logits)[jnp.arange(len(y)), y].mean()

        return jax.jit(jax.grad(loss))(variables.params)["blocks"]


@pytest.mark.parametrize("layers", ["scan", "unroll"])
def test_norms_by_kind_are_those_of_plain_backpropagation(layers: str, blocks: Any) -> None:
    profile = vg.measure_gradients(vg.Case(**TINY, model=model(), block_execution=layers))
    assert profile.kinds == KINDS
    for layer, block in enumerate(blocks, start=1):
        for i, kind in enumerate(KINDS):
            held = block["feeding" if kind in ("up", "down") else "attention"]["branch"][kind]
            leaves = [np.ravel(leaf) for leaf in jax.tree.leaves(held) if leaf.ndim == 2]
            expected = np.log10(np.linalg.norm(np.concatenate(leaves)))
            assert profile.log10_kind_norm[0, layer, i] == pytest.approx(expected, abs=1e-9)
    assert np.isnan(profile.log10_kind_norm[:, 0]).all()


def test_kinds_that_rounding_drowns_are_reported() -> None:
    profile = vg.measure_gradients(vg.Case(**TINY, model=model(), block_execution="scan"))
    assert not profile.below_rounding.any()
    whole = profile.log10_parameter_norm[0, 1]
    profile.log10_kind_norm[0, 1, 0] = whole - 16
    assert profile.below_rounding[0, 1].tolist() == [True, False, False, False, False, False]


def test_token_cosine_is_the_mean_over_pairs() -> None:
    case = vg.Case(**TINY, model=model(), block_execution="unroll")
    measured = vg.measure_forward(case)
    data = load_dataset(case)
    with jax.enable_x64(True):
        network: Any = build_network(case, data.problem)
        variables, (x, _) = draw(case, network, data, 0), first_batch(case, data, 0)
        params, stats = variables.params["input_layer"], variables.stats["input_layer"]
        h = np.asarray(network.input_layer.apply(params, stats, x.astype("float64"), True)[0])
    directions = h / np.linalg.norm(h, axis=-1, keepdims=True)
    cosines = directions @ directions.swapaxes(1, 2)
    pairs = np.triu_indices(h.shape[1], k=1)
    assert measured.token_cosine[0, 0] == pytest.approx(cosines[:, pairs[0], pairs[1]].mean(), abs=1e-9)
    assert measured.token_cosine.shape == (1, 3)


def test_networks_without_tokens_have_no_token_cosine() -> None:
    assert np.isnan(vg.measure_forward(vg.Case(**TINY)).token_cosine).all()


def test_deep_norm_scales_values_outputs_and_feed_forward_parts_alone() -> None:
    post = model(order="post_norm")
    kept, scaled = (
        vg.Case(**TINY, model=post, skip=skip, block_execution="unroll") for skip in ("residual", "deep_norm")
    )
    data = load_dataset(kept)
    plain: Any
    deep: Any
    with jax.enable_x64(True):
        plain, deep = (draw(case, build_network(case, data.problem), data, 0).params for case in (kept, scaled))
    beta = (4 * 4) ** -0.25  # two blocks with two skips each
    branches = [each["blocks"][0]["attention"]["branch"] for each in (plain, deep)]
    for name, factor in (("query", 1), ("key", 1), ("value", beta), ("output", beta)):
        before, after = (np.asarray(branch[name]["kernel"][...]) for branch in branches)
        np.testing.assert_allclose(after, factor * before, rtol=1e-6)
    before, after = (each["blocks"][0]["feeding"]["branch"] for each in (plain, deep))
    for name in ("up", "down"):
        kernels = (np.asarray(branch[name]["kernel"][...]) for branch in (before, after))
        np.testing.assert_allclose(next(kernels) * beta, next(kernels), rtol=1e-6)


def test_gpt2s_initialisation_divides_the_last_weights_of_branches_by_the_root_of_their_number() -> None:
    case = vg.Case(**TINY | {"width": 64, "dtype": "float32"}, model=model(), init="gpt2", block_execution="unroll")
    params: Any = draw(case, build_network(case, load_dataset(case).problem), load_dataset(case), 0).params
    attention, feeding = (params["blocks"][1][part]["branch"] for part in ("attention", "feeding"))
    for name, kernels in (attention | feeding).items():
        expected = 0.02 / (4**0.5 if name in ("output", "down") else 1)  # two blocks of two branches
        assert np.std(kernels["kernel"]) == pytest.approx(expected, rel=0.05), name


@pytest.mark.parametrize(
    ("slots", "reason"),
    [
        ({"width": 10}, "4 heads do not divide a width of 10"),
        ({"skip": "dense"}, "skip 'dense' has no place"),
        ({"init": {"name": "orthogonal", "gain": "critical"}}, "feed-forward backbones without attention"),
        ({"model": model(order="post_norm"), "norm": "none"}, "needs a norm of the signal, not norm 'none'"),
        ({"skip": "deep_norm"}, 'needs model = { name = "transformer", order = "post_norm" }'),
    ],
    ids=str,
)
def test_combination_without_meaning_is_refused_with_the_reason(slots: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        vg.Case(**{"model": "transformer"} | slots)


def test_image_that_patches_do_not_divide_is_refused() -> None:
    with pytest.raises(vg.InputError, match="no square image of 1 channels in patches of 3 by 3"):
        vg.measure_gradients(vg.Case(model=model(patch=3)))


def test_a_step_counts_the_products_of_attention() -> None:
    case = vg.Case(**TINY, model=model())
    network = build_network(case, load_dataset(case).problem)
    block = 16 * (4 * 8 * 8 + 2 * 8 * 32) + 2 * 16 * 16 * 8
    assert network.forward_flops == 2 * (16 * 4 * 8 + 2 * block + 8 * 10)


def at(blocks: int, dtype: str = "float32", width: int = 64, **slots: Any) -> vg.GradientProfile:
    common: dict[str, Any] = {"width": width, "batch_size": 32, "seeds": (0, 1, 2), "model": model()}
    return vg.measure_gradients(vg.Case(**common | slots, depth=blocks + 1, dtype=dtype))


def decades(profile: vg.GradientProfile) -> float:
    """Of the stream's gradient behind the first block over that behind the last."""
    norms = profile.log10_activation_norm.mean(axis=0)
    return float(norms[1] - norms[-1])


POST = model(order="post_norm")
DEEP: dict[str, Any] = {"model": POST, "skip": "deep_norm"}
BARE: dict[str, Any] = {"norm": "none", "skip": "none"}


@pytest.mark.slow
@pytest.mark.parametrize(("blocks", "pooled", "per_token"), [(12, 0.8, 0.4), (48, 1.15, 0.7), (200, 1.55, 1.0)])
def test_pre_norm_grows_slowly_and_deep_norm_not_at_all(blocks: int, pooled: float, per_token: float) -> None:
    assert decades(at(blocks)) == pytest.approx(pooled, abs=0.2)
    assert decades(at(blocks, model=model(pooling="flatten"))) == pytest.approx(per_token, abs=0.2)
    assert decades(at(blocks, **DEEP)) == pytest.approx(0, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("blocks", "most"), [(12, 1), (48, 1), (200, 2)])
def test_post_norm_hardly_vanishes_in_the_stream(blocks: int, most: float) -> None:
    assert abs(decades(at(blocks, model=POST))) < most


@pytest.mark.slow
@pytest.mark.parametrize(("blocks", "least"), [(12, 5), (48, 50)])
def test_skips_without_a_norm_explode(blocks: int, least: float) -> None:
    assert decades(at(blocks, norm="none")) > least


@pytest.mark.slow
def test_two_hundred_blocks_of_skips_without_a_norm_overflow_and_say_so() -> None:
    profile = at(200, norm="none")
    assert not np.isfinite(profile.log10_activation_norm).all()


@pytest.mark.slow
def test_without_skips_and_norms_the_stream_loses_its_gradient() -> None:
    assert decades(at(12, **BARE)) < -1


@pytest.mark.slow
def test_rank_collapse_shows_in_queries_and_keys_and_only_float64_reaches_its_end() -> None:
    double, single = (at(48, dtype, model=POST) for dtype in ("float64", "float32"))
    kinds = double.log10_kind_first_over_last
    assert kinds["query"].value > 8
    assert abs(kinds["value"].value) < 2
    assert single.below_rounding[:, -1, 0].all()
    assert not double.below_rounding[:, -1, 0].any()
    tokens = vg.measure_forward(vg.Case(model=POST, width=64, depth=49, batch_size=32, seeds=(0,), dtype="float64"))
    assert tokens.token_cosine[0, -1] > 0.999


@pytest.mark.slow
def test_last_layers_gradient_depends_on_depth_under_pre_norm_alone() -> None:
    """Xiong et al. 2020: about 1 / sqrt(depth) under pre-norm."""

    def last(blocks: int, **slots: Any) -> float:
        profile = at(blocks, **slots)
        return float(profile.log10_kind_norm[:, -1, KINDS.index("down")].mean())

    shallow, deep = 6, 48
    assert last(deep) - last(shallow) == pytest.approx(-np.log10(deep / shallow) / 2, abs=0.2)
    assert last(deep, model=POST) - last(shallow, model=POST) == pytest.approx(0, abs=0.2)


# At width 128, per-token gradients, decades of the squared norm: (blocks, of the stream, of the query weights, cosine).
PUBLISHED = [
    ({}, 6, 0.57, 1.0, 0.55),
    ({}, 12, 0.86, 2.0, 0.73),
    ({}, 24, 1.13, 2.8, 0.88),
    ({}, 48, 1.42, 3.7, 0.93),
    ({"model": POST}, 6, -0.07, 1.1, 0.87),
    ({"model": POST}, 12, -0.34, 4.4, 0.997),
    ({"model": POST}, 24, -0.34, 11.8, 1.0),
    ({"model": POST}, 48, -0.68, 25.3, 1.0),
    (DEEP, 12, 0.004, 0.05, 0.01),
]


@pytest.mark.slow
@pytest.mark.parametrize(("slots", "blocks", "stream", "query", "cosine"), PUBLISHED, ids=str)
def test_wide_transformers_are_as_others_measured(
    slots: dict[str, Any], blocks: int, stream: float, query: float, cosine: float
) -> None:
    options: Any = slots.get("model", model())
    common: dict[str, Any] = {"width": 128, "data": "gaussian", "batch_size": 16, "dtype": "float64"}
    case = slots | common | {"model": options | {"pooling": "flatten"}}
    profile = at(blocks, **case)
    assert 2 * decades(profile) == pytest.approx(stream, abs=0.5)
    assert 2 * profile.log10_kind_first_over_last["query"].value == pytest.approx(query, abs=max(0.5, query / 5))
    forward = vg.measure_forward(vg.Case(**case, depth=blocks + 1, seeds=(0,)))
    assert forward.token_cosine[0, -1] == pytest.approx(cosine, abs=0.1)
