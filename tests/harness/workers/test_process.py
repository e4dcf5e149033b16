"""The worker process itself: what it sets up before it measures."""

import threading
from typing import Any

import jax
import pytest
from helpers.tiny_suite import TINY

from vgbench.harness.plan import tasks_of
from vgbench.harness.workers import process, worker
from vgbench.records.provenance import find_device

COST = next(task for task in tasks_of(TINY.cells()) if task.kind == "cost")


def test_threads_of_a_worker_measure_on_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def execute(*_: object) -> None:
        thread = threading.Thread(target=lambda: seen.append(jax.config.jax_default_device))  # pyright: ignore[reportAttributeAccessIssue]
        thread.start()
        thread.join()

    monkeypatch.setattr(worker, "execute", execute)
    try:
        process.execute(COST, "cpu")
    finally:
        jax.config.update("jax_default_device", None)
    assert seen == [find_device("cpu")]
