"""Every suite that comes with vgbench: what it asks and draws on, that its cells can be, and are compared fairly."""

import math
from functools import cache
from pathlib import Path

import jax
import pytest

import vgbench
from vgbench.case import Case
from vgbench.data import load_dataset
from vgbench.models import build_network
from vgbench.suite import built_in_suites, read_suite

# By name, so that a file that is no suite fails its own tests only.
NAMES = sorted(path.stem for path in (Path(vgbench.__file__).parent / "suites").glob("*.toml"))
each = pytest.mark.parametrize("name", NAMES)

FAIR = 0.05
"""Beyond this relative difference in parameters a mitigation is more than itself: a bigger or a smaller network."""


@cache
def parameters(case: Case) -> int:
    """How many numbers the network of `case` learns."""
    dataset = load_dataset(case)
    # Scanned, since separate blocks are drawn with numpy, which has no abstract arrays.
    network = build_network(case, dataset.features, dataset.classes, scanned=True)
    params = jax.eval_shape(network.init, jax.random.key(0)).params
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def excess(case: Case, reference: Case) -> float:
    """The relative difference in parameters."""
    return parameters(case) / parameters(reference) - 1


def test_built_in_suites_are_the_files_of_the_folder() -> None:
    assert [suite.name for suite in built_in_suites()] == NAMES


@each
def test_suite_says_what_it_asks_what_it_draws_on_and_how_long_it_takes(name: str) -> None:
    suite = read_suite(name)
    assert suite.title
    assert suite.question.endswith("?")
    assert all(len(reference) > 5 for reference in suite.references)
    assert suite.references
    assert suite.minutes


def test_all_suites_together_take_an_hour_at_most() -> None:
    assert sum(suite.minutes or 0 for suite in built_in_suites()) <= 60


@each
def test_every_mitigation_has_a_row_at_some_combination_of_axes(name: str) -> None:
    suite = read_suite(name)
    assert {cell.mitigation for cell in suite.cells()} == {"baseline", *suite.mitigations}


@each
def test_quick_version_has_every_mitigation_and_less_to_do(name: str) -> None:
    suite = read_suite(name)
    cells = suite.quick_version().cells()
    assert {cell.mitigation for cell in cells} == {"baseline", *suite.mitigations}

    def layer_steps(case: Case) -> int:
        return case.depth * (1 + case.steps * (len(case.seeds) + len(case.rates) * len(case.tuning_seeds)))

    assert sum(layer_steps(cell.case) for cell in cells) < sum(layer_steps(cell.case) for cell in suite.cells()) / 2


@each
def test_network_of_another_size_has_a_row_of_the_baselines(name: str) -> None:
    cells = read_suite(name).cells()
    sizes = {(cell.mitigation, repr(cell.axes)): excess(cell.case, cell.reference) for cell in cells}
    for (mitigation, axes), size in sizes.items():
        if abs(size) <= FAIR or mitigation.endswith("_matched"):
            continue
        matched = sizes.get((f"{mitigation}_matched", axes))
        assert matched is not None, f"{mitigation}, {axes}: {size:+.1%} parameters wants a row {mitigation}_matched"
        assert abs(matched) <= FAIR, f"{mitigation}_matched, {axes}: {matched:+.1%} parameters"
