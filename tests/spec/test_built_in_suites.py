"""Every suite that comes with vgbench: what it asks and draws on, that its cells can be, and are compared fairly."""

import math
from collections import Counter
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

import jax
import pytest
from flax import nnx

import vgbench
from vgbench.claims.judge import selected
from vgbench.claims.statistics import Measured
from vgbench.data import load_dataset
from vgbench.data.ucr import installed_folder
from vgbench.models import build_network
from vgbench.models.stack import Stack
from vgbench.records.schema import Row
from vgbench.spec.case import Case
from vgbench.spec.metric import ACCURACY
from vgbench.spec.suite import Cell, built_in_suites, read_suite

# By name, so that a file that is no suite fails its own tests only.
NAMES = sorted(path.stem for path in (Path(vgbench.__file__).parent / "spec" / "suites").glob("*.toml"))
each = pytest.mark.parametrize("name", NAMES)

FOR_ACCELERATORS = "throughput"
"""It says nothing of two CPU cores."""

FAIR = 0.05
"""Beyond this relative difference in parameters a mitigation is more than itself: a bigger or a smaller network."""


SIZE = ("model", "depth", "width", "activation", "norm", "skip", "cell", "data")
"""The fields that the size of a network can depend on."""


def excess(case: Case, reference: Case) -> float:
    """The relative difference in parameters."""
    sizes = (parameters(Case(**{field: getattr(each, field) for field in SIZE})) for each in (case, reference))
    return next(sizes) / next(sizes) - 1


@cache
def parameters(case: Case) -> int:
    """How many numbers the network of `case` learns."""
    network: Any = build_network(case, load_dataset(case).problem)
    if not isinstance(network, Stack):
        return learned(jax.eval_shape(network.init, jax.random.key(0)).params)
    # Part by part, in half the time that tracing how all of them are drawn takes.
    parts = Counter((network.input_layer, *network.blocks, network.output_layer))
    return sum(times * learned(nnx.state(part.blank, nnx.Param)) for part, times in parts.items())


def learned(params: Any) -> int:
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def test_built_in_suites_are_the_files_of_the_folder() -> None:
    assert [suite.name for suite in built_in_suites()] == NAMES


@each
def test_suite_says_what_it_asks_what_it_draws_on_and_how_long_it_takes(name: str) -> None:
    suite = read_suite(name)
    assert suite.title
    assert suite.question.endswith("?")
    assert all(len(reference) > 5 for reference in suite.references)
    assert suite.references
    assert suite.minutes or name == FOR_ACCELERATORS


@each
def test_suite_says_what_must_be_installed_for_its_data(name: str) -> None:
    suite = read_suite(name)
    carried_by_others = {"ucr", "fashion_mnist", "datasets"}
    assert bool(suite.needs) == any(cell.case.data.name in carried_by_others for cell in suite.cells())


@each
def test_every_claim_is_tested_on_cells_of_its_suite(name: str) -> None:
    suite = read_suite(name)
    rows = [
        Measured(
            Row(place, cell.mitigation, dict(cell.axes), cell.case.cell_id, cell.reference.cell_id, None), None, None
        )
        for place, cell in enumerate(suite.cells())
    ]
    for claim in suite.claims:
        for cells in claim.cells:
            found = selected(cells, rows)
            assert {row.row.mitigation for row, _ in found} >= set(cells.mitigation), claim.sentence
            assert found, claim.sentence
            assert cells.reference is None or all(other is not None for _, other in found), claim.sentence


AT_INITIALISATION = {"decay", "decay_size", "log10_first_over_last", "log10_slope", "log10_slope_first_over_last"}


@each
def test_every_claim_can_be_judged_by_what_its_cells_measure(name: str) -> None:
    suite = read_suite(name)
    cells = {(cell.case.cell_id, cell.mitigation): cell for cell in suite.cells()}
    rows = [
        Measured(Row(0, cell.mitigation, dict(cell.axes), cell.case.cell_id, cell.reference.cell_id, None), None, None)
        for cell in cells.values()
    ]
    for claim in suite.claims:
        if claim.sign is not None or claim.statistic in AT_INITIALISATION:
            continue
        for pair in (pair for each_of in claim.cells for pair in selected(each_of, rows)):
            asked = [cells[row.row.cell_id, row.row.mitigation] for row in pair if row is not None]
            assert all(cell.case.steps > 0 for cell in asked), claim.sentence
            assert all(cell.case.metric == ACCURACY for cell in asked) or "accuracy" not in str(claim.statistic)
            assert len({cell.case.seeds for cell in asked}) == 1, claim.sentence
            assert len(asked[0].case.seeds) > 2, claim.sentence
            assert all(cell.timed for cell in asked) or claim.statistic != "log10_seconds_to_target", claim.sentence


