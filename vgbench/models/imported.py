"""A model family of one's own without a plug-in: `model = "mypackage.nets:build"`, imported where that is allowed."""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from vgbench.errors import InputError
from vgbench.models.problem import Problem
from vgbench.spec.case import Case
from vgbench.spec.registry import MODELS

_VARIABLE = "VGBENCH_ALLOW_IMPORTS"
"""Whether suites may import, yes or no, in the environment, since worker processes inherit it."""


def allow() -> None:
    """Let suites import the models that they name, from the working directory, too; here and in worker processes.

    A suite's file is then code: it runs whatever the module does.
    """
    os.environ[_VARIABLE] = "1"
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)


def check(case: Case) -> None:
    """Refuse a case whose model is to be imported where that is not allowed.

    Raises:
        InputError: it is, or the environment says neither yes nor no.
    """
    if case.model.name == "imported" and not _allowed():
        build = case.model.options()["build"]
        raise InputError(f"model {build!r} is code to be imported: pass --allow-imports if you trust it")


def _allowed() -> bool:
    said = os.environ.get(_VARIABLE, "").strip()
    try:
        return bool(said) and TypeAdapter(bool).validate_python(said)
    except ValidationError:
        choices = "neither yes (1, true, yes, on) nor no (0, false, no, off)"
        raise InputError(f"{_VARIABLE}: {said!r} is {choices}") from None


@MODELS.register(source="the user")
def imported(case: Case, problem: Problem, scanned: bool, *, build: str) -> Any:
    """Family of one's own: `MODULE:FUNCTION`, which gets (case, problem, scanned) as every family does."""
    check(case)
    module, colon, function = build.partition(":")
    if not (module and colon and function):
        raise InputError(f"model {build!r}: needs MODULE:FUNCTION")
    try:
        found = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise InputError(f"model {build!r}: cannot be imported: {error}") from None
    return found(case, problem, scanned)
