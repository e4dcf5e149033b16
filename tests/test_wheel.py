"""The package as people install it: a wheel in an empty environment, with all that it needs inside."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def python(*arguments: str | Path, cwd: Path, interpreter: str | Path = sys.executable) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"JAX_PLATFORMS": "cpu"}
    command = [str(interpreter), *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    python("-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", out, ROOT, cwd=out)
    (built,) = out.glob("*.whl")
    return built


def test_wheel_holds_suites_and_templates_and_nothing_of_the_tests(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "vgbench").rglob("*") if path.is_file()}
    wanted = {name for name in files if "__pycache__" not in name}
    assert wanted <= names
    assert {name.partition("/")[0] for name in names} == {"vgbench", wheel.name.rsplit("-py3", 1)[0] + ".dist-info"}


@pytest.mark.slow
def test_wheel_in_an_empty_environment_runs_a_suite(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    interpreter = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    install = ("-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel)
    python(*install, cwd=tmp_path, interpreter=interpreter)
    out = python("-m", "vgbench", "run", "quickstart", "--quick", cwd=tmp_path, interpreter=interpreter)
    assert "residual" in out
    assert (tmp_path / "runs" / "quickstart-quick" / "report.html").exists()
