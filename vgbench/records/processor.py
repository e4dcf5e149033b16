"""The host's processor: its name, and what distinguishes it from others with the same name.

The operating system reports it in milliseconds. Libraries do not fit: py-cpuinfo starts processes that run machine
code, and does not know the instruction sets of Apple's and Windows' Arm processors; archspec renames a processor once
it knows it better, but the device of a record must stay the same.
"""

import ctypes
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_SETS = re.compile("sse4_|avx|fma|f16c|amx|asimd|advsimd|neon|fp16|fphp|fhm|dotprod|i8mm|bf16|sve|sme(?!p)")
"""Prefixes of the instruction sets that compiled arithmetic uses, on all systems (smep is not one of them)."""
_PROC = {
    "vendor_id": "",
    "cpu family": "family",
    "model": "model",
    "stepping": "stepping",
    "CPU implementer": "implementer",
    "CPU part": "part",
    "CPU variant": "variant",
    "CPU revision": "revision",
}
_SYSCTL = {
    "machdep.cpu.vendor": "",
    "machdep.cpu.family": "family",
    "machdep.cpu.model": "model",
    "machdep.cpu.stepping": "stepping",
    "hw.cpufamily": "cpufamily",
    "hw.cpusubfamily": "cpusubfamily",
}
"""The fields that identify a processor, with their names in a record; first those of x86, then those of Arm."""
_REGISTRY = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
_WINDOWS = {
    38: "sse4_2",
    39: "avx",
    40: "avx2",
    41: "avx512f",
    43: "asimddp",
    46: "sve",
    47: "sve2",
    66: "i8mm",
    67: "fphp",
    68: "bf16",
    70: "sme",
    71: "sme2",
}
"""Instruction sets by their PF_* constants in winnt.h, with Linux's names; Windows reports no others of interest."""


@dataclass(frozen=True)
class Processor:
    """A processor, described in the same way on every host that has it.

    Attributes:
        name: the manufacturer's name; several models may share one, above all in virtual machines.
        model: vendor, family, model and stepping, or similar properties.
        instructions: the instruction sets for arithmetic that the operating system lets programs use, sorted.
    """

    name: str
    model: str
    instructions: tuple[str, ...]


@cache
def processor() -> Processor:
    """The processor of this host; only the architecture's name if the system reports no more."""
    with suppress(OSError):
        if sys.platform == "linux":
            return from_proc(Path("/proc/cpuinfo").read_text())
        if sys.platform == "darwin":
            # It exits with an error if one of the names is unknown, which happens on every architecture.
            command = ["/usr/sbin/sysctl", "machdep.cpu", "hw.cpufamily", "hw.cpusubfamily", "hw.optional"]
            return from_sysctl(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
        if sys.platform == "win32":
            import winreg

            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, _REGISTRY) as key:
                names = "ProcessorNameString", "VendorIdentifier", "Identifier"
                values = [str(winreg.QueryValueEx(key, name)[0]) for name in names]
            return from_registry(*values, has=ctypes.windll.kernel32.IsProcessorFeaturePresent)
    return _processor("", "", ())


def from_proc(text: str) -> Processor:
    """Read Linux's /proc/cpuinfo; if cores differ: all their models, and the instruction sets that all cores have."""
    cores = [core for core in map(_fields, text.split("\n\n")) if "processor" in core]
    models = sorted({_model(core, _PROC) for core in cores})
    sets = [set((core.get("flags") or core.get("Features", "")).split()) for core in cores]
    name = cores[0].get("model name", "") if cores else ""
    return _processor(name, " + ".join(models), set.intersection(*sets) if sets else ())


def from_sysctl(text: str) -> Processor:
    """Read the output of macOS' sysctl for `machdep.cpu`, `hw.cpufamily`, `hw.cpusubfamily` and `hw.optional`."""
    fields = _fields(text)
    names = (name.rpartition(".")[2].lower() for name, value in fields.items() if value == "1" and "optional" in name)
    sets = (re.sub("1?_0$", "", name.removeprefix("feat_")) for name in names)  # avx1_0 and avx2_0 on Intel's
    return _processor(fields.get("machdep.cpu.brand_string", ""), _model(fields, _SYSCTL), sets)


def from_registry(name: str, vendor: str, identifier: str, has: Callable[[int], int]) -> Processor:
    """Read the processor's values in the Windows registry; `has` is IsProcessorFeaturePresent."""
    return _processor(name, f"{vendor}, {identifier}", (word for number, word in _WINDOWS.items() if has(number)))


def _fields(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


def _model(fields: Mapping[str, str], words: Mapping[str, str]) -> str:
    return " ".join(f"{word} {fields[name]}".strip() for name, word in words.items() if name in fields)


def _processor(name: str, model: str, instructions: Iterable[str]) -> Processor:
    machine = platform.machine()
    kept = tuple(sorted({each for each in instructions if _SETS.match(each)}))
    return Processor(" ".join(name.split()) or platform.processor() or machine, model or machine, kept)
