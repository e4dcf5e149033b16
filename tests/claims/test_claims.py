"""Claims: every statistic and sign by hand, every verdict, and a suite with a claim from the command line."""

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.command_line import CLAIMS, TINY, vgbench
from helpers.inline import Inline, Instant
from helpers.made import DEVICE, ORIGIN, TIMES, changed, cost, gradients, learned, measured, write_run

from vgbench.claims import signs, statistics
from vgbench.claims.judge import Condition, Judgement, judge
from vgbench.claims.statistics import Measured
from vgbench.errors import InputError
from vgbench.harness import runner
from vgbench.harness.merge import merge
from vgbench.harness.preregistration import fixed_in
from vgbench.harness.runner import run
from vgbench.harness.work import Observer
from vgbench.measure.cost import cost_id
from vgbench.measure.training import TrainingCurves
from vgbench.records.schema import CellRecord, CostRecord, Fixed, Manifest, Row
from vgbench.records.store import Folder, device_folders, read_record, write_record
from vgbench.report import write_report
from vgbench.report.claims import effect, lines
from vgbench.report.publish import section
from vgbench.spec.case import Case
from vgbench.spec.claim import Cells, Claim, Rule, Verdict, rules_digest
from vgbench.spec.metric import BITS_PER_BYTE
from vgbench.spec.registry import SIGNS, STATISTICS, Member
from vgbench.spec.suite import Suite, read_suite
from vgbench.statistics import Interval

DEPTH = 3
CASE = Case(depth=DEPTH, width=4, seeds=(0, 1), learning_rates=(0.1,))
CLAIM: dict[str, Any] = {
    "sentence": "It trains",
    "hypothesis": "More than half is right",
    "statistic": "test_accuracy",
    "cells": [{}],
    "rule": {"above": 0.5},
}


def claim(**fields: Any) -> Claim:
    given = {**CLAIM, **fields}
    return Claim(**{name: value for name, value in given.items() if value is not None})


def cell(record: CellRecord, name: str = "baseline", place: int = 0, **axes: Any) -> Measured:
    case = record.case
    pair = CostRecord(case, case, "ok", "", cost(1.0), **TIMES)
    axes = axes or {"depth": case.depth}
    return Measured(Row(place, name, axes, case.cell_id, case.cell_id, cost_id(case, case)), record, pair)


def trained(**fields: Any) -> Measured:
    """A trained cell of two seeds, three layers and three snapshots, at steps 0, 25 and 50, but for these curves."""
    record = measured(CASE)
    return cell(replace(record, training=changed(learned(DEPTH, 0.95), **fields)))


def snapshots(*values: list[float]) -> np.ndarray:
    """The same in the snapshots of both seeds."""
    return np.tile(np.asarray(values, np.float64), (2, 1, 1))


def accuracy(*values: float) -> np.ndarray:
    return np.asarray([values, values], np.float32)


def loss(first: float, last: float) -> np.ndarray:
    return np.asarray([np.linspace(first, last, 50)] * 2, np.float32)


@pytest.mark.parametrize("member", [*STATISTICS, *SIGNS], ids=lambda member: member.name)
def test_every_statistic_and_sign_says_what_it_is_and_where_it_comes_from(member: Member) -> None:
    assert member.meaning.endswith(".")
    assert member.source
    assert member.description.startswith(member.meaning)


def test_decay_of_nothing_but_rounding_is_zero() -> None:
    kept = replace(measured(CASE), gradients=gradients(*[[-1.0 + 2.0**-52, *[-1.0] * (DEPTH - 1)]] * 2))
    assert statistics.decay(cell(kept)).tolist() == [0.0, 0.0]


