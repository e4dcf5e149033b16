"""The house: imports point one way, also those by string and those inside functions, and no modules form a circle."""

import ast
import graphlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "vgbench"
ROOMS = re.findall(r"^\| `(\w+)/?` ", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
"""The rows of CONTRIBUTING.md's table, the ground first."""
FACE = ("__init__", "__main__")
"""The modules of the package's own face, which name what is public and are imported by nothing inside."""


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {
    module_of(path): path for path in sorted(PACKAGE.rglob("*.py")) if path.parent != PACKAGE or path.stem not in FACE
}


def mentioned(path: Path) -> Iterator[str]:
    """Every dotted name that a file imports anywhere, or spells as a string that is a module of vgbench."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"^vgbench(?:\.\w+)+", node.value)


def imports(path: Path) -> set[str]:
    """The modules of vgbench behind those names: the longest part of each that is one."""
    found = set()
    for name in mentioned(path):
        parts = name.split(".")
        if parts[0] != "vgbench":
            continue
        known = [".".join(parts[:n]) for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in FILES]
        assert known or parts == ["vgbench"] or parts[1] not in ROOMS, f"{path} names {name}, which is no module"
        found |= set(known[:1])
        assert parts != ["vgbench"] or path.parent == PACKAGE, f"{path} imports the package's face"
    return found - ({module_of(path)} if path.is_relative_to(ROOT) else set())


def room(module: str) -> str:
    return module.split(".")[1]


def test_table_lists_every_room() -> None:
    assert {room(module) for module in FILES} == set(ROOMS)


def test_picture_and_table_have_the_same_rooms_in_the_same_order() -> None:
    picture = (ROOT / "docs" / "_static" / "house.svg").read_text()
    names = re.findall(r'class="name"[^>]*>(\w+)/?<', picture)
    assert names[::-1] == ROOMS


@pytest.mark.parametrize("name", ROOMS)
def test_imports_point_one_way(name: str) -> None:
    below = set(ROOMS[: ROOMS.index(name) + 1])
    for module, path in FILES.items():
        if room(module) == name:
            above = {other for other in imports(path) if room(other) not in below}
            assert not above, f"{module} imports {above}, which CONTRIBUTING.md puts above it"


def test_no_modules_import_each_other_in_a_circle() -> None:
    # A package's __init__ names what is public of its modules, and importing a module of it is no import of that face.
    graph = {module: imports(path) for module, path in FILES.items() if path.name != "__init__.py"}
    graphlib.TopologicalSorter({module: found & set(graph) for module, found in graph.items()}).prepare()


def test_a_string_that_names_a_module_is_an_import(tmp_path: Path) -> None:
    name = ".".join(["vgbench", "report", "tables"])
    (tmp_path / "file.py").write_text(f"import_module({name!r})\nresources.files('{name}.x')\n")
    assert imports(tmp_path / "file.py") == {name}


def test_tests_mirror_the_package_and_do_not_import_each_other() -> None:
    tests = ROOT / "tests"
    rooms = {path.parent.relative_to(PACKAGE) for path in FILES.values()}
    for path in tests.rglob("test_*.py"):
        assert path.parent.relative_to(tests) in rooms, f"{path} is about no room"
        others = [name for name in mentioned(path) if name.split(".")[0].startswith("test_")]
        assert not others, f"{path} imports from {others}"


def test_no_file_of_the_package_is_long() -> None:
    long = {str(path): n for path in PACKAGE.rglob("*.py") if (n := len(path.read_text().splitlines())) > 300}
    assert not long
