"""The commands that measure a run, or a row of it, again."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from vgbench.records.runs import Run
from vgbench.records.schema import Manifest, Row
from vgbench.spec.suite import Suite, built_in_suites


def command(runs: Sequence[Run]) -> str:
    """What measures the run of a suite again, with the commit, the versions and the kind of device that it was for."""
    manifest = runs[0].manifest
    origin = manifest.provenance
    versions = ", ".join(f"{name} {version}" for name, version in origin.packages.items())
    checkout = f"git checkout {origin.commit} && " if origin.commit and not origin.commit.endswith("-dirty") else ""
    settings = "".join(f" --set {shlex.quote(each)}" for each in _settings(manifest))
    return f"{checkout}vgbench run {_suite(manifest)}{settings}  # on {origin.device}, with {versions}"


def cell_command(manifest: Manifest, row: Row) -> str:
    """What measures one row again, with its reference; of a swept slot with options it measures all values."""
    plain = {name: value for name, value in row.axes.items() if "(" not in str(value)}
    settings = "".join(f" --set {shlex.quote(f'{name}={_written(value)}')}" for name, value in plain.items())
    return f"vgbench run {_suite(manifest)} --only {shlex.quote(row.mitigation)}{settings}"


def _settings(manifest: Manifest) -> list[str]:
    """The swept axes whose values are not those of the built-in suite, each as `--set` takes it."""
    name = manifest.suite.removesuffix("-quick")
    if name not in _built_in():
        return []
    suite = _built_in()[name] if name == manifest.suite else _built_in()[name].quick_version()
    measured, own = _values(row.axes for row in manifest.rows), _values(cell.axes for cell in suite.cells())
    return [
        f"{axis}={','.join(values)}"
        for axis, values in measured.items()
        if sorted(values) != sorted(own.get(axis, ())) and "(" not in "".join(values)
    ]


def _values(every: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The values of each axis in their order, as they are written."""
    found: dict[str, dict[str, None]] = {}
    for axes in every:
        for axis, value in axes.items():
            found.setdefault(axis, {})[_written(value)] = None
    return {axis: list(values) for axis, values in found.items()}


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _suite(manifest: Manifest) -> str:
    """The name of a built-in suite, or the file of another."""
    base = manifest.suite.removesuffix("-quick")
    if base in _built_in():
        return base if base == manifest.suite else f"{base} --quick"
    return shlex.quote(f"{manifest.suite}.toml")


@cache
def _built_in() -> dict[str, Suite]:
    return {suite.name: suite for suite in built_in_suites()}