SLOPES = np.tile([0.1, 0.01, 0.001], (2, 1))
LOSS = np.full((2, 50), 9.0, np.float32)
LOSS[:, :5], LOSS[:, -5:] = 2.0, 0.5


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        ("decay", {}, -1.0),
        ("decay_size", {}, 1.0),
        ("log10_first_over_last", {}, -2.0),
        (
            "log10_first_over_last_trained",
            {"log10_activation_norm": snapshots([0, 0, 0], [0, 0, 0], [-7, 0, -2])},
            -5.0,
        ),
        (
            "log10_displacement_first_over_last",
            {"displacement": snapshots([0] * 4, [9] * 4, [0.01, 0.1, 1, 1000])},  # the output layer last
            -2.0,
        ),
        ("log10_displacement_first_over_last", {"displacement": snapshots([0] * 4, [9] * 4, [0, 0, 1, 9])}, -8.0),
        (
            "log10_moment_drift",
            {
                "preactivation_mean": snapshots([0, 0, np.nan], [3, 3, np.nan], [3, 3, np.nan]),
                "preactivation_variance": snapshots([100, 100, np.nan], [196, 196, np.nan], [196, 196, np.nan]),
            },
            np.log10(0.25),  # 5 over 10 at the first of two looks, nothing at the second
        ),
        ("log10_largest_update", {"update_to_weight": snapshots([0.01] * 4, [0.1, 0, 0, 99], [0.001] * 4)}, -1.0),
        ("log10_steps_to_target", {"validation_metric": accuracy(0.1, 0.9, 0.95)}, np.log10(25)),
        ("log10_steps_to_target", {"validation_metric": accuracy(0.1, 0.7, 0.95)}, np.log10(45)),  # 0.2 of 0.25 from 25
        ("log10_steps_to_target", {"validation_metric": accuracy(0.1, np.nan, 0.95)}, np.log10(50)),
        ("log10_steps_to_target", {"validation_metric": accuracy(0.95, 0.1, 0.1)}, 0.0),
        ("log10_steps_to_target", {"validation_metric": accuracy(0.1, 0.1, 0.1)}, np.log10(50)),
        ("log10_seconds_to_target", {"validation_metric": accuracy(0.1, 0.9, 0.95)}, np.log10(0.25)),
        ("loss_fall", {"loss": LOSS}, 0.75),
        ("loss_fall", {"loss": np.where(np.arange(50) < 40, LOSS, np.nan)}, 0.0),
        ("log10_final_loss", {"loss": LOSS}, np.log10(0.5)),
        (
            "log10_lowest_slope_last_over_first",
            {"mean_slope": snapshots([0.2, 0.2, 0.2], [0.2, 9, 0.002], [0.1, 9, 0.1])},  # it saturates for a while
            -2.0,
        ),
        ("test_accuracy", {"test_metric": np.asarray([0.5, 0.5], np.float32)}, 0.5),
        ("test_score", {"test_metric": np.asarray([0.5, 0.5], np.float32)}, 0.5),
    ],
)
def test_statistic_by_hand(name: str, fields: dict[str, Any], expected: float) -> None:
    assert statistics.value(name, trained(**fields)) == pytest.approx([expected] * 2)


def test_statistics_and_signs_of_training_go_by_what_is_better() -> None:
    looks = {"metric": BITS_PER_BYTE, "target": 3.0, "validation_metric": accuracy(8.0, 2.995, 2.99)}
    row = trained(**looks, test_metric=np.asarray([2.5, 2.5], np.float32))
    assert statistics.value("test_score", row) == pytest.approx([-2.5] * 2)
    assert statistics.value("test_accuracy", row) is None
    assert statistics.value("log10_steps_to_target", row) == pytest.approx([np.log10(25 * 5 / 5.005)] * 2)
    assert SIGNS["plateau"].function(curves(row)).all()
    assert not SIGNS["irregular_curves"].function(curves(row)).any()
    worse = trained(**looks | {"validation_metric": accuracy(2.0, 2.1, 8.0)})
    assert SIGNS["irregular_curves"].function(curves(worse)).all()


@pytest.mark.parametrize(("name", "expected"), [("log10_slope", -2.0), ("log10_slope_first_over_last", 2.0)])
def test_statistic_of_the_slopes_by_hand(name: str, expected: float) -> None:
    record = measured(CASE)
    assert record.forward is not None
    steep = cell(replace(record, forward=replace(record.forward, mean_slope=SLOPES)))
    assert statistics.value(name, steep) == pytest.approx([expected] * 2)


@pytest.mark.parametrize("name", [member.name for member in STATISTICS])
def test_what_was_not_measured_has_no_statistic(name: str) -> None:
    row = trained().row
    assert statistics.value(name, Measured(row, None, None)) is None
    crashed = replace(measured(CASE, None), gradients=None, forward=None)
    assert statistics.value(name, Measured(row, crashed, None)) is None