LONG = {"long", "long_relu", "long_relu_he", "long_relu_batch_norm", "long_sigmoid_critical"}
TWICE_AS_LONG = {"rnn", "lstm_matched", "gru_matched"}
OF_CLAIMS_ALONE = {"sigmoid_gain_4", "deep_relu_batch_norm", "gelu_he", "silu_he", *LONG, *TWICE_AS_LONG}


def test_claims_are_tested_on_cells_of_other_suites_where_these_have_them() -> None:
    others = {cell.case.cell_id for name in NAMES if name != "claims" for cell in read_suite(name).cells()}
    cells = read_suite("claims").cells()
    assert {cell.mitigation for cell in cells if cell.case.cell_id not in others} == OF_CLAIMS_ALONE


RECURRENT = ("recurrent", "sequential-digits", "real-sequences")
FAMILIES = ("convnet", "transformer", "language-model", "precision")
PARAMETRIZATIONS = ("coordinates", "parametrization")
OTHERS = ("quickstart", "claims", "literature")
"""The first one, one that is mostly made of others' cells, and one of all families."""


@pytest.mark.parametrize(
    ("names", "minutes"),
    [
        (set(NAMES).difference(RECURRENT, FAMILIES, PARAMETRIZATIONS, OTHERS), 60),
        (RECURRENT, 20),
        (FAMILIES, 40),
        (PARAMETRIZATIONS, 20),
        (("mitigations",), 15),
        (("literature",), 12),
    ],
    ids=["feed-forward", "recurrent", "families", "parametrizations", "mitigations", "literature"],
)
def test_suites_of_a_kind_together_take_no_longer_than_promised(names: Collection[str], minutes: float) -> None:
    assert sum(suite.minutes or 0 for suite in built_in_suites() if suite.name in names) <= minutes


@each
def test_every_mitigation_has_a_row_at_some_combination_of_axes(name: str) -> None:
    suite = read_suite(name)
    assert {cell.mitigation for cell in suite.cells()} == {*suite.names}


@each
def test_quick_version_has_every_mitigation_and_less_to_do(name: str) -> None:
    suite = read_suite(name)
    cells = suite.quick_version().cells()
    assert {cell.mitigation for cell in cells} == {*suite.names}

    def layer_steps(case: Case) -> int:
        return case.depth * (1 + case.steps * (len(case.seeds) + len(case.learning_rates) * len(case.tuning_seeds)))

    assert sum(layer_steps(cell.case) for cell in cells) < sum(layer_steps(cell.case) for cell in suite.cells()) / 2


def kind(cell: Cell) -> str:
    """What a row and its matched one have in common: a name, or the recurrent cells whatever their biases."""
    name = cell.mitigation.removesuffix("_matched")
    return name if cell.case.cell.name == "none" else f"{cell.case.model} {cell.case.cell.name}"


@each
def test_network_of_another_size_has_a_row_of_the_baselines(name: str) -> None:
    if read_suite(name).needs and installed_folder() is None:
        pytest.skip("the size of the output layer depends on data of the extra sequences")
    # Families are compared among themselves: their networks of equal width hold other numbers of parameters.
    cells = [cell for cell in read_suite(name).cells() if cell.case.model.name == cell.reference.model.name]
    matched = {
        (kind(cell), repr(cell.axes)): excess(cell.case, cell.reference)
        for cell in cells
        if cell.mitigation.endswith("_matched")
    }
    for cell in cells:
        size = excess(cell.case, cell.reference)
        if abs(size) <= FAIR or cell.mitigation.endswith("_matched"):
            continue
        beside = matched.get((kind(cell).replace("chrono_", ""), repr(cell.axes)))
        assert beside is not None, f"{cell.label}: {size:+.1%} parameters needs a row {cell.mitigation}_matched"
        assert abs(beside) <= FAIR, f"{cell.label}: {beside:+.1%} parameters"
