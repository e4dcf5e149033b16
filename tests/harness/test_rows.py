"""Rows of a run's table are reported once, when all their records are there."""

import pytest
from helpers.inline import Instant
from helpers.tiny_suite import TINY, Log

from vgbench.harness import runner
from vgbench.harness.runner import run


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    out, log = tmp_path_factory.mktemp("run"), Log()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runner, "Local", Instant)
        run(TINY, out, only=["baseline"])
        run(TINY.select({"depth": [2, 3]}), out, observers=[log])
    return log


def test_row_is_reported_once_its_cell_is_measured_and_its_pair_timed(log: Log) -> None:
    assert [[row.label for row in rows] for _, rows in log.rows] == [
        ["relu, depth 2"],
        ["baseline, depth 3", "relu, depth 3"],
    ]


def test_run_so_far_has_the_complete_rows_alone_also_those_from_before(log: Log) -> None:
    labels = ["baseline, depth 2", "relu, depth 2", "baseline, depth 3", "relu, depth 3"]
    assert [[entry.row.label for entry in so_far.entries] for so_far, _ in log.rows] == [
        labels[:2],
        labels,
    ]
    assert all(entry.cell and entry.cost and entry.reference for so_far, _ in log.rows for entry in so_far.entries)