def histogram(low: int, high: int) -> np.ndarray:
    """Counts of entries of the first layer just below 2**-23 and just above; large entries alone in the others."""
    counts = learned(DEPTH, 0.95).snapshots.gradient_histogram * 0
    counts[:, :, 0, 103], counts[:, :, 0, 104], counts[:, :, 1:, 120] = low, high, 9
    return counts


@pytest.mark.parametrize(
    ("name", "shown", "hidden"),
    [
        (
            "weights_converge",
            {"displacement": snapshots([0] * 4, [1, 1, 1, 1], [1.005, 9, 9, 9])},
            {"displacement": snapshots([0] * 4, [1, 1, 1, 1], [1.02, 1, 1, 1])},
        ),
        (
            "plateau",
            {"validation_metric": accuracy(0.1, 0.9, 0.905)},
            {"validation_metric": accuracy(0.9, 0.1, 0.2)},
        ),
        ("stagnant_loss", {"loss": loss(2, 1.95)}, {"loss": loss(2, 1.5)}),
        (
            "irregular_curves",
            {"validation_metric": accuracy(0.9, 0.8, 0.9)},
            {"validation_metric": accuracy(0.9, 0.88, 0.9)},
        ),
        (
            "small_gradient_ratio",
            {"log10_parameter_norm": snapshots(*[[-5, 0, 0, -1]] * 3)},
            {"log10_parameter_norm": snapshots(*[[-5, 0, 0, -3]] * 3)},
        ),
        (
            "small_gradient_norm",
            {"log10_parameter_norm": snapshots(*[[0, -8, 0, 0]] * 3)},
            {"log10_parameter_norm": snapshots(*[[0, -np.inf, -6, 0]] * 3)},
        ),
        (
            "histogram_at_zero",
            {"gradient_histogram": histogram(3, 2)},
            {"gradient_histogram": histogram(2, 3)},
        ),
    ],
)
def test_sign_by_hand(name: str, shown: dict[str, Any], hidden: dict[str, Any]) -> None:
    found = [SIGNS[name].function(curves(trained(**fields))) for fields in (shown, hidden)]
    assert np.array(found).tolist() == [[True, True], [False, False]]


SOON = trained(validation_metric=accuracy(0.1, 0.9, 0.9))


def curves(which: Measured) -> TrainingCurves:
    assert which.curves is not None
    return which.curves


def test_gradient_vanishes_by_its_profile_in_the_median_over_training() -> None:
    late = snapshots([-2, 0, 0], [-2, 0, 0], [9, 0, 0])
    assert signs.vanishes(curves(trained(log10_activation_norm=late))).all()
    assert not signs.vanishes(curves(trained(log10_activation_norm=late / 2))).any()


@pytest.mark.parametrize(
    ("successes", "trials", "ends"),
    [(8, 10, (0.4902, 0.9433)), (10, 10, (0.7225, 1.0)), (0, 10, (0.0, 0.2775)), (0, 0, (np.nan, np.nan))],
)
def test_wilson_interval_is_the_textbooks(successes: int, trials: int, ends: tuple[float, float]) -> None:
    assert signs.wilson(successes, trials)[1:] == pytest.approx(ends, abs=5e-5, nan_ok=True)


@pytest.mark.parametrize(
    ("rule", "interval", "verdict"),
    [
        ({"above": 1.0}, (1.1, 2.0), "supported"),
        ({"above": 1.0}, (0.5, 1.0), "refuted"),
        ({"above": 1.0}, (0.9, 2.0), "unclear"),
        ({"below": 1.0}, (0.5, 0.9), "supported"),
        ({"below": 1.0}, (1.0, 2.0), "refuted"),
        ({"above": -1.0, "below": 1.0}, (-0.5, 0.5), "supported"),
        ({"above": -1.0, "below": 1.0}, (-3.0, -2.0), "refuted"),
        ({"above": -1.0, "below": 1.0}, (2.0, 3.0), "refuted"),
        ({"above": -1.0, "below": 1.0}, (0.5, 3.0), "unclear"),
        ({"above": -1.0, "below": 1.0}, (-3.0, 3.0), "unclear"),
        ({"above": 1.0}, (np.nan, np.nan), "unclear"),
    ],
)
def test_rule_judges_the_whole_interval(rule: dict[str, float], interval: tuple[float, float], verdict: str) -> None:
    assert Rule(**rule).judge(Interval(sum(interval) / 2, *interval)) == verdict


