"""Versions of the records' schema: migrations convert records of earlier versions to the current one.

A record on disk names its version; without one it has version 1. A migration changes the tree of a record, its JSON
with the arrays in their places, from one version to the next, before validation. The name of a record's file is the
hash of its case as it was written; migrations do not change it.
"""

from collections.abc import Callable, Mapping
from typing import Any

SCHEMA = 8
"""The current version, in which records are written."""
WITHOUT_SEEDS = 4
"""The version from which the ids in the names of records leave out the evaluation seeds."""

_Body = dict[str, Any]

_BLOCKS = {"scanned": "scan", "unrolled": "unroll"}
_FIELDS = {"rates": "learning_rates", "transform": "gradient_transform", "layers": "block_execution"}
_SNAPSHOTS = {
    *("log10_activation_norm", "log10_parameter_norm", "log10_state_norm", "log10_kind_norm", "log10_weight_norm"),
    *("gradient_histogram", "zero_share", "subnormal_share", "update_to_weight", "displacement"),
    *("preactivation_mean", "preactivation_variance", "mean_slope", "saturated", "dead"),
    *("loss_scale", "skipped_steps"),
}
"""What the snapshots of training hold."""


def migrated(body: Any, version: Any) -> Any:
    """Convert the tree of a record to the current version.

    Args:
        body: the JSON of a record of any kind, not yet validated.
        version: the version in which it was written.

    Raises:
        ValueError: the version does not exist, or is newer than this vgbench.
    """
    if type(version) is not int or not 1 <= version <= SCHEMA:
        raise ValueError(f"its schema has version {version!r:.20}; this vgbench reads versions 1 to {SCHEMA}")
    for migration in _MIGRATIONS[version - 1 :]:
        body = migration(body) if isinstance(body, dict) else body
    return body


def _to_2(body: _Body) -> _Body:
    """Fields of the case have the names that papers use: learning rates, gradient transform, block execution."""
    changed = dict(body)
    for name in ("case", "reference"):
        if isinstance(body.get(name), dict):
            changed[name] = _case_2(body[name])
    if isinstance(body.get("training"), dict):
        changed["training"] = _renamed(body["training"], {"rates": "learning_rates", "rate": "learning_rate"})
    if isinstance(body.get("cost"), dict):
        changed["cost"] = {**body["cost"], "form": _blocks(body["cost"].get("form"))}
    if isinstance(body.get("rows"), list):
        changed["rows"] = [_row_2(row) for row in body["rows"]]
    return changed


def _case_2(case: _Body) -> _Body:
    renamed = _renamed(case, _FIELDS)
    return {name: _blocks(value) if name == "block_execution" else value for name, value in renamed.items()}


def _to_3(body: _Body) -> _Body:
    """The option `readout` of models is called `pooling`, and `beside` of claims `reference`; snapshots are nested."""
    changed = {name: _case_3(value) if name in ("case", "reference") else value for name, value in body.items()}
    if isinstance(body.get("claims"), list):
        changed["claims"] = [_claim_3(claim) for claim in body["claims"]]
    if isinstance(body.get("training"), dict):
        changed["training"] = _training_3(body["training"])
    return changed


def _claim_3(claim: Any) -> Any:
    if not (isinstance(claim, dict) and isinstance(claim.get("cells"), list)):
        return claim
    names = {"beside": "reference", "beside_at": "reference_at"}
    return {**claim, "cells": [_renamed(each, names) if isinstance(each, dict) else each for each in claim["cells"]]}


def _training_3(training: _Body) -> _Body:
    snapshots = {name: value for name, value in training.items() if name in _SNAPSHOTS}
    return {name: value for name, value in training.items() if name not in _SNAPSHOTS} | {"snapshots": snapshots}


def _case_3(case: Any) -> Any:
    known = isinstance(case, dict) and isinstance(case.get("model"), dict)
    return {**case, "model": _renamed(case["model"], {"readout": "pooling"})} if known else case


def _to_4(body: _Body) -> _Body:
    """Only the names of the files are others, and a row may say which seeds its table uses."""
    return body


def _to_5(body: _Body) -> _Body:
    """What training is judged by has a name, which was an accuracy in all records until now."""
    if not isinstance(body.get("training"), dict):
        return body
    names = {f"{which}_accuracy": f"{which}_metric" for which in ("tuning", "validation", "test")}
    accuracy = {"name": "accuracy", "better": "higher"}
    return {**body, "training": {**_renamed(body["training"], names), "metric": accuracy}}


def _to_6(body: _Body) -> _Body:
    """A run may judge its claims at several numbers of seeds, which no run did until now."""
    return body


def _to_7(body: _Body) -> _Body:
    """A cell may have a coordinate check, and a cost says where a trace of its steps lies: no record did until now."""
    return body


def _to_8(body: _Body) -> _Body:
    """A cost says with which others it was timed in one round-robin, which none was until now."""
    return body


def _row_2(row: Any) -> Any:
    known = isinstance(row, dict) and isinstance(row.get("axes"), dict)
    return {**row, "axes": _case_2(row["axes"])} if known else row


def _renamed(values: Mapping[str, Any], names: Mapping[str, str]) -> _Body:
    return {names.get(name, name): value for name, value in values.items()}


def _blocks(form: Any) -> Any:
    return _BLOCKS.get(form, form) if isinstance(form, str) else form


_MIGRATIONS: tuple[Callable[[_Body], _Body], ...] = (_to_2, _to_3, _to_4, _to_5, _to_6, _to_7, _to_8)
"""From version 1 to 2, and so on."""
