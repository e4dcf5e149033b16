"""What a processor is, read from the words of each operating system."""

import ctypes
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vgbench.records import processor as module
from vgbench.records.processor import Processor, from_proc, from_registry, from_sysctl, processor

EPYC = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: {family}
model\t\t: {model}
model name\t: AMD EPYC
stepping\t: {stepping}
cpu MHz\t\t: 2596.120
flags\t\t: fpu sse2 sse4_2 avx smep fma f16c {sets}
bugs\t\t: spectre_v1

"""
ARM = """processor\t: {core}
BogoMIPS\t: 2100.00
Features\t: fp asimd evtstrm aes {sets}
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x1
CPU part\t: {part}
CPU revision\t: 1

"""
M2 = """machdep.cpu.cores_per_package: 8
machdep.cpu.core_count: 8
machdep.cpu.brand_string: Apple M2
hw.cpufamily: 3660830781
hw.cpusubfamily: 2
hw.optional.arm.FEAT_BF16: 1
hw.optional.arm.FEAT_I8MM: 1
hw.optional.arm.FEAT_SME: 0
hw.optional.arm.FEAT_LSE: 1
hw.optional.arm.AdvSIMD: 1
hw.optional.floatingpoint: 1
"""
INTEL_MAC = """machdep.cpu.vendor: GenuineIntel
machdep.cpu.family: 6
machdep.cpu.model: 158
machdep.cpu.stepping: 10
machdep.cpu.brand_string: Intel(R) Core(TM) i7-8700B CPU @ 3.20GHz
hw.cpufamily: 260141638
hw.optional.avx1_0: 1
hw.optional.avx2_0: 1
hw.optional.avx512f: 0
hw.optional.fma: 1
hw.optional.sse4_2: 1
"""


def epyc(family: int = 25, model: int = 1, stepping: int = 1, sets: str = "avx2", cores: int = 2) -> Processor:
    return from_proc(EPYC.format(family=family, model=model, stepping=stepping, sets=sets) * cores)


def arm(*parts: str, sets: str = "sve bf16 i8mm") -> Processor:
    return from_proc("".join(ARM.format(core=i, part=part, sets=sets) for i, part in enumerate(parts)))


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    processor.cache_clear()
    yield
    processor.cache_clear()


def test_linux_on_x86() -> None:
    sets = ("amx_tile", "avx", "avx2", "avx512f", "f16c", "fma", "sse4_2")
    assert epyc(sets="avx2 avx512f amx_tile") == Processor(
        "AMD EPYC", "AuthenticAMD family 25 model 1 stepping 1", sets
    )


@pytest.mark.parametrize(
    "other", [{"family": 26}, {"model": 17}, {"stepping": 2}, {"sets": "avx2 avx512f"}, {"sets": "avx2 amx_tile"}]
)
def test_processors_of_one_name_differ_by_model_and_instruction_sets(other: dict[str, Any]) -> None:
    assert epyc(**other).name == epyc().name
    assert epyc(**other) != epyc()


def test_processor_is_the_same_whatever_the_number_of_cores_and_what_is_no_arithmetic() -> None:
    assert epyc(cores=8) == epyc() == epyc(sets="avx2 ibrs umip")


def test_linux_on_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "processor", str)
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    model = "implementer 0x41 part 0xd40 variant 0x1 revision 1"
    assert arm("0xd40", "0xd40") == Processor("aarch64", model, ("asimd", "bf16", "i8mm", "sve"))
    assert arm("0xd40", "0xd40") != arm("0xd4f", "0xd4f")
    assert arm("0xd40") != arm("0xd40", sets="bf16 i8mm")


def test_cores_of_several_kinds_are_all_named_and_offer_what_they_share() -> None:
    big = ARM.format(core=0, part="0xd47", sets="sve")
    little = ARM.format(core=1, part="0xd46", sets="")
    both = from_proc(big + little)
    assert both == from_proc(little + big)
    assert [model.split()[3] for model in both.model.split(" + ")] == ["0xd46", "0xd47"]
    assert both.instructions == ("asimd",)


def test_macos() -> None:
    apple = from_sysctl(M2)
    assert apple == Processor("Apple M2", "cpufamily 3660830781 cpusubfamily 2", ("advsimd", "bf16", "i8mm"))
    assert from_sysctl(M2.replace("FEAT_SME: 0", "FEAT_SME: 1")).instructions == ("advsimd", "bf16", "i8mm", "sme")
    intel = from_sysctl(INTEL_MAC)
    assert intel.name == "Intel(R) Core(TM) i7-8700B CPU @ 3.20GHz"
    assert intel.model == "GenuineIntel family 6 model 158 stepping 10 cpufamily 260141638"
    assert intel.instructions == ("avx", "avx2", "fma", "sse4_2")


def test_windows() -> None:
    words = "Intel(R) Xeon(R) Gold 6248  ", "GenuineIntel", "Intel64 Family 6 Model 85 Stepping 7"
    found = from_registry(*words, has=lambda number: int(number in (39, 40, 41, 17)))
    model = "GenuineIntel, Intel64 Family 6 Model 85 Stepping 7"
    assert found == Processor("Intel(R) Xeon(R) Gold 6248", model, ("avx", "avx2", "avx512f"))


def test_this_host_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []

    def read(path: Path) -> str:
        reads.append(str(path))
        return EPYC.format(family=25, model=1, stepping=1, sets="avx2")

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(Path, "read_text", read)
    assert processor() == processor() == epyc()
    assert reads == ["/proc/cpuinfo"]


def test_macos_is_asked_by_sysctl_which_may_miss_some_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def ran(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert command[0].endswith("sysctl")
        return subprocess.CompletedProcess(command, 1, stdout=M2, stderr="unknown oid")

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(subprocess, "run", ran)
    assert processor() == from_sysctl(M2)


def test_windows_is_asked_by_its_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"ProcessorNameString": "Snapdragon X", "VendorIdentifier": "Qualcomm", "Identifier": "ARMv8 Model 1"}

    @contextmanager
    def opened(root: str, path: str) -> Iterator[str]:
        assert (root, path) == ("HKLM", module._REGISTRY)
        yield "key"

    registry = {"HKEY_LOCAL_MACHINE": "HKLM", "OpenKey": opened, "QueryValueEx": lambda key, name: (values[name], 1)}
    kernel = SimpleNamespace(IsProcessorFeaturePresent=lambda number: number == 46)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "winreg", SimpleNamespace(**registry))
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    assert processor() == Processor("Snapdragon X", "Qualcomm, ARMv8 Model 1", ("sve",))


@pytest.mark.parametrize("system", ["linux", "darwin", "freebsd14"])
def test_system_that_says_nothing_leaves_the_architecture(monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise FileNotFoundError

    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(Path, "read_text", fails)
    monkeypatch.setattr(subprocess, "run", fails)
    monkeypatch.setattr(platform, "processor", str)
    monkeypatch.setattr(platform, "machine", lambda: "amd64")
    assert processor() == Processor("amd64", "amd64", ())


@pytest.mark.parametrize("text", ["", "\n\n", "Hardware\t: BCM2711\n", "processor\t: 0\nnonsense\n"])
def test_text_without_the_usual_fields_is_read_without_failing(text: str) -> None:
    assert from_proc(text).instructions == ()
    assert from_proc(text).model == platform.machine()