@pytest.mark.parametrize(
    ("verdicts", "reported"),
    [
        (["supported", "supported"], "supported"),
        (["refuted"], "refuted"),
        (["supported", "refuted", "supported"], "depends: supported for a / c; refuted for b"),
        (["supported", "unclear", "refuted"], "depends: supported for a; refuted for c; unclear for b"),
        (["supported", "unclear"], "unclear: supported for a; unclear for b"),
        (["refuted", "not measured"], "unclear: refuted for a; not measured for b"),
        ([], "not measured"),
    ],
)
def test_verdict_over_conditions_names_what_it_depends_on(verdicts: list[Verdict], reported: str) -> None:
    nothing = Interval(0, 0, 0)
    conditions = tuple(Condition(name, nothing, verdict, ()) for name, verdict in zip("abc", verdicts, strict=False))
    assert Judgement(claim(), conditions).words == reported


def test_cells_with_a_reference_are_compared_by_seed_and_name_both() -> None:
    deep = measured(Case(depth=6, width=4, seeds=(0, 1), learning_rates=(0.1,)), 0.25)
    rows = [trained(), cell(deep, place=1)]
    compared = [{"mitigation": "baseline", "at": {"depth": 3}, "reference": "baseline", "reference_at": {"depth": 6}}]
    (judgement,) = judge([claim(cells=compared, rule={"above": 0.5})], rows)
    (condition,) = judgement.conditions
    assert condition.label == "baseline, depth 3 against baseline, depth 6"
    assert condition.effect == pytest.approx((0.7, 0.7, 0.7))
    assert (condition.verdict, judgement.verdict) == ("supported", "supported")
    assert condition.cells == tuple(row.row.cell_id for row in rows)


def test_cells_whose_reference_is_missing_or_has_other_seeds_are_not_measured() -> None:
    other = cell(measured(Case(depth=3, width=8, seeds=(0, 2), learning_rates=(0.1,))), "other", 1)
    compared = [{"mitigation": "baseline", "reference": "other"}]
    assert judge([claim(cells=compared)], [trained(), other])[0].verdict == "not measured"
    assert judge([claim(cells=compared)], [trained()])[0].verdict == "not measured"


def test_what_a_claim_names_and_a_run_does_not_have_is_reported() -> None:
    cells = [{"mitigation": "other"}, {"mitigation": "baseline", "at": {"depth": [3, 9]}}]
    (judgement,) = judge([claim(cells=cells)], [trained()])
    assert judgement.words == ("unclear: supported for baseline, depth 3; not measured for other / baseline, depth 9")
    assert judge([claim(cells=[{"at": {"depth": 9}}])], [trained()])[0].verdict == "not measured"


def test_runs_that_both_never_reach_the_target_have_no_known_difference() -> None:
    never = replace(trained(validation_metric=accuracy(0.1, 0.1, 0.1)), row=replace(trained().row, mitigation="never"))
    cells = [{"mitigation": "never", "reference": "never"}, {"mitigation": "never", "reference": "baseline"}]
    (judgement,) = judge([claim(statistic="log10_steps_to_target", cells=cells, rule={"above": 0.1})], [never, SOON])
    unknown, known = judgement.conditions
    assert (unknown.verdict, np.isnan(unknown.effect.value)) == ("unclear", True)
    assert known.effect == pytest.approx([np.log10(2)] * 3)
    assert known.verdict == "supported"


