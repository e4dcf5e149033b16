"""When the rules of a suite's claims were fixed: the first commit since which they stand as they are."""

import tomllib

from pydantic import TypeAdapter, ValidationError

from vgbench.records.git import opened
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
    with opened(place.parent) as checkout:
        if checkout is None:
            return None
        for commit, date in checkout.history(place.name):
            if _rules(checkout.content(commit, place.name)) != wanted:
                break
            found = Fixed(commit, date)
    return found


def _rules(text: str) -> str | None:
    try:
        return rules_digest(_CLAIMS.validate_python(tomllib.loads(text).get("claims", [])))
    except (ValueError, RecursionError, ValidationError):
        return None
