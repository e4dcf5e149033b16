"""Joining a Ray cluster: whether it answers, and whether every node can be reached at the address that it gives."""

import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

from vgbench.errors import InputError

_JOIN_SECONDS, _REACH_SECONDS = 20.0, 5.0
"""How long the cluster may take to let a process in, and a node to accept a connection; `ray.init` knows no limit."""
_JOIN = """
import sys
import ray
print("imported", flush=True)
try:
    ray.init(address=sys.argv[1], log_to_driver=False, logging_level="ERROR")
except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
    print("refused", " ".join(str(error).split()), flush=True)
else:
    print("joined", flush=True)
"""
"""Joins a cluster for a moment, in a process of its own: where Ray cannot reach an address that the head advertises, it
waits for long, and then ends its process without an exception."""


def connected(address: str) -> Any:
    """Join the cluster and return the module `ray`.

    Raises:
        InputError: the extra is missing, no cluster answers, or its addresses cannot be reached from here.
    """
    try:
        ray: Any = import_module("ray")
    except ImportError:
        raise InputError("executor 'ray': install the extra `ray` (pip install 'vgbench[ray]')") from None
    _try_to_join(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise _no_cluster(address, first_line(error)) from None
    return ray


def _try_to_join(address: str) -> None:
    """Have another process join the cluster and leave it, before this one does.

    Raises:
        InputError: no cluster answers, or its head advertises an address that cannot be reached from here.
    """
    command = [sys.executable, "-c", _JOIN, address]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout is not None
        lines = (line.strip() for line in process.stdout)
        next((line for line in lines if line == "imported"), "")  # however long that takes
        stopped = threading.Timer(_JOIN_SECONDS, process.kill)
        stopped.start()
        try:
            said = next((line for line in lines if line.startswith(("joined", "refused"))), "")
        finally:
            stopped.cancel()
            process.kill()
    if said.startswith("refused"):
        raise _no_cluster(address, said.removeprefix("refused").strip())
    if said != "joined":
        raise InputError(
            f"the Ray cluster at {address!r} does not let this host join it: its head, or this host's node, advertises"
            " an address that cannot be reached from here; `ray start` takes one that every host can reach as"
            " --node-ip-address"
        )


def _no_cluster(address: str, reason: str) -> InputError:
    return InputError(f"no Ray cluster answers at {address!r} ({reason}); `ray start --head` makes one")


def check_reachable(ray: Any) -> None:
    """Make sure that every node can be reached at the address that it advertises: a worker there could never begin.

    Raises:
        InputError: one cannot.
    """
    places = {(node["NodeManagerAddress"], node["NodeManagerPort"]) for node in ray.nodes() if node["Alive"]}
    with ThreadPoolExecutor(len(places) or 1) as pool:
        reached = dict(zip(places, pool.map(answers, places), strict=True))
    lost = sorted(f"{host}:{port}" for (host, port), answers in reached.items() if not answers)
    if lost:
        raise InputError(
            f"nodes of the Ray cluster cannot be reached from here at the addresses that they advertise:"
            f" {', '.join(lost)}; `ray start` takes one that every host can reach as --node-ip-address"
        )


def answers(place: tuple[str, int], seconds: float = _REACH_SECONDS) -> bool:
    """Whether a host accepts a connection at this port."""
    try:
        socket.create_connection(place, timeout=seconds).close()
    except OSError:
        return False
    return True


def first_line(error: BaseException) -> str:
    """The first line of an error that says something, or the name of its type."""
    lines = [line.strip() for line in f"{error}".splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