def test_sign_is_judged_by_sensitivity_and_specificity_over_cells() -> None:
    gone, there = snapshots(*[[-3, 0, 0]] * 3), snapshots(*[[0, 0, 0]] * 3)
    stagnant, falling = loss(2, 2), loss(2, 1)
    rows = [
        *(trained(log10_activation_norm=gone, loss=stagnant) for _ in range(8)),
        *(trained(log10_activation_norm=there, loss=falling) for _ in range(1)),
        *(trained(log10_activation_norm=there, loss=stagnant) for _ in range(8)),
    ]
    rows = [replace(row, row=replace(row.row, place=place)) for place, row in enumerate(rows)]
    untrained = cell(measured(CASE, None), place=len(rows))
    sign = claim(statistic=None, sign="stagnant_loss", cells=[{}, {}])  # a cell counts once
    (judgement,) = judge([sign], [*rows, untrained])
    assert [condition.label for condition in judgement.conditions] == [
        "sensitivity (8 of 8 cells)",
        "specificity (1 of 9 cells)",
    ]
    assert judgement.conditions[1].effect == pytest.approx(signs.wilson(1, 9))
    assert [len(condition.cells) for condition in judgement.conditions] == [8, 9]
    assert judgement.words.startswith("depends: supported for sensitivity")


@pytest.mark.parametrize(
    ("changed", "reported"),
    [
        ({"statistic": "decya"}, r"claims\.0\.statistic: unknown statistic 'decya'; did you mean 'decay'\?"),
        ({"statistic": None, "sign": "platau"}, r"claims\.0\.sign: unknown sign 'platau'; did you mean 'plateau'\?"),
        ({"sign": "plateau"}, r"claims\.0: needs either a statistic or a sign"),
        ({"statistic": None}, r"claims\.0: needs either a statistic or a sign"),
        ({"cells": [{"mitigation": "reul"}]}, r"claims\.0: unknown mitigation 'reul'; did you mean 'relu'\?"),
        ({"cells": [{"reference": "reul"}]}, r"claims\.0: unknown mitigation 'reul'"),
        ({"cells": [{"at": {"dpeth": 2}}]}, r"claims\.0: unknown swept axis 'dpeth'; did you mean 'depth'\?"),
        ({"cells": [{"reference_at": {"depth": 2}}]}, r"claims\.0\.cells\.0: reference_at: needs `reference`"),
        ({"cells": []}, r"claims\.0\.cells: "),
        (
            {"statistic": None, "sign": "plateau", "cells": [{"reference": "relu"}]},
            r"claims\.0: reference: a claim with a sign does not compare cells",
        ),
        ({"rule": {}}, r"claims\.0\.rule: needs a bound: above, below or both"),
        ({"rule": {"above": 1.0, "below": 1.0}}, r"claims\.0\.rule: nothing lies above 1\.0 and below 1\.0"),
        ({"rule": {"abov": 1.0}}, r"claims\.0\.rule: unknown field 'abov'; did you mean 'above'\?"),
        ({"sentence": ""}, r"claims\.0\.sentence: "),
        ({"hypothesis": None}, r"claims\.0\.hypothesis: "),
    ],
)
def test_malformed_claim_is_reported_with_its_place(tmp_path: Path, changed: dict[str, Any], reported: str) -> None:
    given = {name: value for name, value in {**CLAIM, **changed}.items() if value is not None}
    path = tmp_path / "tiny.toml"
    path.write_text(f"{TINY}\n[[claims]]\n" + "\n".join(f"{name} = {toml(value)}" for name, value in given.items()))
    with pytest.raises(InputError, match=rf"^{re.escape(str(path))}: {reported}"):
        read_suite(path)


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["supported", "refuted", "depends", "unclear"]),
        ({"source": "Somebody 1999"}, ["reproduced", "not reproduced", "reproduced in part", "unclear"]),
        (
            {"source": "Somebody 1999", "needs_scale": "It had more"},
            ["reproduced", "needs scale", "reproduced in part", "unclear"],
        ),
    ],
)
def test_verdict_on_a_papers_result_says_whether_it_was_reproduced(fields: dict[str, str], expected: list[str]) -> None:
    row = trained(test_metric=np.asarray([0.5, 0.5], np.float32))
    found = [judge([claim(**fields, rule={"above": bound})], [row])[0] for bound in (0.4, 0.6)]
    assert [each.outcome for each in found] == [each.words for each in found] == expected[:2]
    one = claim(**fields)
    assert [one.in_words(verdict) for verdict in ("supported", "refuted", "depends", "unclear")] == expected
    assert ("Source" in one.facts, "Scale" in one.facts) == ("source" in fields, "needs_scale" in fields)


