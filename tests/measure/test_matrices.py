"""Weight matrices of all layers: their norms over the whole range of the dtype, and counts of their entries."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.instruments.probe import log10_norms
from vgbench.measure.matrices import GRADIENT_BINS, counts, norms, squares
from vgbench.models import Network, build_network
from vgbench.models.kinds import kinds_of


def mlp(layers: str) -> Network:
    case = vg.Case(depth=3, width=4, block_execution=layers)
    return build_network(case, load_dataset(case).problem)


def tree(kernels: list[Any], stacked: bool) -> dict[str, Any]:
    """A tree like the parameters, of the kernel of each layer and a bias that does not count."""
    first, *blocks, last = [{"linear": {"kernel": jnp.asarray(kernel), "bias": 7 * jnp.ones(3)}} for kernel in kernels]
    return {
        "input_layer": first,
        "blocks": jax.tree.map(lambda *each: jnp.stack(each), *blocks) if stacked else tuple(blocks),
        "output_layer": last,
    }


def spread(scale: float, shape: tuple[int, int]) -> np.ndarray:
    return (np.random.default_rng(0).uniform(0.5, 1, shape) * scale).astype(np.float32)


@pytest.mark.parametrize("layers", ["scan", "unroll"])
def test_norms_are_those_of_float64_over_the_whole_range(layers: str) -> None:
    network = mlp(layers)
    measured = jax.jit(lambda *trees: squares(network, *trees))
    for scales in ([3e38, 1e36, 1e19, 1], [1e-6, 1e-12, 1e-19, 1e-25], [1e-30, 1e-37, 1e-10, 1e-11]):
        kernels = [spread(scale, (4, 4)) for scale in scales]
        given = tree(kernels, network.stacked)
        (whole, _), (double, _) = norms(measured(given, jax.tree.map(lambda x: x / 2, given)))
        exact = np.log10([np.linalg.norm(kernel.astype(np.float64)) for kernel in kernels])
        np.testing.assert_allclose(log10_norms(*whole), exact, atol=3e-7)
        np.testing.assert_allclose(log10_norms(*double), exact - np.log10(2), atol=3e-7)


def test_norms_of_zero_and_of_what_is_not_finite() -> None:
    network = mlp("scan")
    kernels = [np.zeros((4, 4), np.float32), *(np.full((4, 4), value, np.float32) for value in (np.nan, np.inf, 1))]
    ((whole, _),) = norms(squares(network, tree(kernels, stacked=True)))
    np.testing.assert_equal(log10_norms(*whole)[:3], [-np.inf, np.nan, np.inf])


def test_matrices_of_a_layer_are_put_together_and_their_kinds_apart() -> None:
    case = vg.Case(model="transformer", depth=3, width=8)
    network = build_network(case, load_dataset(case).problem)
    params = network.init(jax.random.key(0)).params
    small = jax.tree.map(lambda x: x * 1e-30, params)
    ((whole, kinds),) = norms(jax.jit(lambda tree: squares(network, tree))(small))
    block = kinds_of(network.kinds, jax.tree.map(lambda x: x[1], params["blocks"]))

    def norm(matrices: list[jax.Array]) -> float:
        return float(np.log10(np.linalg.norm(np.concatenate([np.ravel(each) for each in matrices]))) - 30)

    assert log10_norms(*whole)[2] == pytest.approx(norm([leaf for _, leaf in block if leaf.ndim > 1]), abs=1e-6)
    found = log10_norms(*kinds)
    assert found.shape == (3, len(network.kinds))
    for i, kind in enumerate(network.kinds):
        held = [leaf for names, leaf in block if kind in names and leaf.ndim > 1]
        assert found[2, i] == pytest.approx(norm(held), abs=1e-6)
    assert np.isneginf(found[0]).all()  # the embedding has none of them


def test_an_entry_falls_into_the_bin_of_its_power_of_two() -> None:
    network = mlp("scan")
    first = np.asarray([[1, -1.5, 2], [2**-126, 0, 1e-40], [np.inf, -np.inf, np.nan]], np.float32)
    others = [spread(1e-3, (3, 3))] * 3
    found = np.asarray(counts(network, tree([first, *others], stacked=True), jnp.float32(1), float(2**-126)))
    assert found.shape == (4, 3, GRADIENT_BINS)
    shown = found.sum(axis=1)
    assert {int(i): int(shown[0, i]) for i in np.flatnonzero(shown[0])} == {0: 2, 1: 1, 127: 2, 128: 1, 255: 3}
    assert shown.sum(axis=1).tolist() == [9, 9, 9, 9]
    assert found[0, 1:].sum() == 2  # zero, and what the device flushes to it or holds with fewer digits


def test_entries_below_the_bound_are_counted_with_the_loss_scale() -> None:
    network = mlp("scan")
    kernels = [np.full((2, 2), value, np.float32) for value in (1e-5, 1e-6, 0, 1)]
    found = np.asarray(counts(network, tree(kernels, stacked=True), jnp.float32(16), 6e-5)).sum(axis=-1)
    np.testing.assert_array_equal(found, [[4, 0, 0], [0, 4, 0], [0, 0, 4], [4, 0, 0]])


def test_a_large_stack_is_read_layer_by_layer_with_the_same_results(monkeypatch: pytest.MonkeyPatch) -> None:
    network = mlp("scan")
    weights = tree([spread(10.0**-i, (3, 3)) for i in range(4)], stacked=True)

    def read() -> tuple[str, np.ndarray, np.ndarray]:
        def both(weights: dict) -> tuple:
            return squares(network, weights), counts(network, weights, jnp.float32(1), float(2**-126))

        found, counted = jax.jit(both)(weights)
        ((whole, _),) = norms(found)
        return str(jax.make_jaxpr(both)(weights)), log10_norms(*whole), np.asarray(counted)

    graph, at_once, counted = read()
    monkeypatch.setattr("vgbench.measure.matrices.CACHED", 0)
    mapped, by_layer, counted_by_layer = read()
    assert "scan" not in graph
    assert "scan" in mapped
    np.testing.assert_allclose(by_layer, at_once, atol=1e-6)
    np.testing.assert_array_equal(counted_by_layer, counted)
