"""The cells of the page's table: profiles on one scale, bars, outcomes, remarks."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from helpers.made import gradients, measured, write_run

from vgbench.records.runs import Entry, read_runs
from vgbench.report.columns.column import Bold
from vgbench.report.outcomes import outcome
from vgbench.report.page.cells import HEIGHT, WIDTH, bars, cells, profiles
from vgbench.spec.case import Case

CASE = Case(depth=3, width=4, learning_rates=(0.1,), seeds=(0, 1))


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> tuple[Entry, ...]:
    inits = {"good": ("he_normal", 0.95), "bad": ("orthogonal", 0.1), "untrained": ("lecun_normal", None)}
    made = [
        (name, measured(CASE.model_copy(update={"init": Case(init=init).init}), end))
        for name, (init, end) in inits.items()
    ]
    lost = gradients(*[[-40.0, -20.0, 0.0]] * 2)
    made[1] = ("bad", dataclasses.replace(made[1][1], gradients=lost))
    return read_runs(write_run(tmp_path_factory.mktemp("run"), [("baseline", measured(CASE, 0.95)), *made]))[0].entries


def test_profiles_share_a_scale_and_go_from_the_last_layer_to_the_first(entries: tuple[Entry, ...]) -> None:
    found = profiles(entries)
    ends = []
    for each in found:
        assert each
        points = np.asarray([point.split(",") for point in each["points"].split()], float)
        assert list(points[[0, -1], 0]) == [2, WIDTH - 2]
        assert points[0, 1] == 2
        ends.append(points[-1, 1])
    assert ends[1] == ends[0] < ends[2] == HEIGHT - 2
    assert found[0]
    assert found[0]["words"].endswith("changes by -2.0 decades")
    assert found[2]
    assert found[2]["words"].endswith("changes by -16.0 decades or more")


def test_outcomes_are_words_with_their_reason(entries: tuple[Entry, ...]) -> None:
    assert [outcome(entry).word for entry in entries] == ["trains", "trains", "does not train", "not trained"]
    assert outcome(entries[2]).why.startswith("does not train: no evaluation seed reaches the target.")
    assert outcome(dataclasses.replace(entries[0], cell=None)).word == "not ok"


def test_bars_are_shares_of_the_longest() -> None:
    frame = pd.DataFrame({"step_ratio": [1.0, 4.0, np.nan], "memory_ratio": [np.nan] * 3})
    assert bars(frame) == [{"step ratio": 25}, {"step ratio": 100}, {}]


def test_remarks_are_apart_from_numbers() -> None:
    found = cells({"decay": "+0.0 ± 0.0 (branches closed)", "accuracy": Bold("0.9 ± 0.1")})
    assert found["decay"] == {"text": "+0.0 ± 0.0", "note": "(branches closed)", "bold": False}
    assert found["accuracy"] == {"text": "0.9 ± 0.1", "note": "", "bold": True}
