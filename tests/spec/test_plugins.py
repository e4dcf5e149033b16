"""Plug-ins: CONTRIBUTING.md's package is built, installed and measured; one that fails is named, whatever it does."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import pytest
from helpers.contributing import PLUGIN, snippet

import vgbench as vg
from vgbench.cli import main
from vgbench.errors import InputError
from vgbench.records.provenance import provenance
from vgbench.spec import registry
from vgbench.spec.plugins import Package, Plugins
from vgbench.spec.registry import ACTIVATIONS, NORMS

SUITE = """
title = "Tiny"
question = "Does it run?"
[baseline]
depth = 2
width = 4
activation = "squareplus"
steps = 0
data = { name = "gaussian", features = 4, examples = 16 }
batch_size = 8
seeds = [0]
"""
CUBE = '''
from vgbench.spec.registry import ACTIVATIONS

@ACTIVATIONS.register(source="Nobody 1999")
def cube(z):
    """The third power."""
    return z**3
'''


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the package of CONTRIBUTING.md is installed by pip."""
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    (source / "pyproject.toml").write_text(PLUGIN)
    (source / "vgbench_squareplus.py").write_text(snippet("squareplus"))
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    pip = [sys.executable, "-m", "pip", "install", "-q", *offline, "--target", str(site), str(source)]
    subprocess.run(pip, check=True)
    return site


def command(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call vgbench in a process of its own that sees what is installed in `site`."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(site), "COLUMNS": "200"}
    vgbench = [sys.executable, "-m", "vgbench", *arguments]
    return subprocess.run(vgbench, capture_output=True, text=True, check=False, env=environment, cwd=site)


def test_installed_package_is_listed_behind_the_source_of_its_members_alone(site: Path) -> None:
    done = command(site, "list", "activation", "--sources")
    lines = [line for line in done.stdout.splitlines() if "vgbench-squareplus" in line]
    assert len(lines) == 1, done.stderr
    assert [cell.strip() for cell in lines[0].split("│")[1:-1]] == [
        "activation",
        "squareplus",
        "Smooth rectifier (z + sqrt(z^2 + 4)) / 2, with derivative 1/2 at zero.",
        "Barron 2021 (vgbench-squareplus 1.0)",
    ]


def test_installed_package_is_measured_and_its_version_recorded(site: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(SUITE)
    out = tmp_path / "out"
    done = command(site, "run", str(tmp_path / "tiny.toml"), "--out", str(out), "--precision", "1")
    assert done.returncode == 0, done.stderr
    (cell,) = out.glob("*/cells/*.json")
    record = json.loads(cell.read_text())["record"]
    assert record["case"]["activation"] == {"name": "squareplus"}
    assert record["status"] == "ok"
    assert record["provenance"]["packages"].pop("vgbench-squareplus") == "1.0"
    assert record["provenance"]["packages"] == provenance(jax.devices()[0]).packages
    assert ", vgbench-squareplus 1.0" in (out / "table.md").read_text()
    with pytest.raises(
        InputError, match=r"or with a plug-in that is not installed \(case\.activation: unknown activation 'squareplus'"
    ):
        vg.load(out)


# In this process, packages are a module and the metadata by which Python finds its entry points.


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scratch_registries: None) -> Iterator[Callable[..., None]]:
    """Put plug-ins on the path and have them loaded afresh."""
    modules = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)

    def install(name: str, code: str) -> None:
        (tmp_path / f"{name}.py").write_text(code)
        metadata = tmp_path / f"{name}-1.2.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (metadata / "entry_points.txt").write_text(f"[vgbench.plugins]\nentry = {name}\n")
        monkeypatch.setattr(registry, "PLUGINS", Plugins("vgbench.plugins"))

    yield install
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def test_member_of_a_plug_in_is_one_of_its_slot(install: Callable[..., None]) -> None:
    install("cubes", CUBE)
    case = vg.Case(activation="cube", depth=2, width=4)
    assert ACTIVATIONS.build(case.activation, 3) == 27
    assert ACTIVATIONS["cube"].source == "Nobody 1999 (cubes 1.2)"
    assert provenance(jax.devices()[0]).packages["cubes"] == "1.2"


