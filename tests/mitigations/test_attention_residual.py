"""Attention residuals: written out by hand, in groups and in full, and the softmax that a branch reads."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.measure.draw import draw, first_batch
from vgbench.mitigations.attention_residual import AttentionResidual, Reading
from vgbench.mitigations.site import Site
from vgbench.models import build_network

TINY: dict[str, Any] = {"width": 8, "batch_size": 4, "seeds": (0,), "activation": "tanh", "init": "lecun_normal"}
PRE: dict[str, Any] = {"model": {"name": "mlp", "order": "pre_activation"}}


def rms(v: np.ndarray) -> np.ndarray:
    return v / np.sqrt(np.square(v).mean(axis=-1, keepdims=True) + 1e-6)


def test_a_branch_reads_the_softmax_of_the_streams_that_hold_something() -> None:
    site = Site(3, 6, layer=4, rngs=nnx.Rngs(0), branches=2, branch=1)  # five branches before it
    skip, rng = AttentionResidual(site, streams=5), np.random.default_rng(0)
    query, h = rng.standard_normal(3), rng.standard_normal((2, 5, 3))
    skip.reading.query[...] = jnp.asarray(query, jnp.float32)
    # Ten branches in four groups of three, of which the input and the first two are not empty.
    weights = np.exp(rms(h[:, :3]) @ query)
    expected = np.einsum("bn,bnw->bw", weights / weights.sum(axis=1, keepdims=True), h[:, :3])
    np.testing.assert_allclose(skip.read(jnp.asarray(h, jnp.float32)), expected, rtol=1e-5)
    after = skip(jnp.asarray(h, jnp.float32), jnp.ones((2, 3)))
    np.testing.assert_allclose(after - h, np.eye(5)[2][:, None] * np.ones((2, 5, 3)), atol=1e-6)


@pytest.mark.parametrize(("layer", "filled"), [(2, 1), (3, 2), (4, 2), (5, 3), (6, 3), (7, 4)])
def test_streams_fill_group_by_group(layer: int, filled: int) -> None:
    assert int(Reading(Site(3, 6, layer, nnx.Rngs(0)), streams=4).filled[...].sum()) == filled


@pytest.mark.parametrize(("streams", "group"), [(9, 1), (3, 2)], ids=["full", "groups"])
@pytest.mark.parametrize("layers", ["scan", "unroll"])
def test_network_starts_with_means_of_earlier_outputs(streams: int, group: int, layers: str) -> None:
    skip: Any = {"name": "attention_residual", "streams": streams}
    case = vg.Case(**TINY, **PRE, depth=5, dtype="float64", block_execution=layers, skip=skip)
    data = load_dataset(case)
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        network = build_network(case, data.problem)
        variables, (x, _) = draw(case, network, data, 0), first_batch(case, data, 0)
        answers = network.apply(variables, x, train=True).answers
    params: Any = variables.params

    def mapped(held: Any, h: np.ndarray) -> np.ndarray:
        return h @ np.asarray(held["linear"]["kernel"])

    held = [mapped(params["input_layer"]["inner"], np.asarray(x, np.float64))]
    for i in range(4):
        branch = params["blocks"]["branch"][0] if layers == "scan" else params["blocks"][i]["branch"][0]
        kernel = branch["linear"]["kernel"]
        out = np.tanh(np.mean(held, axis=0)) @ np.asarray(kernel[i] if layers == "scan" else kernel)
        held = [*held, out] if i % group == 0 else [*held[:-1], held[-1] + out]
    expected = mapped(params["output_layer"]["inner"], np.tanh(np.mean(held, axis=0)))
    np.testing.assert_allclose(answers, expected, atol=1e-9)


def test_transformers_count_both_branches_of_a_block() -> None:
    skip: Any = {"name": "attention_residual", "streams": 5}
    case = vg.Case(**TINY, model="transformer", depth=3, skip=skip, norm="layer", block_execution="unroll")
    network: Any = build_network(case, load_dataset(case).problem)
    stats = network.init(jax.random.key(0)).stats
    filled = [
        int(part["skip"]["reading"]["filled"].sum())
        for block in stats["blocks"]
        for part in (block["attention"], block["feeding"])
    ]
    assert filled == [1, 2, 3, 4]
    assert int(stats["output_layer"]["leave"]["filled"].sum()) == 5