def test_scale_of_no_source_is_refused() -> None:
    with pytest.raises(ValueError, match="needs_scale: needs `source`"):
        claim(needs_scale="It had more")


def test_digest_of_the_rules_changes_with_every_part_of_them() -> None:
    changes: list[dict[str, Any]] = [
        {"sentence": "It learns"},
        {"hypothesis": "Most is right"},
        {"statistic": "loss_fall"},
        {"cells": [{"mitigation": "baseline"}]},
        {"rule": {"above": 0.6}},
        {"source": "Somebody 1999"},
        {"source": "Somebody 1999", "needs_scale": "A larger one"},
    ]
    digests = {rules_digest([claim(**changed)]) for changed in [{}, *changes]}
    assert len(digests) == 1 + len(changes)
    assert rules_digest([claim(cells=[Cells()])]) == rules_digest([claim()])


@pytest.fixture
def commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Commit a text as the suite's file on this day."""
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "none"))

    def git(*arguments: str, **environment: str) -> None:
        who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        command = ["git", "-C", str(tmp_path), *who, *arguments]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, **environment})

    git("init")

    def add(text: str, day: str) -> None:
        (tmp_path / "tiny.toml").write_text(text)
        git("add", "tiny.toml")
        git("commit", "-m", day, GIT_COMMITTER_DATE=f"{day}T12:00:00+02:00")

    return add


def test_rules_are_fixed_by_the_first_commit_since_which_they_stand(
    tmp_path: Path, commit: Callable[[str, str], None]
) -> None:
    path = tmp_path / "tiny.toml"
    commit("no suite yet", "2026-01-01")
    commit(TINY + CLAIMS.replace("0.5", "0.4"), "2026-01-02")
    commit(TINY + CLAIMS, "2026-01-03")
    commit(TINY.replace("Tiny", "Small") + CLAIMS, "2026-01-04")
    found = fixed_in(read_suite(path))
    assert found is not None
    assert found.date == "2026-01-03T10:00:00+00:00"
    assert re.fullmatch("[0-9a-f]{12}", found.commit)
    path.write_text(TINY + CLAIMS.replace("0.5", "0.6"))
    assert fixed_in(read_suite(path)) is None
    path.write_text(TINY)
    assert fixed_in(read_suite(path)) is None