def test_plug_in_is_imported_once_when_a_registry_is_read(install: Callable[..., None]) -> None:
    install("cubes", f"{CUBE}\nimport sys\nsys.imported = getattr(sys, 'imported', 0) + 1\n")
    assert not hasattr(sys, "imported")
    try:
        for _ in range(2):
            assert list(NORMS)
            assert registry.PLUGINS.load() == (Package("cubes", "1.2"),)
        assert sys.imported == 1  # pyright: ignore[reportAttributeAccessIssue]
    finally:
        del sys.imported  # pyright: ignore[reportAttributeAccessIssue]


def test_plug_in_may_read_registries_while_it_is_imported(install: Callable[..., None]) -> None:
    reading = "from vgbench import Case\nassert Case(activation={!r}).norm.name == 'none'\n"
    install("cubes", reading.format("relu") + CUBE + reading.format("cube"))
    install("squares", CUBE.replace("cube", "square"))
    assert {member.name: member.source for member in ACTIVATIONS}["square"] == "Nobody 1999 (squares 1.2)"
    assert ACTIVATIONS["cube"].source == "Nobody 1999 (cubes 1.2)"


def test_members_that_are_registered_later_are_nobodys(install: Callable[..., None]) -> None:
    install("cubes", CUBE)
    assert registry.PLUGINS.load()

    @ACTIVATIONS.register(source="Nobody 2000")
    def fourth(z: float) -> float:
        return z**4

    assert ACTIVATIONS["fourth"].source == "Nobody 2000"


FAILING = [
    ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
    ("1 / 0", "ZeroDivisionError: division by zero"),
    ("raise ValueError('one\\ntwo')", "ValueError: one"),
    ("x = ", "SyntaxError: invalid syntax (broken.py, line 1)"),
    (CUBE.replace("cube", "relu"), "ValueError: activation 'relu' is registered already"),
    ("import vgbench\nvgbench.Case(widht=3)", "ValidationError: 1 validation error for Case"),
]


@pytest.mark.parametrize(("code", "reason"), FAILING, ids=[reason.partition(":")[0] for _, reason in FAILING])
def test_plug_in_that_fails_is_named_with_the_reason_again_and_again(
    install: Callable[..., None], code: str, reason: str
) -> None:
    install("broken", code)
    message = f"plug-in 'entry' of package broken 1.2 cannot be loaded: {reason}"
    for read in (lambda: vg.Case(), lambda: NORMS["batch"], lambda: list(ACTIVATIONS), registry.PLUGINS.load):
        with pytest.raises(vg.PluginError) as caught:
            read()
        assert str(caught.value) == message
    assert type(caught.value.__cause__).__name__ == reason.partition(":")[0]


def test_second_plug_in_of_a_name_is_the_one_that_fails(install: Callable[..., None]) -> None:
    install("cubes", CUBE)
    install("more_cubes", CUBE)
    with pytest.raises(vg.PluginError, match=r"^plug-in 'entry' of package more_cubes 1\.2 .* 'cube' is registered"):
        registry.PLUGINS.load()


def test_name_is_the_built_in_members_though_its_slot_is_not_read(install: Callable[..., None], tmp_path: Path) -> None:
    install("broken", CUBE.replace("ACTIVATIONS", "NORMS").replace("cube", "batch"))
    done = command(tmp_path, "list", "activation")
    expected = "vgbench: plug-in 'entry' of package broken 1.2 cannot be loaded: ValueError: norm 'batch' is registered"
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{expected} already\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["list"], 2), (["run", "tiny.toml", "--dry-run"], 2), (["run", "tiny.toml"], 2), (["--help"], 0)],
)
def test_command_ends_in_one_line_and_code_2_unless_it_needs_no_member(
    install: Callable[..., None],
    arguments: list[str],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    install("broken", "1 / 0")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(SUITE)
    monkeypatch.setattr(sys, "argv", ["vgbench", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code or 0) == code
    expected = "vgbench: plug-in 'entry' of package broken 1.2 cannot be loaded: ZeroDivisionError: division by zero\n"
    assert capsys.readouterr().err == (expected if code else "")
    assert not (tmp_path / "runs").exists()
