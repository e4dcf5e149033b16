"""QK-clip: the next largest score of a head is the threshold where it was beyond it, and as it was elsewhere."""

from typing import Any

import jax
import numpy as np
import pytest

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.measure.draw import draw, first_batch
from vgbench.measure.step import make_step, start
from vgbench.models import build_network

TINY: dict[str, Any] = {"depth": 3, "width": 8, "batch_size": 4, "seeds": (0,), "dtype": "float64"}
LM: dict[str, Any] = {"name": "causal_lm", "heads": 2}


def largest_scores(layers: str, threshold: float, rate: float = 0.0) -> list[np.ndarray]:
    """The largest score of each block and head in the first and the second step, [blocks, heads]."""
    data: dict[str, Any] = {"name": "text", "length": 8}
    case = vg.Case(**TINY, model=LM | {"qk_clip": threshold}, data=data, block_execution=layers)  # pyright: ignore[reportArgumentType]
    dataset = load_dataset(case)
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        network = build_network(case, dataset.problem)
        state = start(network, case, draw(case, network, dataset, 0), rate)
        step, batch, found = jax.jit(make_step(network, case)), first_batch(case, dataset, 0), []
        for _ in range(2):
            state, _ = step(state, batch, rate)
            blocks = state.variables.stats["blocks"]
            blocks = blocks if isinstance(blocks, tuple) else (blocks,)
            found.append(np.concatenate([np.atleast_2d(each["attention"]["branch"]["largest"]) for each in blocks]))
    return found


@pytest.mark.parametrize("layers", ["scan", "unroll"])
def test_scores_beyond_the_threshold_come_back_to_it_and_others_stay(layers: str) -> None:
    before, unclipped = largest_scores(layers, 1e6)
    np.testing.assert_allclose(unclipped, before, rtol=1e-9)
    # A block whose input does not depend on the clipped ones: the first.
    threshold = float(before[0].mean())
    _, after = largest_scores(layers, threshold)
    np.testing.assert_allclose(after[0], np.minimum(before[0], threshold), rtol=1e-9)
    assert (after[0] < before[0]).sum() == 1


def test_largest_score_is_that_of_the_pairs_that_may_read_each_other() -> None:
    case = vg.Case(**TINY, model=LM | {"qk_clip": 9.0}, data={"name": "text", "length": 8}, block_execution="unroll")  # pyright: ignore[reportArgumentType]
    network: Any = build_network(case, load_dataset(case).problem)
    with jax.enable_x64(True):
        params, stats = network.blocks[0].init(jax.random.key(0), 2)
        attention = network.blocks[0].module(params, stats, train=True).attention.branch
        query, key = (jax.random.normal(jax.random.key(i), (4, 8, 2, 4)) for i in (1, 2))
        attention._scores(query, key)
        expected = np.einsum("bqhd,bkhd->bhqk", query, key) / 2
    expected[..., np.triu_indices(8, k=1)[0], np.triu_indices(8, k=1)[1]] = -np.inf
    np.testing.assert_allclose(attention.largest[...], expected.max(axis=(0, 2, 3)), rtol=1e-5)


@pytest.mark.parametrize(
    "slots", [{"model": LM | {"qk_clip": 1.0, "qk_norm": True}}, {"model": LM | {"qk_clip": 1.0}, "norm": "weight"}]
)
def test_norms_that_undo_it_are_refused(slots: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="qk_clip shrinks weights of queries and keys, whose scale"):
        vg.Case(**slots)
