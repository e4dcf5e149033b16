"""When the rules of a suite's claims were fixed: the first commit since which they stand as they are."""

import os
import subprocess
import tomllib
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from vgbench.records.schema import Fixed
from vgbench.spec.claim import Claim, rules_digest
from vgbench.spec.suite import Suite

_CLAIMS = TypeAdapter(list[Claim])


def fixed_in(suite: Suite) -> Fixed | None:
    """The commit after which nothing changed in the rules of the claims, whatever else did in the suite's file.

    None where the suite has no claims or no file, or where the file's last commit holds other rules or does not exist.
    """
    if suite.file is None or not suite.claims:
        return None
    place, wanted, found = suite.file.resolve(), rules_digest(suite.claims), None
    log = _git(place.parent, "log", "--format=%h %cd", "--abbrev=12", "--date=iso-strict-local", "--", place.name)
    for line in log.splitlines():
        commit, date = line.split(" ", 1)
        if _rules(_git(place.parent, "show", f"{commit}:./{place.name}")) != wanted:
            break
        found = Fixed(commit, date)
    return found


def _rules(text: str) -> str | None:
    try:
        return rules_digest(_CLAIMS.validate_python(tomllib.loads(text).get("claims", [])))
    except (ValueError, ValidationError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    """What git says; nothing where there is no git or no checkout."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=True, env={**os.environ, "TZ": "UTC"})
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.decode(errors="replace")