def test_rules_outside_a_checkout_are_fixed_by_no_commit(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(TINY + CLAIMS)
    suite = read_suite(tmp_path / "tiny.toml")
    assert suite.claims
    assert fixed_in(suite) is None
    made = suite.model_copy()
    made._file = None
    assert fixed_in(made) is None


def with_claims(out: Path, fixed: Fixed | None = None, sentence: str = "It trains") -> Path:
    """A run of a baseline and a mitigation that trains better, and a claim that it does."""
    cases = [
        Case(depth=3, width=4, seeds=(0, 1), learning_rates=(0.1,), init=init)
        for init in ("glorot_normal", "he_normal")
    ]
    write_run(out, [("baseline", measured(cases[0], 0.25)), ("he", measured(cases[1], 0.95))])
    path = Folder(out / DEVICE.slug).manifest
    said = claim(sentence=sentence, cells=[{"mitigation": "he", "reference": "baseline"}])
    write_record(path, replace(read_record(path, Manifest), claims=(said,), fixed=fixed))
    return out


def test_report_tells_verdict_effect_cells_rule_and_both_commits(tmp_path: Path) -> None:
    out = with_claims(tmp_path, Fixed("123456789abc", "2026-01-02T00:00:00+00:00"))
    report = write_report(out)
    text = (out / "claims.md").read_text()
    manifest = read_record(Folder(out / DEVICE.slug).manifest, Manifest)
    assert out / "claims.md" in report.files
    rules = f"rules {rules_digest(manifest.claims)}, fixed in commit 123456789abc on 2026-01-02"
    assert f"{rules}; 4 of 4 records had been measured before" in text
    assert "vgbench 0.1 (commit abc)" in text
    assert "supported if the whole 95 % interval lies above 0.5, refuted if none of it does" in text
    cells = ", ".join(manifest.rows[place].cell_id for place in (1, 0))
    line = next(line for line in text.splitlines() if "against baseline, depth 3" in line and line.startswith("|"))
    assert [part.strip() for part in line.strip("|").split("|")] == [
        "he, depth 3 against baseline, depth 3",
        "+0.7 [+0.7, +0.7]",
        "supported",
        cells,
    ]
    html = (out / "report.html").read_text()
    assert all(part in html for part in ('<section id="claims">', rules, cells, "+0.7 [+0.7, +0.7]"))


def test_records_made_after_the_rules_are_not_reported_to_be_earlier(tmp_path: Path) -> None:
    report = write_report(with_claims(tmp_path, Fixed("1234", "2025-12-31T23:59:59+00:00")), ["md"])
    assert report.claims[0].rules.endswith("fixed in commit 1234 on 2025-12-31")


def test_terminal_gets_a_line_a_claim_with_its_smallest_and_largest_effect(tmp_path: Path) -> None:
    out = with_claims(tmp_path)
    path = Folder(out / DEVICE.slug).manifest
    cells = [{"mitigation": "he", "reference": "baseline"}, {"mitigation": "baseline"}]
    said = (claim(cells=cells), claim(cells=[{"mitigation": "baseline"}], statistic="decay"))
    write_record(path, replace(read_record(path, Manifest), claims=said))
    reported = list(lines(write_report(out, ["md"]).claims))
    assert reported[0] == (
        "It trains: depends: supported for he, depth 3 against baseline, depth 3; refuted for baseline, depth 3"
        " (test_accuracy +0.25 [+0.25, +0.25] to +0.7 [+0.7, +0.7])"
    )
    assert reported[1] == "It trains: refuted (decay -1 [-1, -1])"
    assert reported[-1] == f"rules {rules_digest(said)}: no commit holds them as they are"


def test_effect_has_three_digits_and_none_that_rounding_in_float32_makes() -> None:
    assert effect(Interval(0.123456, -0.00123456, 0.25)) == "+0.123 [-0.00123, +0.25]"
    assert effect(Interval(2.75e-10, -7.98e-9, 8.53e-9)) == "+0 [+0, +0]"


def test_index_of_published_runs_shows_the_verdicts_and_links_to_the_claims(tmp_path: Path) -> None:
    reported = section(with_claims(tmp_path / "tiny"))
    assert "| It trains | supported |" in " ".join(reported.split())
    assert "[claims](tiny/claims.md)" in reported


def test_report_of_a_suite_without_claims_has_no_page_of_them(tmp_path: Path) -> None:
    write_run(tmp_path, [("baseline", measured(CASE))])
    report = write_report(tmp_path)
    assert not (tmp_path / "claims.md").exists()
    assert report.claims == []
    assert 'id="claims"' not in (tmp_path / "report.html").read_text()


def test_text_of_a_claim_stays_text(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script> | a\n# b"
    write_report(with_claims(tmp_path, sentence=hostile))
    for name in ("claims.md", "report.html"):
        text = (tmp_path / name).read_text()
        assert "<script>alert(1)" not in text
        assert "\n# b" not in text or name == "report.html"
    assert "&lt;script>alert(1)&lt;/script> \\| a # b" in (tmp_path / "claims.md").read_text()


def test_merged_run_keeps_its_claims(tmp_path: Path) -> None:
    fixed = Fixed("1234", "2026-01-02T00:00:00+00:00")
    parts = [with_claims(tmp_path / name, fixed) for name in ("a", "b")]
    out = merge(tmp_path / "out", parts)
    manifest = read_record(device_folders(out)[0].manifest, Manifest)
    assert [each.sentence for each in manifest.claims] == ["It trains"]
    assert manifest.fixed == fixed


def test_effect_without_ends_or_without_a_value_is_reported_so() -> None:
    assert effect(Interval(0.5, np.nan, np.nan)) == "+0.5"
    assert effect(Interval(np.nan, np.nan, np.nan)) == "-"


class Notes(Observer):
    """Hears what a run finds in its folder."""

    def __init__(self) -> None:
        self.missing, self.notes = -1, ()

    def planned(self, plan: Any, progress: Any) -> None:
        self.missing, self.notes = len(plan.missing), plan.notes

    def started(self, task: Any, progress: Any) -> None: ...
    def ended(self, task: Any, record: Any, progress: Any) -> None: ...
    def stopping(self) -> None: ...


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs whose records are made by hand."""
    monkeypatch.setattr(runner, "Local", Instant)


def suites(folder: Path) -> tuple[Suite, Suite]:
    """A suite, and another one of which it is a part."""
    (folder / "small.toml").write_text(TINY)
    (folder / "large.toml").write_text(TINY.replace("depth = [2]", "depth = [2, 3]"))
    return read_suite(folder / "small.toml"), read_suite(folder / "large.toml")


def reusing(suite: Suite, out: Path, *sources: Path) -> Notes:
    notes = Notes()
    run(suite, out, reuse=sources, observers=[notes])
    return notes


@pytest.mark.usefixtures("instant")
def test_records_of_the_same_cells_and_pairs_are_reused_from_a_run_of_another_suite(tmp_path: Path) -> None:
    small, large = suites(tmp_path)
    source, out = run(small, tmp_path / "source"), tmp_path / "out"
    notes = reusing(large, out, source, tmp_path / "source")
    assert notes.notes == (f"reused: 6 records of {source}", f"reused: 0 records of {source}")
    assert notes.missing == 6
    before = {path.relative_to(source): path.read_bytes() for path in source.rglob("c*s/*")}
    assert len(before) == 6
    assert all((out / path).read_bytes() == content for path, content in before.items())
    assert reusing(large, out, source).missing == 0


@pytest.mark.usefixtures("instant")
@pytest.mark.parametrize(
    "spoil",
    [
        {"provenance": replace(ORIGIN, packages={"jax": "0"})},
        {"provenance": replace(ORIGIN, source={"cell": "0", "cost": "0"})},
        {"provenance": replace(ORIGIN, device=replace(DEVICE, model="another"))},
        {"status": "crashed"},
    ],
    ids=["versions", "source", "device", "failure"],
)
def test_records_that_would_come_out_otherwise_are_not_reused(tmp_path: Path, spoil: dict[str, Any]) -> None:
    small, _ = suites(tmp_path)
    source = run(small, tmp_path / "source")
    for path in source.glob("*/cells/*.json"):
        write_record(path, replace(read_record(path, CellRecord), **spoil))
    assert reusing(small, tmp_path / "out", source).notes == (f"reused: 3 records of {source}",)


@pytest.mark.usefixtures("instant")
def test_stale_record_makes_way_for_one_that_is_reused(tmp_path: Path) -> None:
    small, _ = suites(tmp_path)
    source, out = run(small, tmp_path / "source"), run(small, tmp_path / "out")
    stale = next(out.glob("*/cells/*.json"))
    write_record(stale, replace(read_record(stale, CellRecord), provenance=replace(ORIGIN, packages={})))
    notes = reusing(small, out, source)
    assert (notes.missing, notes.notes) == (0, (f"reused: 1 record of {source}",))


@pytest.mark.usefixtures("instant")
def test_folder_without_a_run_cannot_be_reused(tmp_path: Path) -> None:
    small, _ = suites(tmp_path)
    with pytest.raises(InputError, match="none: no records here"):
        run(small, tmp_path / "out", reuse=[tmp_path / "none"])


def test_claim_is_decided_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "Local", Inline)
    claims = CLAIMS.replace("test_accuracy", "decay").replace("0.5", "-9.0")
    untrained = TINY.replace("seeds = [0]", "seeds = [0, 1]", 1).replace("steps = 4", "steps = 0")
    (tmp_path / "tiny.toml").write_text(untrained + claims + "[protocol]\ntime_to_depth = 0\n")
    result = vgbench("run", "tiny.toml", "--only", "relu", "--out", "out")
    assert result.code == 0, result.err
    assert "It trains: supported" in result.out
    assert re.search(r"rules [0-9a-f]{16}: no commit holds them as they are", result.out)
    text = (tmp_path / "out/claims.md").read_text()
    assert "| relu, depth 2 against baseline, depth 2 |" in text
    again = vgbench("run", "tiny.toml", "--only", "relu", "--out", "again", "--reuse", "out")
    assert "reused: 2 records of out" in again.out + again.err
    assert (tmp_path / "again/claims.md").read_text() == text
