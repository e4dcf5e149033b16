"""CONTRIBUTING.md to the letter: every snippet is run as it stands and used, and the house is as it says."""

import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.contributing import CLAIMS, MEMBERS, SUITES, ZIP, defined, snippet
from jax import Array

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.instruments.probe import log10_norms
from vgbench.measure.matrices import Squares, norms, squares
from vgbench.measure.step import propose, start
from vgbench.models import build_network
from vgbench.models.network import Variables
from vgbench.spec.registry import REGISTRIES, Member
from vgbench.theory import point

ROOT = Path(__file__).parents[1]
# One shape for all, since what draws a shape of weights is compiled once.
TINY = {"depth": 6, "width": 32, "batch_size": 16, "seeds": (0,)}


class Added(NamedTuple):
    slot: str
    member: Member


@pytest.fixture
def add() -> Iterator[Callable[[str], Added]]:
    """Run a snippet and find what it registered; afterwards the registries are as they were."""
    before = {slot: {member.name: member for member in registry} for slot, registry in REGISTRIES.items()}

    def run(code: str) -> Added:
        exec(compile(code, "CONTRIBUTING.md", "exec"), {"__name__": "snippet"})
        # A member that was there before and is replaced counts as well: it would be a different object.
        (added,) = [
            Added(slot, member)
            for slot, registry in REGISTRIES.items()
            for member in registry
            if before[slot].get(member.name) is not member
        ]
        assert added.member.name not in before[added.slot], "vgbench has this by now: show another one"
        return added

    yield run
    for slot, registry in REGISTRIES.items():
        registry._members.clear()
        registry._members.update(before[slot])


@pytest.mark.parametrize("code", MEMBERS, ids=defined)
def test_snippet_adds_a_member_that_a_case_can_be_measured_with(code: str, add: Callable[[str], Added]) -> None:
    slot, member = add(code)
    assert member.source
    assert member.meaning.endswith(".")
    case = vg.Case(**TINY, **{slot: member.name})
    assert getattr(case, slot).name == member.name
    profile = vg.measure_gradients(case)
    assert profile.status == "ok"
    assert np.isfinite(profile.decay_per_seed).all()


