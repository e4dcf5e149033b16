"""Agreement with other packages: how it is counted, and that the published page comes from the published numbers."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path[:0] = [str(BENCHMARKS)]
import peers
import peers_tangents
import peers_torch

RESULTS = Path(__file__).parents[1] / "results" / "peers"
FOUND = peers.Agreement({"case": "a", "depth": 3}, [-50.0, -1.0, 0.0], [-np.inf, -1.0, 0.001])


def test_only_numbers_in_range_are_compared() -> None:
    assert FOUND.in_range == 2
    assert FOUND.difference == pytest.approx(0.0023, abs=1e-4)
    assert FOUND.off is None


def test_a_third_computation_says_who_is_off() -> None:
    third = peers.Agreement({}, [0.0, -1.0], [0.001, -1.0], third=[0.0, -1.0])
    assert third.off == pytest.approx((0.0, 0.0023), abs=1e-4)


def test_what_is_written_is_read_again() -> None:
    written = json.loads(json.dumps(peers.content([FOUND]), allow_nan=False))
    (again,) = peers.read(written)
    assert (again.ours, again.theirs, again.off) == (FOUND.ours, FOUND.theirs, None)
    assert peers.table([FOUND]).splitlines()[-1] == "| a | 3 | 2 of 3 | 2e-03 |"


def test_third_computation_is_the_closed_form_for_relu() -> None:
    fields = {"activation": "relu", "gain": 2**0.5, "bias_std": 0.1, "residual": False}
    factors = 10 ** np.asarray(peers_tangents.third(fields, peers_tangents.case_of(fields)))
    np.testing.assert_allclose(factors, 1.0, rtol=1e-12)  # gain^2 / 2, whatever the variance


def test_weights_are_handed_over_by_path() -> None:
    small = {**peers_torch.CASES["ReLU, He"], "depth": 2, "width": 4, "seeds": (0,), "steps": 0}
    case = peers_torch.vg.Case(learning_rates=(), tuning_seeds=(), batch_size=4, block_execution="unroll", **small)
    shapes = {name: each.shape for name, each in peers_torch.exported(case).items()}
    assert shapes["blocks/0/branch/0/linear/kernel"] == (4, 4)
    assert shapes["x"] == (4, 64)
    described = peers_torch.described(case)
    assert (described["activation"], described["norm"], described["depth"]) == ("relu", "none", 2)


def test_published_page_is_made_from_the_published_numbers_which_agree() -> None:
    found = {name: json.loads((RESULTS / f"{name}.json").read_text()) for name in peers.PARTS}
    assert (RESULTS / "README.md").read_text() == peers.page(found)
    hooks, kernels = (peers.read(found[name]) for name in ("torch", "tangents"))
    assert {each.case["model"] for each in hooks} == {"mlp", "convnet", "transformer", "causal_lm", "recurrent"}
    assert max(each.difference for each in hooks) < 1e-5
    assert len(kernels) == 20
    assert max(each.off[0] for each in kernels if each.off) < 1e-3
