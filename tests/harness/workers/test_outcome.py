"""What a record says of runs that diverged and of learning rates that are no better than guessing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import made
from scipy import stats

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.models.problem import Within, most_frequent
from vgbench.records import store
from vgbench.records.runs import read_runs
from vgbench.records.schema import CellRecord
from vgbench.records.status import judged
from vgbench.records.store import read_record, write_record
from vgbench.report.frames import frame
from vgbench.spec.metric import BITS_PER_BYTE
from vgbench.statistics import guessing_reaches

HEALTHY = made.gradients([-1.0, -0.5], [-1.0, -0.5])
TUNING = "the loss became non-finite in 1 of 4 tuning runs (1 of 2 learning rates)"
CURVES = made.training(0.95, 0.95)


def lost(seeds: int, tuning: list[list[bool]]) -> Any:
    """Curves of which so many seeds and these tuning runs diverged."""
    loss = np.ones((2, 4), np.float32)
    loss[:seeds, -1] = np.nan
    return replace(CURVES, loss=loss, tuning_diverged=np.asarray(tuning))


@pytest.mark.parametrize(
    ("seeds", "tuning", "reason"),
    [
        (0, [[False, False], [False, False]], ""),
        (1, [[False, False], [False, False]], "the loss became non-finite in 1 of 2 seeds at the chosen learning rate"),
        (
            0,
            [[False, False], [True, False]],
            TUNING,
        ),
        (
            1,
            [[True, True], [True, False]],
            "the loss became non-finite in 1 of 2 seeds at the chosen learning rate and in 3 of 4 tuning runs"
            " (2 of 2 learning rates)",
        ),
    ],
)
def test_a_cell_says_how_many_of_its_runs_diverged(seeds: int, tuning: list[list[bool]], reason: str) -> None:
    assert judged(HEALTHY, lost(seeds, tuning)) == ("ok", reason)


def test_a_cell_whose_runs_all_diverged_has_that_status() -> None:
    everything = lost(2, [[True, True], [True, True]])
    assert judged(HEALTHY, everything) == (
        "diverged",
        "the loss became non-finite at every learning rate, for every seed",
    )
    broken = replace(HEALTHY, log10_largest_activation=np.asarray([[0.0, np.inf]] * 2))
    status, reason = judged(broken, lost(1, [[False, False], [False, False]]))
    assert status == "nonfinite"
    assert reason == (
        "activations are not finite from layer 2; "
        "the loss became non-finite in 1 of 2 seeds at the chosen learning rate"
    )


def tuned(accuracy: list[list[float]], rate: float = 0.1, guessing: float = 0.15) -> Any:
    return replace(CURVES, tuning_metric=np.asarray(accuracy), learning_rate=rate, chance=0.1, guessing=guessing)


def test_rates_that_tie_at_chance_choose_nothing_and_lie_at_no_edge() -> None:
    curves = tuned([[0.1, 0.1], [0.1, 0.1]])
    assert curves.none_better_than_chance
    assert not curves.learning_rate_at_edge
    better = tuned([[0.1, 0.1], [0.1, 0.3]], rate=0.2)
    assert not better.none_better_than_chance
    assert better.learning_rate_at_edge
    losses = replace(tuned([[4.0, 4.0], [3.5, 3.9]], guessing=4.0), metric=BITS_PER_BYTE)
    assert not losses.none_better_than_chance
    assert replace(losses, guessing=3.7).none_better_than_chance
    single = replace(
        curves, learning_rates=(0.1,), tuning_metric=np.zeros((1, 0)), tuning_diverged=np.zeros((1, 0), bool)
    )
    assert not single.none_better_than_chance


def test_guessing_reaches_the_binomial_quantile_corrected_for_the_number_of_rates() -> None:
    draw = np.random.default_rng(0)
    for tries in (1, 5):
        limit = guessing_reaches(0.1, 359, tries)
        best = draw.binomial(359, 0.1, size=(20_000, tries)).max(axis=1) / 359
        assert 0.02 < (best > limit).mean() <= 0.055
        assert limit == stats.binom.ppf(1 - 0.05 / tries, 359, 0.1) / 359


def test_chance_is_the_accuracy_of_the_best_constant_answer() -> None:
    assert most_frequent(np.asarray([0, 2, 2, 1])) == 0.5
    assert most_frequent(np.asarray([[0, 1], [0, 2], [3, 1], [0, 1]])) == 0.75
    assert Within(0.1).constant(np.asarray([0.9, 0.0, 0.05, 0.15, 0.5])) == pytest.approx(3 / 5)
    shares = {}
    for name, slots in {"digits": {}, "adding": {"depth": 8}, "copy_memory": {"depth": 21}}.items():
        model = "mlp" if name == "digits" else "recurrent"
        data = load_dataset(vg.Case(model=model, data=name, **slots))
        shares[name] = data.objective.chance(np.asarray(data.validation.y))
    assert shares == pytest.approx({"digits": 0.1, "adding": 0.08, "copy_memory": 1 / 8}, abs=0.02)


@pytest.mark.slow
def test_a_network_that_cannot_learn_has_no_rate_better_than_chance() -> None:
    case = vg.Case(
        **{"depth": 2, "width": 4, "batch_size": 16, "steps": 2, "learning_rates": (1e-12, 1e-11), "seeds": (0,)},
        data={"name": "gaussian", "features": 4, "examples": 200},
        tuning_seeds=(7,),
    )
    curves = vg.measure_training(case)
    assert curves.none_better_than_chance
    assert not curves.learning_rate_at_edge
    assert 0.1 < curves.chance < curves.guessing < 0.25


def test_a_record_without_the_level_of_chance_is_read_as_before(tmp_path: Path) -> None:
    record = replace(made.measured(made.BASE), case=made.BASE, training=tuned([[0.1, 0.1], [0.1, 0.1]]))
    path = tmp_path / "cell.json"
    write_record(path, record)
    content = store._load(path)
    for field in ("chance", "guessing"):
        del content.body["training"][field]
    path.write_bytes(store._text(content))
    curves = read_record(path, CellRecord).training
    assert curves is not None
    assert not curves.none_better_than_chance
    assert curves.learning_rate_at_edge


def test_a_frame_tells_of_diverged_seeds_and_rates_no_better_than_chance(tmp_path: Path) -> None:
    curves = tuned([[0.1, 0.1], [0.1, 0.1]])
    curves.loss[0, -1] = np.nan
    out = made.write_run(
        tmp_path / "run", [("baseline", replace(made.measured(made.BASE), case=made.BASE, training=curves))]
    )
    (row,) = frame(read_runs(out)).to_dict("records")
    assert (row["diverged"], row["none_better_than_chance"], row["learning_rate_at_edge"]) == (1, True, False)
