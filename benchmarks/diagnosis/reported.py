"""`python benchmarks/diagnosis/reported.py --runs DIR --out results/diagnosis`: the diagnosis of what people reported.

Every fault of `faults/` is trained broken and fixed, recorded in three ways, and diagnosed; the rules of five other
tools are asked, too. A label counts where the intervention bears it out: the broken run leaves an error that the fixed
one does not. Rules and thresholds were set on the half `tuning`; other halves have other sources. Run files in `--runs`
are read where they are there, and written where they are not. What was said is kept in reported.json, with the digest
of the rules that said it, and reported.md is made from that file alone. The first scoring of a half stays there; when
the rules have changed since, a second one is kept beside it, which measures no longer how they generalise.
"""

import argparse
import ast
import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
from answers import OR, Answer
from faults import FAULTS, Fault
from faults.train import WAYS, Outcome, train
from reported_page import page
from symptoms import symptoms_of

import vgbench.diagnosis
from vgbench.diagnosis import Diagnosis, diagnose
from vgbench.records.provenance import provenance

WORDS = ("words.py", "advice.py", "published.py", "__init__.py")
"""Files of the diagnosis that decide nothing about what is found."""


def outcome_of(fault: Fault, broken: bool, runs: Path | None) -> Outcome:
    """Of a run that was made before, or is made now."""
    path = None if runs is None else runs / f"{fault.name}-{'broken' if broken else 'fixed'}.json"
    if path is not None and path.exists():
        return Outcome(**json.loads(path.read_text()))
    print(path or fault.name, file=sys.stderr, flush=True)
    outcome = train(fault.build(broken))
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(outcome)))
    return outcome


def names_of(answer: Diagnosis) -> list[str]:
    """All findings, each with what cannot be distinguished from it, or the verdict where there is none."""
    return [OR.join((finding.name, *finding.alternatives)) for finding in answer] or [answer.verdict]


def answer_of(fault: Fault, runs: Path | None) -> Answer:
    """Train the fault and its fix, and ask about both."""
    outcomes = [outcome_of(fault, broken, runs) for broken in (True, False)]
    said = [{way: names_of(diagnose(each.lines[way])) for way in WAYS} for each in outcomes]
    symptoms = [symptoms_of(each.lines["full"]) for each in outcomes]
    return Answer(
        name=fault.name,
        half=fault.half,
        family=fault.family,
        source=fault.source,
        cause=fault.cause,
        errors=[each.error for each in outcomes],
        broken=said[0],
        fixed=said[1],
        symptoms=symptoms[0],
        alarms=symptoms[1],
    )


def digest_of_rules() -> str:
    """What the code that decides a diagnosis amounts to: it changes when any of it does, and not with docstrings."""
    folder = Path(vgbench.diagnosis.__file__).parent
    files = sorted(each for each in folder.rglob("*.py") if each.name not in WORDS)
    return hashlib.sha256("\n".join(code_of(each.read_text()) for each in files).encode()).hexdigest()[:12]


class _WithoutText(ast.NodeTransformer):
    """Takes off constants that stand alone, as docstrings do."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) else node


def code_of(source: str) -> str:
    """Python source without comments and docstrings."""
    return ast.unparse(_WithoutText().visit(ast.parse(source)))


def updated(content: dict[str, Any], scoring: dict[str, Any]) -> dict[str, Any]:
    """The file's content with a new scoring: each half's first one stays, and the last one is kept if rules differ."""
    halves = {row["half"] for row in scoring["rows"]}
    for half in sorted(halves):
        own = scoring | {"rows": [row for row in scoring["rows"] if row["half"] == half]}
        first = content.get(half, {}).get("first", own)
        if first["rules"] == own["rules"]:
            content[half] = {"first": own}
        else:
            content[half] = {"first": first, "now": own}
    return content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=tuple(dict.fromkeys(each.half for each in FAULTS)))
    parser.add_argument("--only", help="the name of one fault")
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--train", action="store_true", help="make the runs, and ask nothing")
    given = parser.parse_args()
    chosen = [each for each in FAULTS if given.half in (None, each.half) and given.only in (None, each.name)]
    if given.train:
        for fault in chosen:
            errors = [outcome_of(fault, broken, given.runs).error for broken in (True, False)]
            print(fault.half, fault.name, *(f"{error:.3f}" for error in errors), flush=True)
        return
    rows = [asdict(answer_of(fault, given.runs)) for fault in chosen]
    half = f"--half {given.half} " if given.half else ""
    command = f"{half}--out {given.out}" if given.out else half.strip()
    scoring = {
        "rules": digest_of_rules(),
        "command": command,
        "provenance": asdict(provenance(jax.devices()[0])),
        "rows": rows,
    }
    kept = given.out / "reported.json" if given.out else None
    before = json.loads(kept.read_text()) if kept is not None and kept.exists() else {}
    content = updated(before, scoring)
    print(text := page(content))
    if given.out and kept is not None:
        given.out.mkdir(parents=True, exist_ok=True)
        kept.write_text(f"{json.dumps(content, indent=1)}\n")
        (given.out / "reported.md").write_text(text)


if __name__ == "__main__":
    main()
