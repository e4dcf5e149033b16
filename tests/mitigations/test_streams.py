"""Several residual streams: equal to one where they should be, and products of their mixing matrices."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import by_hand

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.measure.draw import draw, first_batch
from vgbench.mitigations.streams import doubly_stochastic
from vgbench.models import build_network

TINY: dict[str, Any] = {"width": 8, "batch_size": 8, "seeds": (0,), "activation": "tanh", "init": "lecun_normal"}
PRE: dict[str, Any] = {"model": {"name": "mlp", "order": "pre_activation"}}
NAMES = ("hyper_connections", "constrained_hyper_connections")


def test_doubly_stochastic_matrix_is_the_limit_of_scaling_rows_and_columns() -> None:
    logits = np.random.default_rng(0).standard_normal((4, 4))
    expected = np.exp(logits)
    for _ in range(200):
        expected /= expected.sum(axis=0)
        expected /= expected.sum(axis=1, keepdims=True)
    found = np.asarray(doubly_stochastic(jnp.asarray(logits, jnp.float32)))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-4)


@pytest.mark.parametrize(
    "skip", ["hyper_connections", {"name": "constrained_hyper_connections", "spread": 1.0}], ids=str
)
def test_streams_start_as_the_residual_network(skip: Any) -> None:
    """Copies of one stream stay copies where each is mixed with weights that sum to 1 and takes the whole branch."""
    one, many = (vg.Case(**TINY, **PRE, depth=6, skip=each) for each in ("residual", skip))
    forward = [vg.measure_forward(case) for case in (one, many)]
    for name in ("log10_activation_scale", "log10_pair_distance"):
        np.testing.assert_allclose(getattr(forward[1], name), getattr(forward[0], name), atol=1e-4)
    gradients = [vg.measure_gradients(case).log10_activation_norm[0] for case in (one, many)]
    # Each of four streams gets its share of the gradient: a quarter of it where all have the same.
    if many.skip.name == "constrained_hyper_connections":
        np.testing.assert_allclose(gradients[1], gradients[0] - np.log10(2), atol=1e-4)


def composite_gain(name: str, blocks: int) -> float:
    """log10 of the largest sum of a row of magnitudes in the product of all mixing matrices."""
    case = vg.Case(**TINY, **PRE, depth=blocks + 1, skip={"name": name, "spread": 1.0})
    data = load_dataset(case)
    params = by_hand.plain(draw(case, build_network(case, data.problem, scanned=True), data, 0).params)
    product = np.eye(4)
    for mixing in np.asarray(params["blocks"]["skip"]["mixing"]).reshape(-1, 4, 4):
        constrained = name == "constrained_hyper_connections"
        product = np.asarray(doubly_stochastic(jnp.asarray(mixing)) if constrained else mixing, np.float64) @ product
    return float(np.log10(np.abs(product).sum(axis=1).max()))


def test_unconstrained_gain_grows_exponentially_and_the_constrained_one_stays_at_one() -> None:
    grown = [composite_gain("hyper_connections", blocks) for blocks in (50, 100, 200)]
    assert grown[0] > 1
    assert grown[1] - grown[0] == pytest.approx(50 * grown[2] / 200, rel=0.5)
    assert grown[2] - grown[1] == pytest.approx(100 * grown[2] / 200, rel=0.5)
    assert composite_gain("constrained_hyper_connections", 50) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("model", [{"name": "mlp", "order": "post_norm"}, {"name": "mlp", "order": "post_activation"}])
def test_orders_that_change_the_joined_stream_are_refused(model: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="its streams are joined without a norm or an activation"):
        vg.Case(**TINY, model=model, norm="layer", skip="hyper_connections")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("skip", "layers"),
    [
        ("hyper_connections", "scan"),
        ("hyper_connections", "unroll"),
        ({"name": "attention_residual", "streams": 4}, "scan"),
    ],
    ids=str,
)
def test_profile_is_that_of_all_streams_together(skip: Any, layers: str) -> None:
    case = vg.Case(**TINY, **PRE, depth=4, dtype="float64", block_execution=layers, skip=skip)
    measured = vg.measure_gradients(case)
    data = load_dataset(case)
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        network: Any = build_network(case, data.problem, scanned=False)
        variables = draw(case, network, data, 0)
        x, y = first_batch(case, data, 0)

        def loss(added: jax.Array) -> jax.Array:
            h: Any = x.astype("float64")
            for i, part in enumerate((network.input_layer, *network.blocks)):
                of = (lambda tree, i=i: tree["blocks"][i - 1]) if i else (lambda tree: tree["input_layer"])
                h = part.apply(of(variables.params), of(variables.stats), h, True)[0] + added[i]
            last = variables.params["output_layer"], variables.stats["output_layer"]
            return network.problem.objective.loss(network.output_layer.apply(*last, h, True)[0], y)

        slopes = jax.jit(jax.grad(loss))(jnp.zeros((4, 8, 4, 8), "float64"))
    expected = np.log10(np.linalg.norm(np.asarray(slopes).reshape(4, -1), axis=1))
    np.testing.assert_allclose(measured.log10_activation_norm[0], expected, atol=1e-9)
