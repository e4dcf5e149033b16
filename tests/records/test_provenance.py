"""Provenance: what produced a record, stated without naming the machine."""

import hashlib
import json
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import astuple, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import pytest

import vgbench
from vgbench.errors import InputError
from vgbench.measure.numerics import usable_cores
from vgbench.records import provenance as module
from vgbench.records.origin import Device, Provenance, device_names
from vgbench.records.processor import processor
from vgbench.records.provenance import describe_device, find_device, provenance, source_digest
from vgbench.records.schema import Manifest
from vgbench.records.store import read_record, write_record


class Chip:
    """An accelerator as jax describes it; of its memory jax takes the usual share."""

    platform = "gpu"
    device_kind = "NVIDIA H100 80GB HBM3"
    compute_capability = "9.0"
    core_count = 132
    memory = 79.1 * 2**30

    def memory_stats(self) -> dict[str, int] | None:
        return {"bytes_limit": int(self.memory * 0.75)}


class Slice(Chip):
    """A slice of it, which CUDA gives a name of its own."""

    device_kind = "NVIDIA H100 80GB HBM3 MIG 1g.10gb"
    core_count = 16
    memory = 9.8 * 2**30


class Tpu:
    """One that says less of itself, and keeps no statistics."""

    platform = "tpu"
    device_kind = "TPU v4"

    def memory_stats(self) -> dict[str, int] | None:
        return None


