"""The host's processor: the name that its maker gives it, and what tells it from others of that name.

Read from the operating system's own words, which takes milliseconds. Libraries for this start processes that run
machine code and know no instruction sets of Apple's and Windows' Arm processors (py-cpuinfo), or give a processor
another name once they know it better (archspec), while a record's device must stay what it is.
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
"""How the names of those instruction sets begin that compiled arithmetic uses, on any system; smep is none of them."""
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
"""The fields that identify a processor and the words for them; x86 has those of the upper half, Arm the others."""
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
"""Instruction sets by their PF_* constants in winnt.h, named as Linux names them; Windows knows of no others here."""


@dataclass(frozen=True)
class Processor:
    """A processor in words that are the same on every machine that has it.

    Attributes:
        name: that its maker gives it; several models may share one, above all in virtual machines.
        model: vendor, family, model and stepping, or the like.
        instructions: the sets of instructions for arithmetic that the operating system lets programs use, sorted.
    """

    name: str
    model: str
    instructions: tuple[str, ...]


@cache
def processor() -> Processor:
    """The processor of this host; where the system does not say more, the architecture's name."""
    with suppress(OSError):
        if sys.platform == "linux":
            return from_proc(Path("/proc/cpuinfo").read_text())
        if sys.platform == "darwin":
            # It ends with an error where one of them is unknown, as some are on each architecture.
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
    """Read Linux's /proc/cpuinfo; of cores that differ all models count, and the instruction sets of all."""
    cores = [core for core in map(_fields, text.split("\n\n")) if "processor" in core]
    models = sorted({_model(core, _PROC) for core in cores})
    sets = [set((core.get("flags") or core.get("Features", "")).split()) for core in cores]
    name = cores[0].get("model name", "") if cores else ""
    return _processor(name, " + ".join(models), set.intersection(*sets) if sets else ())


def from_sysctl(text: str) -> Processor:
    """Read what macOS' sysctl says of `machdep.cpu`, `hw.cpufamily`, `hw.cpusubfamily` and `hw.optional`."""
    fields = _fields(text)
    names = (name.rpartition(".")[2].lower() for name, value in fields.items() if value == "1" and "optional" in name)
    sets = (re.sub("1?_0$", "", name.removeprefix("feat_")) for name in names)  # avx1_0 and avx2_0 on Intel's
    return _processor(fields.get("machdep.cpu.brand_string", ""), _model(fields, _SYSCTL), sets)


def from_registry(name: str, vendor: str, identifier: str, has: Callable[[int], int]) -> Processor:
    """Read what Windows keeps of a processor in its registry; `has` is IsProcessorFeaturePresent."""
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
