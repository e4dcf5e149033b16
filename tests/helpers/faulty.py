"""A plug-in whose activations go wrong in every way, and the command line called beside it in a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

MODULE = '''
import os
import sys
import time

import jax
import jax.numpy as jnp

from vgbench.spec.registry import ACTIVATIONS


@ACTIVATIONS.register(source="None 2026")
def exits(z):
    """Ends its process as a script does."""
    sys.exit(3)


@ACTIVATIONS.register(source="None 2026")
def dies(z):
    """Kills its process."""
    os.kill(os.getpid(), 9)


@ACTIVATIONS.register(source="None 2026")
def leaves(z):
    """Ends its process at once, as if all were well."""
    os._exit(0)


@ACTIVATIONS.register(source="None 2026")
def hangs(z):
    """Never returns."""
    while True:
        time.sleep(0.01)


@ACTIVATIONS.register(source="None 2026")
def nan(z):
    """Not a number."""
    return z * jnp.nan


@jax.custom_jvp
def _unknown(z):
    return jax.ffi.ffi_call("no_such_target", jax.ShapeDtypeStruct(z.shape, z.dtype), vmap_method="broadcast_all")(z)


_unknown.defjvp(lambda primals, tangents: (_unknown(*primals), tangents[0]))


@ACTIVATIONS.register(source="None 2026")
def uncompilable(z):
    """Calls what no compiler knows."""
    return _unknown(z)
'''
BASELINE = """
title = "Faults"
question = "What survives?"
[baseline]
depth = 2
width = 4
steps = 0
learning_rates = []
data = { name = "gaussian", features = 4, examples = 16 }
batch_size = 8
seeds = [0]
"""


def install(site: Path) -> Path:
    """Put the plug-in into a folder, as pip would."""
    information = site / "faults-1.0.dist-info"
    information.mkdir(parents=True)
    (site / "faults.py").write_text(MODULE)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: faults\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[vgbench.plugins]\nfaults = faults\n")
    return site


def suite(folder: Path, mitigations: dict[str, str], more: str = "") -> Path:
    """Write a suite of the baseline and these mitigations."""
    lines = "\n".join(f"{name} = {patch}" for name, patch in mitigations.items())
    path = folder / "faults.toml"
    path.write_text(f"{BASELINE}\n[mitigations]\n{lines}\n{more}")
    return path


def start(site: Path, *arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
    """Start the command in a process group of its own."""
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": path, "COLUMNS": "200"}
    command = [sys.executable, "-m", "vgbench", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    return subprocess.Popen(command, env=environment, cwd=site, **pipes, **options)


def call(site: Path, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Call the command and wait for it."""
    process = start(site, *arguments, **options)
    out, err = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def workers_of(pid: int) -> Sequence[int]:
    """The processes that a runner has spawned."""
    found = []
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children():
            with suppress(psutil.NoSuchProcess):  # it may end meanwhile
                found += [child.pid] if "spawn_main" in " ".join(child.cmdline()) else []
    return found


def kill(pid: int) -> None:
    """End a process as the kernel does."""
    os.kill(pid, signal.SIGKILL)


def without_privileges() -> None:
    """Have permissions hold for root, too (Linux): for `preexec_fn`."""
    if os.geteuid() == 0:
        import ctypes

        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            if ctypes.CDLL(None).prctl(24, capability, 0, 0, 0):  # PR_CAPBSET_DROP
                raise OSError("cannot drop a capability")