EPYC = Device("cpu", "AMD EPYC", 2, "AuthenticAMD family 25 model 1 stepping 1", ("avx2", "fma"))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the package that a test may change, in place of the real one."""
    original = module._PACKAGE
    copy = shutil.copytree(original, tmp_path / "vgbench", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(module, "_PACKAGE", copy)
    source_digest.cache_clear()
    yield copy
    source_digest.cache_clear()


def fresh_digest() -> str:
    source_digest.cache_clear()
    return source_digest("cell")


@pytest.mark.parametrize(
    ("device", "slug"),
    [
        (Device("cpu", "Intel(R) Xeon(R) Processor", 2), "cpu-intel-r-xeon-r-processor-2"),
        (Device("gpu", "NVIDIA H100 80GB HBM3", 8), "gpu-nvidia-h100-80gb-hbm3-8"),
        (Device("tpu", "TPU v4", 4), "tpu-tpu-v4-4"),
        (Device("cpu", "../..\\x: y/é", 1), "cpu-x-y-1"),
        (EPYC, f"cpu-amd-epyc-2-{EPYC.code}"),
    ],
)
def test_slug_is_a_plain_name_of_a_folder(device: Device, slug: str) -> None:
    assert device.slug == slug


def test_devices_of_different_count_have_different_slugs() -> None:
    assert Device("gpu", "H100", 1).slug != Device("gpu", "H100", 8).slug


@pytest.mark.parametrize(
    "other",
    [
        {"model": "AuthenticAMD family 26 model 2 stepping 1"},
        {"instructions": ("avx2", "avx512f", "fma")},
        {"model": None, "instructions": ()},
    ],
)
def test_devices_of_one_name_share_no_folder_no_record_and_no_name_side_by_side(other: dict[str, Any]) -> None:
    there = replace(EPYC, **other)
    assert str(there) == str(EPYC)
    assert there.slug != EPYC.slug
    names = device_names([EPYC, there, EPYC])
    assert names == {EPYC: EPYC.long_name, there: there.long_name}
    assert names[EPYC] != names[there]
    reported = replace(ORIGIN, device=EPYC).differences(replace(ORIGIN, device=there), "cost")
    assert reported == [f"the device {there.long_name} -> {EPYC.long_name}"]


def test_name_is_short_where_no_other_device_has_it() -> None:
    other = Device("gpu", "H100", 1, "compute capability 9.0")
    assert device_names([EPYC, other]) == {EPYC: "AMD EPYC (2 CPU cores)", other: "H100 (1 gpu device(s))"}
    assert Device("cpu", "Xeon", 2).long_name == "Xeon (2 CPU cores) [model unknown]"


def test_code_is_the_same_on_every_machine() -> None:
    assert EPYC.code == "9b197d"


def test_record_from_before_the_model_was_kept_is_read_with_an_unknown_one(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    write_record(path, Manifest("s", "S", "?", (), ORIGIN))
    content = json.loads(path.read_text())
    for name in ("model", "instructions"):
        del content["record"]["provenance"]["device"][name]
    del content["schema"]  # which version 1 did not have
    digest = hashlib.sha256(json.dumps(content["record"], sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps(content | {"digest": digest}))
    assert read_record(path, Manifest).provenance.device == Device("cpu", "Xeon", 2, None, ())


def test_record_keeps_the_model_and_the_instruction_sets(tmp_path: Path) -> None:
    write_record(tmp_path / "manifest.json", Manifest("s", "S", "?", (), replace(ORIGIN, device=EPYC)))
    assert read_record(tmp_path / "manifest.json", Manifest).provenance.device == EPYC


def test_device_is_written_in_words() -> None:
    assert str(Device("cpu", "Xeon", 2)) == "Xeon (2 CPU cores)"
    assert str(Device("gpu", "H100", 8)) == "H100 (8 gpu device(s))"


def test_cpu_is_described_by_its_model_and_usable_cores() -> None:
    device = describe_device(jax.devices("cpu")[0])
    assert (device.platform, device.count) == ("cpu", usable_cores())
    assert (device.kind, device.model, device.instructions) == astuple(processor())
    assert socket.gethostname() not in (device.kind, device.model)


@pytest.mark.parametrize(
    ("chip", "model"),
    [
        (Chip(), "compute capability 9.0, 132 multiprocessors, 79 GiB"),
        (Slice(), "compute capability 9.0, 16 multiprocessors, 10 GiB"),
        (Tpu(), "TPU v4"),
    ],
)
def test_accelerator_is_described_by_its_kind_count_and_model(
    monkeypatch: pytest.MonkeyPatch, chip: Any, model: str
) -> None:
    monkeypatch.setattr(jax, "devices", lambda name: [chip] * 3 if name == chip.platform else [])
    assert describe_device(chip) == Device(chip.platform, chip.device_kind, 3, model)


@pytest.mark.parametrize("name", ["XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION"])
def test_memory_is_the_devices_own_whatever_share_of_it_jax_takes(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    chip = Chip()
    monkeypatch.setattr(jax, "devices", lambda name: [chip])
    whole = describe_device(chip)
    monkeypatch.setenv(name, "0.5")
    monkeypatch.setattr(chip, "memory_stats", lambda: {"bytes_limit": int(chip.memory * 0.5)})
    assert describe_device(chip) == whole
    monkeypatch.setattr(chip, "memory_stats", lambda: {"bytes_limit": int(chip.memory * 0.25)})
    assert describe_device(chip).code != whole.code


@pytest.mark.parametrize("spec", [None, "cpu", "cpu:0"])
def test_first_device_is_found(spec: str | None) -> None:
    assert find_device(spec) == jax.devices()[0]


def test_device_of_a_number_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax, "devices", lambda name: [f"{name} {i}" for i in range(3)])
    assert find_device("gpu:2") == "gpu 2"
    with pytest.raises(InputError, match=r"^device: 'gpu:3' is out of range \(there are 3, counted from 0\)$"):
        find_device("gpu:3")


@pytest.mark.parametrize("spec", ["", "gpu:", "gpu:-1", "gpu:x", "CPU", "cuda", " cpu", "cpu\n", "cpu:0:1"])
def test_text_that_names_no_device_is_refused(spec: str) -> None:
    with pytest.raises(InputError) as caught:
        find_device(spec)
    assert str(caught.value) == (
        f"device: {spec!r} is not one of cpu, gpu, tpu, or one of them with a number such as gpu:1"
    )


@pytest.mark.parametrize("spec", ["gpu", "tpu", "gpu:1"])
def test_device_that_is_not_there_names_the_one_that_is(spec: str) -> None:
    with pytest.raises(InputError, match=rf"^device: this machine has no {spec[:3]} \(there is: cpu\)$"):
        find_device(spec)


def test_provenance_holds_versions_and_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--xla_something=1")
    origin = provenance(jax.devices()[0])
    assert (origin.vgbench, origin.python) == (vgbench.__version__, platform.python_version())
    assert origin.packages == {name: version(name) for name in ("jax", "jaxlib", "flax", "optax", "numpy")}
    assert origin.xla_flags == "--xla_something=1"
    assert origin.source == {kind: source_digest(kind) for kind in ("cell", "cost")}
    assert origin.cpu.endswith(f" ({usable_cores()} cores)")
    assert origin.memory_bytes is None or origin.memory_bytes > 2**30
    assert origin.driver is None
    assert origin.device == describe_device(jax.devices()[0])


ORIGIN = Provenance(
    "0.1",
    "abc-dirty",
    {"cell": "f" * 16, "cost": "e" * 16},
    "3.11",
    {"jax": "1", "numpy": "2"},
    Device("cpu", "Xeon", 2),
    "Xeon (2 cores)",
    3 * 2**30,
    None,
    "",
)


def test_provenance_in_words_names_device_versions_commit_and_flags() -> None:
    assert str(ORIGIN) == "Xeon (2 CPU cores), 3 GiB; vgbench 0.1 (commit abc-dirty); Python 3.11, jax 1, numpy 2"
    assert str(replace(ORIGIN, device=EPYC)).startswith(
        f"AMD EPYC (2 CPU cores), AuthenticAMD family 25 model 1 stepping 1 [{EPYC.code}], 3 GiB; vgbench 0.1 "
    )
    there = {"device": Device("gpu", "H100", 1), "driver": "cuda 13", "memory_bytes": None, "xla_flags": "--x"}
    assert str(replace(ORIGIN, **there)) == (
        "H100 (1 gpu device(s)) on Xeon (2 cores); cuda 13; vgbench 0.1 (commit abc-dirty);"
        " Python 3.11, jax 1, numpy 2; XLA_FLAGS --x"
    )


@pytest.mark.parametrize(
    ("fields", "reported"),
    [
        ({}, []),
        ({"commit": "def", "memory_bytes": 1, "vgbench": "9"}, []),
        ({"source": {"cell": "0", "cost": "e" * 16}}, ["vgbench's own source"]),
        ({"source": {"cell": "f" * 16, "cost": "0"}}, []),
        ({"packages": {"jax": "1", "flax": "3"}}, ["flax none -> 3", "numpy 2 -> none"]),
        ({"xla_flags": "--x"}, ["XLA_FLAGS '' -> '--x'"]),
    ],
)
def test_what_may_change_a_measurement_is_reported_and_nothing_else(
    fields: dict[str, Any], reported: list[str]
) -> None:
    assert replace(ORIGIN, **fields).differences(ORIGIN, "cell") == reported


def modules_behind(*names: str) -> set[str]:
    """The files of vgbench that importing these modules, and registering all members, loads."""
    source = (
        f"import sys, {', '.join(names)}\n"
        "import vgbench.spec.case as case; case.Case()\n"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('vgbench.')))"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    return {Path(file).relative_to(module._PACKAGE).as_posix() for file in done.stdout.split()}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            "cell",
            tuple(
                f"vgbench.measure.{name}" for name in ("gradients", "forward", "profiles", "training", "coordinates")
            ),
        ),
        ("cost", ("vgbench.measure.timing",)),
    ],
)
def test_digest_covers_all_that_a_measurement_loads_and_of_measure_nothing_else(
    package: Path, kind: Any, names: tuple[str, ...]
) -> None:
    module._PACKAGE = Path(vgbench.__file__).parent
    # These only speak, load, show, and check what is read; of rooms that do more than measure, the face says nothing.
    faces = {f"{room}/__init__.py" for room in ("spec", "instruments", "pictures")}
    checks = {path.relative_to(package).as_posix() for path in (package / "boundary").glob("*.py")}
    others = {"errors.py", "plain.py", "spec/plugins.py", "pictures/display.py"}
    loaded = modules_behind(*names) - others - faces - checks
    module._PACKAGE = package
    for file in sorted(path.relative_to(package).as_posix() for path in package.rglob("*.py")):
        source_digest.cache_clear()
        before = source_digest(kind)
        with (package / file).open("a") as opened:
            opened.write("# changed\n")
        source_digest.cache_clear()
        covered = source_digest(kind) != before
        assert covered or file not in loaded, file
        if file.startswith("measure/"):
            assert covered == (file in loaded), file


def test_commit_is_none_outside_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PACKAGE", tmp_path / "vgbench")
    module._commit.cache_clear()
    assert module._commit() is None
    module._commit.cache_clear()


def test_digest_is_sixteen_hexadecimal_digits_and_stable() -> None:
    assert fresh_digest() == fresh_digest()
    assert len(source_digest("cell")) == 16
    assert int(source_digest("cell"), 16) >= 0


def test_digest_does_not_depend_on_where_the_package_lies(package: Path) -> None:
    here = fresh_digest()
    moved = package.rename(package.parent / "elsewhere")
    module._PACKAGE = moved
    assert fresh_digest() == here


@pytest.mark.parametrize(
    "name", ["spec/case.py", "instruments/probe.py", "measure/gradients.py", "models/mlp.py", "data/digits.py"]
)
def test_digest_changes_with_the_source_that_measures(package: Path, name: str) -> None:
    before = fresh_digest()
    with (package / name).open("a") as file:
        file.write("# changed\n")
    assert fresh_digest() != before


def test_digest_changes_with_a_new_or_renamed_file(package: Path) -> None:
    digests = [fresh_digest()]
    (package / "mitigations" / "new.py").write_text("x = 1\n")
    digests.append(fresh_digest())
    (package / "mitigations" / "new.py").rename(package / "mitigations" / "newer.py")
    digests.append(fresh_digest())
    assert len(set(digests)) == 3


@pytest.mark.parametrize("name", ["report/tables.py", "cli/run.py", "spec/suite.py", "spec/suites/quickstart.toml"])
def test_digest_ignores_what_does_not_measure(package: Path, name: str) -> None:
    before = fresh_digest()
    with (package / name).open("a") as file:
        file.write("# changed\n")
    assert fresh_digest() == before
