"""Runs that decide their claims: only cells of claims that are unclear get seeds, whatever happened before."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.inline import Instant
from helpers.made import training
from helpers.tiny_suite import TINY, Log

from vgbench.claims.judge import Condition
from vgbench.claims.looks import LOOKS
from vgbench.errors import InputError
from vgbench.harness import runner
from vgbench.harness.merge import merge
from vgbench.harness.outcome import Outcome
from vgbench.harness.plan import Task
from vgbench.harness.runner import run
from vgbench.records.runs import read_runs
from vgbench.records.schema import CellRecord, Manifest
from vgbench.records.store import device_folders, read_record
from vgbench.report import load, write_report
from vgbench.spec.claim import Claim
from vgbench.statistics import Interval

ACCURACY: dict[str, Callable[[int], float]] = {
    "tanh": lambda seed: 0.5 + 0.001 * (seed % 2),
    "relu": lambda seed: 0.9 + 0.001 * (seed % 3),
    "elu": lambda seed: (0.55, 0.7, 0.65)[seed % 3],
    "selu": lambda seed: 0.5 + 0.2 * (-1) ** seed,
}
"""Test accuracy by activation and seed: against tanh, relu is better at once, elu is after some seeds, selu never."""


class Learning(Instant):
    """Hands out records whose test accuracy is the one of their activation and seed."""

    def measure(self, task: Task) -> Outcome:
        outcome = super().measure(replace(task, case=task.remaining, held=None))
        record, case = outcome.record, task.remaining
        if isinstance(record, CellRecord):
            scores = [ACCURACY[case.activation.name](seed) for seed in case.seeds]
            record = replace(record, training=training(*scores, case=case))
        return replace(outcome, record=record)


def better(name: str) -> Claim:
    cells: Any = {"mitigation": name, "reference": "baseline"}
    said = f"{name} is better"
    return Claim(sentence=said, hypothesis=said, statistic="test_accuracy", cells=cells, rule={"above": 0.0})  # pyright: ignore[reportArgumentType]


NAMES = ("relu", "elu", "selu")
SUITE = TINY.model_copy(
    update={"mitigations": {name: {"activation": name} for name in NAMES}, "claims": tuple(map(better, NAMES))}
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that decided what can be decided; tests do not change it."""
    out = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runner, "Local", Learning)
        run(SUITE, out, decide=True)
    return out


@pytest.fixture(autouse=True)
def instant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "Local", Learning)


def decide(out: Path, observers: Sequence[Any] = (), **options: Any) -> Log:
    log = Log()
    run(SUITE, out, decide=True, observers=[log, *observers], **options)
    return log


def seeds(out: Path) -> dict[str, int]:
    frame = load(out)
    return dict(zip(frame["mitigation"], frame["seeds"], strict=True))


def files(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*.json")}


def test_only_cells_of_unclear_claims_get_seeds_and_verdicts_name_their_look(tmp_path: Path) -> None:
    log = decide(tmp_path)
    assert seeds(tmp_path) == {"baseline": 12, "relu": 3, "elu": 6, "selu": 12}
    begun = [(task.case.activation.name, task.remaining.seeds) for task in log.begun if task.held]
    assert begun == [
        *((name, (3, 4, 5)) for name in ("tanh", "elu", "selu")),
        *((name, added) for added in ((6, 7, 8), (9, 10, 11)) for name in ("tanh", "selu")),
    ]
    assert log.notes == ["look at 9 seeds: some claims are unclear, and 2 cells get 12 seeds"]
    relu, elu, selu = write_report(tmp_path, ["md"]).claims[0].judgements
    assert (relu.words, relu.note) == ("supported", "decided at 3 seeds")
    assert (elu.words, elu.note) == ("supported", "decided at 6 seeds")
    assert selu.verdict == "unclear"
    assert "would decide it" in selu.note
    text = (tmp_path / "claims.md").read_text()
    assert "with looks at 3, 6, 9 and 12 seeds: each look's t-interval has a confidence of 98.38%" in text
    assert "- Decision: decided at 6 seeds" in text
    assert "supported at 6 seeds" in text


def test_cells_with_seeds_of_their_own_get_those_of_each_look_too(tmp_path: Path) -> None:
    patches = {**SUITE.mitigations, "selu": {"activation": "selu", "seeds": [0, 1, 2, 3]}}
    run(SUITE.model_copy(update={"mitigations": patches}), tmp_path, decide=True)
    assert seeds(tmp_path)["selu"] == LOOKS[-1]


def test_verdict_at_a_look_does_not_depend_on_seeds_that_came_later(tmp_path: Path, whole: Path) -> None:
    run(SUITE, tmp_path, seeds=12)
    assert decide(tmp_path).begun == []
    judged = [write_report(folder, ["md"]).claims[0].judgements for folder in (tmp_path, whole)]
    assert judged[0] == judged[1]


@pytest.mark.parametrize("moment", [1, 9, 12])
def test_run_that_was_stopped_goes_on_to_the_same_records(tmp_path: Path, whole: Path, moment: int) -> None:
    class Stop(Log):
        def started(self, task: Task, progress: Any) -> None:
            super().started(task, progress)
            if len(self.begun) > moment:
                raise RuntimeError

    with pytest.raises(RuntimeError):
        decide(tmp_path / "stopped", [Stop()])
    decide(tmp_path / "stopped")
    assert files(tmp_path / "stopped") == files(whole)


def test_effects_without_an_interval_need_something_else_than_seeds() -> None:
    known, unknown = (Condition("a", Interval(0, end, 1), "unclear", (), look=3) for end in (-1, np.nan))
    assert (known.needs_seeds, unknown.needs_seeds) == (True, False)


def test_merged_run_is_judged_at_the_same_looks(tmp_path: Path, whole: Path) -> None:
    two = run(SUITE, tmp_path / "two", seeds=4)
    for name, parts in (("a", (whole, two)), ("b", (two, whole))):
        merge(tmp_path / name, parts)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    manifest = read_record(device_folders(tmp_path / "a")[0].manifest, Manifest)
    assert manifest.looks == LOOKS
    assert read_runs(two)[0].manifest.looks == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 4}, r"^decide: chooses the seeds itself; leave seeds out"),
        ({"shard": "1/2"}, r"^decide: judges claims by the cells of all parts; leave shard out"),
        ({"settings": {"seeds": [1]}}, r"^seeds: are set already"),
        ({"settings": {"tuning_seeds": [11]}}, r"tuning_seeds: \[11\] are also in seeds"),
    ],
)
def test_options_that_contradict_it_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        decide(tmp_path, **options)


def test_suite_without_claims_has_nothing_to_decide(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^decide: suite tiny makes no claims; leave it out, or add \[\[claims\]\]"):
        run(TINY, tmp_path, decide=True)
