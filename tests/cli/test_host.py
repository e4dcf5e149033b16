"""Verbs that only read records: none starts an accelerator, which workers or other programs may use."""

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.command_line import vgbench
from helpers.made import measured, write_run

from vgbench.spec.case import Case

RUN = Case(depth=3, width=4, learning_rates=(0.1,), seeds=(0, 1))
VERBS: dict[str, Callable[[Path], list[str | Path]]] = {
    "report": lambda run: [run, "--format", "csv"],
    "show": lambda run: ["baseline", run],
    "merge": lambda run: [run.parent / "all", run],
    "diagnose": lambda run: [run],
    "publish": lambda run: [run, "--check"],
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_that_only_reads_stays_on_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    run, stayed = write_run(tmp_path / "run", [("baseline", measured(RUN))]), list[str]()
    monkeypatch.setattr("vgbench.cli.host.stay_on_host", lambda: stayed.append(verb))
    vgbench(verb, *VERBS[verb](run))
    assert stayed == [verb]
