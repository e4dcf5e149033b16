"""The executor of a Ray cluster: an actor for each accelerator, in which a supervised worker measures."""

import os
import pickle
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, InvalidStateError, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Any

from vgbench.errors import InputError
from vgbench.harness.outcome import Outcome
from vgbench.harness.plan import Task
from vgbench.harness.workers.executor import WorkerLostError, WorkerSlot, may_take
from vgbench.harness.workers.ray_cluster import answers, check_reachable, connected, first_line
from vgbench.harness.workers.supervisor import Supervisor
from vgbench.records.origin import Provenance
from vgbench.spec.case import Case

_RESOURCE = {"gpu": "GPU", "tpu": "TPU", "cpu": "CPU"}
_POLL_SECONDS, _TRIES = 1.0, 3
"""How often the head is called on, and how often in a row it may fail to answer. Ray itself ends the process that it
serves a minute after its head is lost."""
_GONE = (
    "the head of the Ray cluster does not answer any more; every finished measurement is kept, and the same command"
    " goes on from there once there is a cluster again"
)


class _Actor:
    """What runs on a node: a supervised worker, which sees the devices that Ray gave the actor."""

    def __init__(self, platform: str, limits: dict[str, Any]) -> None:
        if platform == "cpu":  # Ray hides no accelerator from an actor that asked for none
            os.environ["JAX_PLATFORMS"] = "cpu"
        self._worker = Supervisor(platform, **limits)

    def prepare(self, pickled: bytes) -> tuple[str, Provenance]:
        """The address of this node, and what its worker measures with."""
        address: str = import_module("ray").util.get_node_ip_address()
        return address, self._worker.prepare(pickled)

    def execute(self, task: Task, origin: Provenance) -> Outcome:
        """Have a task measured; its record says that `origin` measured it."""
        return self._worker.execute(task, origin, lambda: False)


@dataclass(kw_only=True)
class _WorkerSlot(WorkerSlot):
    actor: Any


