"""The coordinate check of a case: against training by hand, and what it refuses."""

from typing import Any

import jax
import numpy as np
import pytest
from pydantic import ValidationError

from vgbench.data import load_dataset
from vgbench.errors import InputError
from vgbench.instruments.coordinate_check import sweep_of
from vgbench.instruments.coordinate_steps import QUANTITIES
from vgbench.measure.coordinates import _batches, _start, measure_coordinates
from vgbench.measure.draw import network_of
from vgbench.measure.step import make_step
from vgbench.spec.case import Case

COMMON: dict[str, Any] = {"depth": 3, "width": 8, "learning_rates": (0.1,), "seeds": (0, 7), "batch_size": 16}


def case_of(**fields: Any) -> Case:
    return Case(**{**COMMON, "coordinate_steps": 2, **fields})


def rms(x: Any) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(x, np.float64)))))


@pytest.mark.parametrize(
    "fields",
    [
        {"optimizer": {"name": "sgd", "momentum": 0.9}},
        {"norm": "batch", "skip": "residual", "block_execution": "unroll", "warmup_steps": 2},
        {"model": {"name": "transformer", "heads": 2}, "norm": "layer", "skip": "residual"},
    ],
    ids=["momentum", "batch norm and warm-up", "transformer"],
)
def test_answers_change_as_they_do_in_training(fields: dict[str, Any]) -> None:
    case = case_of(**fields)
    found = measure_coordinates(case)
    dataset = load_dataset(case)
    network = network_of(case, dataset.problem)
    step = jax.jit(make_step(network, case))
    for place, seed in enumerate(case.seeds):
        x, y = _batches(case, dataset, seed)
        state, answers = _start(network, case, dataset, seed), []
        for i in range(case.coordinate_steps + 1):
            answers.append(network.apply(state.variables, x[0], train=True).answers)
            state, _ = step(state, (x[i], y[i]), 0.1)
        size, change, update = found.run(place)["output_layer"][:, :3].T
        np.testing.assert_allclose(size, [rms(each) for each in answers], rtol=1e-3)
        np.testing.assert_allclose(change[1:], [rms(each - answers[0]) for each in answers[1:]], rtol=1e-2)
        np.testing.assert_allclose(update[2], rms(answers[2] - answers[1]), rtol=1e-2)


def test_modules_are_named_by_their_layers_and_scanned_blocks_are_one() -> None:
    scanned, unrolled = (measure_coordinates(case_of(seeds=(0,), block_execution=how)) for how in ("scan", "unroll"))
    assert {name.partition(".")[0] for name in scanned.modules} == {"input_layer", "blocks", "output_layer"}
    assert {"blocks", "blocks.branch.0.linear"} <= {*scanned.modules}
    assert {"blocks.0", "blocks.1", "blocks.1.branch.0.linear"} <= {*unrolled.modules}
    one = scanned.run(0)["blocks.branch.0.linear"][:, :3]
    both = np.stack([unrolled.run(0)[f"blocks.{i}.branch.0.linear"][:, :3] for i in (0, 1)])
    np.testing.assert_allclose(one, np.sqrt(np.mean(both**2, axis=0)), rtol=1e-3, atol=1e-6)


def test_what_a_layer_and_its_inputs_change_adds_up_where_one_of_them_is_nothing() -> None:
    found = measure_coordinates(case_of(seeds=(0,))).run(0)["input_layer.linear"]
    _, change, _, own, inputs = found.T
    np.testing.assert_allclose(own, change, rtol=1e-4, atol=1e-7)
    assert not inputs.any()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"learning_rates": (0.1, 0.2), "steps": 0}, "needs exactly one learning rate"),
        ({"model": "recurrent", "data": "adding"}, "needs a network of layers, not of time steps"),
        ({"coordinate_steps": -1}, "coordinate_steps"),
    ],
    ids=["two rates", "time steps", "negative"],
)
def test_case_that_cannot_be_checked_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        case_of(**fields)


def test_case_without_steps_has_no_check() -> None:
    with pytest.raises(InputError, match="has no coordinate check"):
        measure_coordinates(case_of(coordinate_steps=0))


@pytest.mark.slow
def test_under_maximal_update_changes_are_flat_over_width_and_under_the_standard_scales_they_grow() -> None:
    # Yang et al. 2022: the limit is infinite, so that the widths begin where the exponent has settled.
    widths, seeds = (64, 256, 1024), (0, 1, 2, 3)

    def slopes(parametrization: Any) -> dict[str, float]:
        cells = [
            measure_coordinates(
                Case(
                    depth=3,
                    width=width,
                    activation="tanh",
                    init="lecun_normal",
                    learning_rates=(0.003,),
                    seeds=seeds,
                    coordinate_steps=5,
                    parametrization=parametrization,
                )
            )
            for width in widths
        ]
        sweep = sweep_of("width", widths, [[cell.run(i) for i in range(len(seeds))] for cell in cells])
        return {name: sweep.exponents(name, "change", 5).exponent.value for name in sweep.modules}

    assert max(map(abs, slopes({"name": "mup", "base_width": 64}).values())) <= 0.05
    assert slopes("standard")["blocks.branch.0.linear"] > 0.3


def test_quantities_are_those_of_the_check_of_peoples_own_models() -> None:
    assert measure_coordinates(case_of(seeds=(0,))).rms.shape[-1] == len(QUANTITIES)
