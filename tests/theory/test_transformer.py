"""Transformers: a closed form of single tokens, published rows, and measurements of every kind."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vgbench as vg
from vgbench.records.runs import read_runs
from vgbench.theory import Prediction, predict, why_none

RESULTS = Path(__file__).parents[2] / "results"


def case(model: Any = "transformer", **slots: Any) -> vg.Case:
    common = {
        "depth": 13,
        "width": 128,
        "norm": "layer",
        "skip": "residual",
        "init": "glorot_normal",
        "activation": "relu",
        "batch_size": 32,
        "steps": 0,
        "learning_rates": (),
        "tuning_seeds": (),
    }
    return vg.Case(**common | {"model": model} | slots)


def predicted(asked: vg.Case) -> Prediction:
    found = predict(asked)
    assert found, why_none(asked)
    return found


def of(**options: Any) -> dict[str, Any]:
    return {"name": "transformer", **options}


@pytest.mark.parametrize("skip", ["residual", "constrained_hyper_connections"])
def test_single_tokens_add_up_on_the_stream(skip: str) -> None:
    # One patch alone: attention hands its value on. Values and outputs of variance 1, and 0.4 * 1.6 / 2 of the
    # feed-forward part, add to the stream, whose branches multiply the squared gradient by (q + added) / q.
    found = predicted(case(of(patch=8), skip=skip))
    x = vg.data.load_dataset(vg.Case(data="digits")).train.x.astype(float)
    first = np.square(x[np.linspace(0, len(x) - 1, 48).astype(int)]).mean(axis=1) + 0.02**2
    last = first + 12 * (1 + 0.32)
    assert 2 * found.log10_first_over_last == pytest.approx(np.log10(np.sum(1 / first) / np.sum(1 / last)), abs=1e-5)


def test_what_copies_of_a_stream_are_written_adds_up_in_their_gradients() -> None:
    # Every stream's gradient is that of the branch outputs summed over streams, and only one of them reads a branch.
    one, many = (predicted(case(of(patch=8), skip=skip)) for skip in ("residual", "hyper_connections"))
    assert many.log10_first_over_last > one.log10_first_over_last
    single = predicted(case(of(patch=8), skip={"name": "hyper_connections", "streams": 2}))
    assert one.log10_first_over_last < single.log10_first_over_last < many.log10_first_over_last


def test_orders_of_the_norm_differ_as_they_are_known_to() -> None:
    pre, post, scaled, deep = (
        predicted(case(model, **slots)).decay
        for model, slots in (
            (of(), {}),
            (of(order="post_norm"), {}),
            (of(depth_scaled_norm=True), {}),
            (of(order="post_norm"), {"skip": "deep_norm"}),
        )
    )
    assert pre > scaled > deep
    assert pre > post > deep
    assert deep == pytest.approx(0, abs=1e-3)


def test_a_parametrization_scales_branches_and_scores() -> None:
    scaled = {"name": "completep", "base_width": 32, "base_depth": 4}
    standard, deep = (predicted(case(optimizer="adam", parametrization=each)).decay for each in ("standard", scaled))
    assert 0 < deep < standard / 2


def test_published_transformers_of_six_blocks_come_out_as_predicted() -> None:
    cells = [entry.cell for run in read_runs(RESULTS / "transformer") for entry in run.entries if entry.cell]
    seen = 0
    for cell in cells:
        found = predict(cell.case) if cell.case.depth == 7 else None
        if found is None or cell.gradients is None:
            continue
        seen += 1
        scatter = float(np.std(cell.gradients.decay_per_seed, ddof=1))
        assert found.decay == pytest.approx(np.mean(cell.gradients.decay_per_seed), abs=max(2 * scatter, 0.012))
    assert seen >= 8


ENCODERS = [
    {"model": of(order="post_norm")},
    {"model": of()},
    {"model": of(order="peri_norm")},
    {"model": of(qk_norm=True)},
    {"model": of(gated_attention=True)},
    {"model": of(value_residual=True)},
    {"model": of(gated_feed_forward=True), "activation": "silu"},
    {"model": of(), "norm": "dynamic_erf"},
    {"model": of(), "skip": "hyper_connections"},
    {"model": of(), "skip": "attention_residual"},
]
DECODERS = [
    {},
    {"order": "post_norm"},
    {"order": "peri_norm"},
    {"value_residual": True},
    {"depth_scaled_norm": True},
]


@pytest.mark.slow
@pytest.mark.parametrize("slots", ENCODERS, ids=str)
def test_encoders_come_out_as_predicted(slots: dict[str, Any]) -> None:
    asked = case(**slots, seeds=(0, 1, 2, 3))
    measured = vg.measure_gradients(asked).decay
    assert measured.value == pytest.approx(predicted(asked).decay, abs=max(measured.half_width, 0.005))


@pytest.mark.slow
@pytest.mark.parametrize("options", DECODERS, ids=str)
def test_language_models_come_out_as_predicted(options: dict[str, Any]) -> None:
    model = {"name": "causal_lm", **options}
    asked = case(model, width=64, batch_size=8, data={"name": "text", "length": 64}, seeds=(0, 1, 2, 3))
    measured = vg.measure_gradients(asked).decay
    assert measured.value == pytest.approx(predicted(asked).decay, abs=max(measured.half_width, 0.005))