class Ray:
    """Measures on a Ray cluster that runs already; records are written here alone.

    Args:
        device: `cpu`, `gpu` or `tpu`; the accelerators that the cluster has if None, and CPUs if it has none.
        size: devices a worker.
        address: of the cluster, `auto` for the one that this host belongs to.
        limits: of each worker, as in `Supervisor`.

    Raises:
        InputError: Ray is not installed, no cluster answers, or it has no such device.
    """

    def __init__(self, device: str | None, *, size: int, address: str, **limits: Any) -> None:
        self._ray = connected(address)
        self._limits = limits
        self._closing, self._gone = threading.Event(), threading.Event()
        try:
            check_reachable(self._ray)
            self._platform, self._hosts = _slots(self._ray, device, size)
        except InputError:
            self._ray.shutdown()
            raise
        needs = {"gpu": {"num_gpus": size}, "tpu": {"resources": {"TPU": size}}, "cpu": {}}[self._platform]
        self._remote = self._ray.remote(_Actor).options(num_cpus=int(self._platform == "cpu"), **needs)
        self.workers = self._hosts.total()
        self._joining: list[tuple[Any, Future[tuple[str, Provenance]]]] = []
        self._failures = 0
        self._first: Provenance | None = None
        self._slots: list[_WorkerSlot] = []
        self._lost: list[_WorkerSlot] = []
        self._open: set[Future[Outcome]] = set()
        self._pickled = b""
        threading.Thread(target=self._watch, daemon=True).start()

    def prepare(self, cases: Sequence[Case]) -> Provenance:
        """Start the workers and wait for the first: the others join in as the cluster has room for them.

        Raises:
            InputError: the workers cannot serve the cases.
        """
        self._pickled = pickle.dumps(cases)
        for _ in range(self.workers):
            self._join()
        while not self._slots:
            wait([future for _, future in self._joining], _POLL_SECONDS, FIRST_COMPLETED)
            self._settle()
        return self._slots[0].origin

    def check(self) -> None:
        """Nothing is left to check: each worker has, before it joined."""

    def submit(self, task: Task) -> Future[Outcome] | None:
        """Have a task measured by a worker that may take it; None where there is none.

        Raises:
            InputError: the cluster is gone, or a worker that joined it does not fit the others.
        """
        self._settle()
        for slot in self._slots:
            if may_take(slot, task, self._slots):
                slot.task = task
                outcome: Future[Outcome] = Future()
                self._open.add(outcome)
                measured = slot.actor.execute.remote(task, slot.origin).future()
                measured.add_done_callback(partial(self._ended, slot, outcome))
                return outcome
        return None

    def close(self) -> None:
        """End all workers at once, whatever they do."""
        self._closing.set()
        if not self._gone.is_set():
            for actor in [*(slot.actor for slot in self._slots), *(actor for actor, _ in self._joining)]:
                self._ray.kill(actor)
        self._ray.shutdown()

    def _join(self) -> None:
        actor = self._remote.remote(self._platform, self._limits)
        self._joining.append((actor, actor.prepare.remote(self._pickled).future()))

    def _settle(self) -> None:
        """Give slots to workers that are ready, and replace those that are lost."""
        if self._gone.is_set():
            raise InputError(_GONE)
        while self._lost:
            slot = self._lost.pop()
            self._slots.remove(slot)
            self._ray.kill(slot.actor)  # where it was merely out of reach
            self._join()
        for actor, future in [pair for pair in self._joining if pair[1].done()]:
            self._joining.remove((actor, future))
            self._welcome(actor, future)

    def _welcome(self, actor: Any, future: Future[tuple[str, Provenance]]) -> None:
        error: Any = future.exception()
        if isinstance(error, self._ray.exceptions.RayTaskError):
            raise error.cause
        if error is not None:
            self._failures += 1
            if self._failures > self.workers:
                raise InputError(f"a worker on the Ray cluster cannot start: {first_line(error)}") from None
            self._join()
            return
        self._failures = 0
        host, origin = future.result()
        slot = _WorkerSlot(host=host, origin=replace(origin, workers=max(1, self._hosts[host])), actor=actor)
        self._first = self._first or origin
        _check_alike(self._first, origin)
        self._slots.append(slot)

    def _ended(self, slot: _WorkerSlot, outcome: Future[Outcome], future: Future[Outcome]) -> None:
        """Pass on what an actor said; called by a thread of Ray's."""
        self._open.discard(outcome)
        error: Any = future.exception()
        with suppress(InvalidStateError):  # where the head was missed first
            if error is None:
                slot.task = None
                outcome.set_result(future.result())
            elif isinstance(error, self._ray.exceptions.RayTaskError):
                slot.task = None
                outcome.set_exception(error.cause)
            else:
                self._lost.append(slot)
                outcome.set_exception(WorkerLostError(f"its worker was lost: {first_line(error)}"))

    def _watch(self) -> None:
        """Notice that the head is lost, and let nobody wait for what it would have said."""
        host, _, port = self._ray.get_runtime_context().gcs_address.rpartition(":")
        misses = 0
        while misses < _TRIES:
            if self._closing.wait(_POLL_SECONDS):
                return
            misses = 0 if answers((host, int(port)), _POLL_SECONDS) else misses + 1
        self._gone.set()
        for outcome in list(self._open):
            with suppress(InvalidStateError):
                outcome.set_exception(InputError(_GONE))


def _slots(ray: Any, device: str | None, size: int) -> tuple[str, Counter[str]]:
    """The platform to measure on, and how many workers each host has room for; two nodes may share a host."""
    nodes = [node for node in ray.nodes() if node["Alive"]]
    there = [name for name, resource in _RESOURCE.items() if any(node["Resources"].get(resource) for node in nodes)]
    if device is not None and device not in _RESOURCE:
        raise InputError(f"device: {device!r} names one device, but Ray chooses which: say cpu, gpu or tpu")
    if not there or (device is not None and device not in there):
        known = ", ".join(there) or "none"
        raise InputError(f"device: the Ray cluster has no {device or 'device'} (there is: {known})")
    platform = device or there[0]
    each = 1 if platform == "cpu" else size
    hosts: Counter[str] = Counter()
    for node in nodes:
        hosts[node["NodeManagerAddress"]] += int(node["Resources"].get(_RESOURCE[platform], 0)) // each
    if not hosts.total():
        raise InputError(f"devices: {size} are asked for, and no node of the Ray cluster has so many")
    return platform, hosts


def _check_alike(first: Provenance, other: Provenance) -> None:
    differences = [*first.differences(other, "cell"), *first.differences(other, "cost")]
    if differences:
        raise InputError(
            f"nodes of the Ray cluster differ in {'; '.join(dict.fromkeys(differences))}: in one table they would be"
            " compared, which is no measurement"
        )
