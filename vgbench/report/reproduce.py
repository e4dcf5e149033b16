"""The commands that measure a run, or a row of it, again."""

import shlex
from collections.abc import Sequence
from functools import cache
from typing import Any

from vgbench.records.runs import Run
from vgbench.records.schema import Manifest, Row
from vgbench.spec.suite import built_in_suites


def command(runs: Sequence[Run]) -> str:
    """What measures the run of a suite again, with the commit, the versions and the kind of device that it was for."""
    manifest = runs[0].manifest
    origin = manifest.provenance
    versions = ", ".join(f"{name} {version}" for name, version in origin.packages.items())
    checkout = f"git checkout {origin.commit} && " if origin.commit and not origin.commit.endswith("-dirty") else ""
    return f"{checkout}vgbench run {_suite(manifest)}  # on {origin.device}, with {versions}"


def cell_command(manifest: Manifest, row: Row) -> str:
    """What measures one row again, with its reference; of a swept slot with options it measures all values."""
    plain = {name: value for name, value in row.axes.items() if "(" not in str(value)}
    settings = "".join(f" --set {shlex.quote(f'{name}={_written(value)}')}" for name, value in plain.items())
    return f"vgbench run {_suite(manifest)} --only {shlex.quote(row.mitigation)}{settings}"


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _suite(manifest: Manifest) -> str:
    """The name of a built-in suite, or the file of another."""
    base = manifest.suite.removesuffix("-quick")
    if base in _built_in():
        return base if base == manifest.suite else f"{base} --quick"
    return shlex.quote(f"{manifest.suite}.toml")


@cache
def _built_in() -> frozenset[str]:
    return frozenset(suite.name for suite in built_in_suites())