@pytest.mark.parametrize("code", MEMBERS, ids=defined)
def test_snippet_keeps_to_the_rules_of_ruff(code: str) -> None:
    # As lines of a file that has its own docstring already.
    for command in (["check", "--ignore", "D100"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "--stdin-filename", "vgbench/snippet.py", "-"]
        done = subprocess.run(ruff, input=code, capture_output=True, text=True, cwd=ROOT, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_activation_equals_its_formula_with_the_derivative_that_it_names(add: Callable[[str], Added]) -> None:
    _, member = add(snippet("squareplus"))
    z = jnp.linspace(-10, 10, 41)
    np.testing.assert_allclose(member.function(z), (z + jnp.sqrt(z**2 + 4)) / 2, rtol=1e-4)
    assert jax.grad(member.function)(0.0) == 0.5


def test_transform_normalises_each_of_the_stacked_layers_even_where_gradients_vanish(
    add: Callable[[str], Added],
) -> None:
    add(snippet("block_normalized"))
    case = vg.Case(
        **TINY,
        activation="sigmoid",
        init={"name": "glorot_normal", "gain": 1e-3},
        gradient_transform="block_normalized",
        optimizer={"name": "sgd", "momentum": 0.0},
        block_execution="scan",
    )
    train = load_dataset(case).train
    network = build_network(case, load_dataset(case).problem)
    variables = network.init(jax.random.key(0))
    rate = 0.125

    @jax.jit
    def of_step(variables: Variables, x: Array, y: Array) -> Squares:
        move = propose(network, case, start(network, case, variables, rate), (x, y), rate)

        return squares(network, move.gradients, move.updates)

    (gradient, _), (update, _) = norms(of_step(variables, train.x[:16], train.y[:16]))
    assert log10_norms(*gradient).min() < -20  # so that the square is zero in float32
    np.testing.assert_allclose(log10_norms(*update), np.log10(rate), atol=5e-6)


def test_data_source_is_standardised_and_split_without_overlap(add: Callable[[str], Added]) -> None:
    _, member = add(snippet("breast_cancer"))
    train, validation, test, classes, *_ = member.function()
    np.testing.assert_allclose(train.x.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(train.x.std(axis=0), 1, atol=1e-5)
    examples = np.concatenate([train.x, validation.x, test.x])
    assert len(np.unique(examples, axis=0)) == len(examples) == 569
    assert set(test.y.tolist()) == set(range(classes))
    assert not np.array_equal(test.y, member.function(split_seed=1).test.y)


def test_data_source_keeps_labels_with_their_examples(add: Callable[[str], Added]) -> None:
    _, member = add(snippet("breast_cancer"))
    train, _, test, classes, *_ = member.function()
    means = np.stack([train.x[train.y == label].mean(axis=0) for label in range(classes)])
    nearest = np.linalg.norm(test.x[:, None] - means, axis=-1).argmin(axis=1)
    assert np.mean(nearest == test.y) > 0.85  # the more frequent class alone gives 0.63


def test_model_family_takes_its_pieces_from_the_case(add: Callable[[str], Added]) -> None:
    add(snippet("pre_activation"))

    def decay(**slots: str) -> float:
        init = {"name": "lecun_normal", "gain": 0.1}
        case = vg.Case(**TINY, model="pre_activation", init=init, **slots)
        return vg.measure_gradients(case).decay.value

    # Rectifying halves the second moment, and each linear map multiplies by the gain.
    assert decay(activation="relu") == pytest.approx(np.log10(0.1 / np.sqrt(2)), abs=0.1)
    # The batch's statistics undo the gain, and beside the skip it hardly counts.
    assert decay(activation="relu", norm="batch") == pytest.approx(0, abs=0.15)
    assert decay(activation="relu", skip="residual", block_execution="unroll") == pytest.approx(0, abs=0.02)


def test_model_family_ends_blocks_in_their_linear_map(add: Callable[[str], Added]) -> None:
    add(snippet("pre_activation"))
    case = vg.Case(**TINY, model="pre_activation", activation="sigmoid", init={"name": "lecun_normal", "gain": 30.0})
    # After a sigmoid, 1 would be the largest.
    assert (vg.measure_gradients(case).log10_largest_activation > 0).all()


@pytest.mark.parametrize("text", SUITES, ids=lambda text: tomllib.loads(text)["title"])
def test_suite_is_read_with_a_cell_for_every_mitigation_at_every_depth(text: str, tmp_path: Path) -> None:
    path, table = tmp_path / "example.toml", tomllib.loads(text)
    path.write_text(text)
    suite = vg.read_suite(path)
    assert (suite.name, suite.question) == ("example", table["question"])
    cells = {cell.label: cell for cell in suite.cells()}
    names = ["baseline", *table["mitigations"]]
    assert list(cells) == [f"{name}, depth {depth}" for depth in table["sweep"]["depth"] for name in names]
    for cell in cells.values():
        expected = vg.Case(**{**table["baseline"], **cell.axes, **table["mitigations"].get(cell.mitigation, {})})
        trains = cell.case.depth <= table["protocol"]["train_to_depth"]
        assert cell.case.steps == (expected.steps if trains else 0)
        assert len(cell.case.learning_rates) == (5 if trains else 0)
        schedule = {"steps", "learning_rates", "tuning_seeds"}
        assert cell.case.model_dump(exclude=schedule) == expected.model_dump(exclude=schedule)


def test_suite_answers_its_question(tmp_path: Path) -> None:
    (text,) = SUITES
    path = tmp_path / "example.toml"
    path.write_text(text)
    small = vg.read_suite(path).select({field: [TINY[field]] for field in ("depth", "width", "batch_size")}, ["halved"])
    decays = {cell.mitigation: vg.measure_gradients(cell.case).decay.value for cell in small.cells()}
    # Halved weights leave tanh nearly linear, so each layer halves the gradient.
    assert decays["halved"] == pytest.approx(np.log10(0.5), abs=0.05)
    assert decays["baseline"] > decays["halved"] + 0.1


def test_axes_that_go_together_are_six_correlation_lengths_deep(tmp_path: Path) -> None:
    path = tmp_path / "example.toml"
    path.write_text(f"{SUITES[0]}\n{ZIP}".replace("[sweep]\ndepth = [8, 32]\n", ""))
    cells = [cell for cell in vg.read_suite(path).cells() if cell.mitigation == "baseline"]
    for case in (cell.case for cell in cells):
        assert case.depth == int(6 * point("tanh", gain=case.init.options()["gain"]).depth_scale)
    assert len(cells) == 3


def test_claim_added_to_the_suite_is_tested_on_cells_of_it(tmp_path: Path) -> None:
    path = tmp_path / "example.toml"
    path.write_text(f"{SUITES[0]}\n{CLAIMS}")
    suite = vg.read_suite(path)
    ((cells,),) = [claim.cells for claim in suite.claims]
    labels = {f"{name}, depth {depth}" for name in cells.mitigation for depth in cells.at["depth"]}
    assert labels <= {cell.label for cell in suite.cells()}
