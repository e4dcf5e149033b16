"""Recurrent networks drawn along their sequences: against measured networks, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vgbench as vg
from vgbench.statistics import slope
from vgbench.theory import predict, why_none
from vgbench.theory.recurrent_draws import log10_norms


def case(**slots: Any) -> vg.Case:
    common = {
        "model": "recurrent",
        "depth": 32,
        "width": 32,
        "batch_size": 16,
        "data": "digits",
        "activation": "tanh",
        "init": "lecun_normal",
        "seeds": tuple(range(8)),
        "steps": 0,
        "learning_rates": (),
        "tuning_seeds": (),
    }
    return vg.Case(**common | slots)


def decays(asked: vg.Case, gain: float = 1.0) -> np.ndarray:
    steps = np.arange(asked.depth, dtype=np.float64)
    return np.asarray([-slope(steps, norms) for norms in log10_norms(asked, gain)])


MEASURED = [
    {"cell": "lstm"},
    {"cell": {"name": "lstm", "forget_bias": 1.0}, "data": "adding"},
    {"cell": "chrono_lstm", "data": "copy_memory"},
    {"cell": "gru", "init": "orthogonal"},
    {"cell": "mgu", "data": "temporal_order"},
    {"cell": "rnn", "activation": "erf"},
]


@pytest.mark.parametrize("slots", MEASURED, ids=str)
def test_drawn_networks_decay_as_measured_ones(slots: dict[str, Any]) -> None:
    asked = case(**slots)
    drawn, measured = decays(asked), vg.measure_gradients(asked).decay_per_seed
    error = (drawn.var(ddof=1) / len(drawn) + measured.var(ddof=1) / len(measured)) ** 0.5
    # A third of a standard deviation of networks is left for what 32 units have in common forward and back.
    assert abs(drawn.mean() - measured.mean()) < 4 * error + measured.std(ddof=1) / 3
    found = predict(asked)
    assert found
    assert found.kind == "order"
    assert found.decay == pytest.approx(drawn.mean())


def test_chrono_keeps_the_same_share_over_any_horizon() -> None:
    kept = [predict(case(cell="chrono_lstm", data="adding", depth=steps, width=64)) for steps in (100, 800)]
    shares = [each.log10_first_over_last for each in kept if each]
    assert shares[0] == pytest.approx(shares[1], abs=0.15)
    assert -1.2 < shares[0] < -0.6


def test_a_linear_isometry_shrinks_the_gradient_of_every_drawn_network_by_its_gain() -> None:
    asked = case(cell="rnn", activation="linear", init="orthogonal")
    steps_back = np.arange(asked.depth - 1, -1, -1)
    for norms in log10_norms(asked, 0.5):
        np.testing.assert_allclose(norms, np.log10(0.5) * steps_back, atol=1e-9)


def test_signs_of_a_factorisation_decide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, factorised = case(cell="gru", init="orthogonal"), np.linalg.qr
    expected = log10_norms(asked, 1.0)

    def turned(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        q, r = factorised(a)
        return -q, -r

    monkeypatch.setattr(np.linalg, "qr", turned)
    np.testing.assert_allclose(log10_norms(asked, 1.0), expected, atol=1e-9)


REFUSED = [
    ({"cell": {"name": "lstm", "forget_bias": 3.0}, "data": "adding", "depth": 400}, "too close to 0 to say which way"),
    ({"cell": "rnn", "activation": "relu", "init": "he_normal"}, "its outputs add up over the steps"),
    ({"cell": "gru", "width": 512, "depth": 3000, "data": "adding"}, "too large to draw here"),
    ({"cell": "gru", "init": "identity"}, "its weights are not random"),
]


@pytest.mark.parametrize(("slots", "reason"), REFUSED, ids=str)
def test_what_cannot_be_drawn_is_said_with_the_reason(slots: dict[str, Any], reason: str) -> None:
    asked = case(**slots)
    assert predict(asked) is None
    assert reason in (why_none(asked) or "")


def test_files_of_a_user_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "series.npz"
    np.savez(path, x=np.zeros((60, 8)), y=np.arange(60) % 2)
    asked = case(cell="gru", depth=8, data={"name": "npz", "path": str(path)})
    assert "lie in a user's files" in (why_none(asked) or "")
