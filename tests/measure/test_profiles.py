"""Both profiles at initialisation are the same numbers, whichever program they come from."""

import dataclasses
from typing import Any

import numpy as np
import pytest

import vgbench as vg
from vgbench.measure import profiles, shared
from vgbench.measure.profiles import measure_profiles, train_and_profile

TINY: dict[str, Any] = {"depth": 5, "width": 12, "batch_size": 16, "activation": "tanh", "seeds": (0, 1)}
TRAINED: dict[str, Any] = {"steps": 2, "learning_rates": (1e-2,), "tuning_seeds": ()}


def agree(one: Any, other: Any) -> None:
    for field in dataclasses.fields(one):
        value, expected = getattr(one, field.name), getattr(other, field.name)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            np.testing.assert_allclose(value, expected, atol=1e-4, err_msg=field.name)
        else:
            np.testing.assert_array_equal(value, expected, err_msg=field.name)


def test_profiles_of_an_untrained_cell_are_those_that_are_measured_alone() -> None:
    case = vg.Case(**TINY, steps=0)
    gradients, forward = measure_profiles(case)
    agree(gradients, vg.measure_gradients(case))
    agree(forward, vg.measure_forward(case))


def test_profile_of_a_trained_cell_is_that_of_its_first_snapshots() -> None:
    case = vg.Case(**TINY, **TRAINED)
    curves, found = train_and_profile(case)
    assert found is not None
    gradients, forward = found
    np.testing.assert_array_equal(gradients.log10_activation_norm, curves.snapshots.log10_activation_norm[:, 0])
    np.testing.assert_array_equal(gradients.log10_parameter_norm, curves.snapshots.log10_parameter_norm[:, 0])
    agree(gradients, vg.measure_gradients(case))
    agree(forward, vg.measure_forward(case))


def test_network_that_always_tells_its_inputs_apart_has_gradients_alone() -> None:
    case = vg.Case(model="recurrent", depth=4, width=6, batch_size=8, seeds=(0,), steps=0)
    gradients, forward = measure_profiles(case)
    assert forward is None
    assert gradients.log10_activation_norm.shape == (1, 4)


def test_trained_cell_compiles_no_gradients_but_those_of_its_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = vg.Case(**TINY | {"width": 13}, **TRAINED)
    made = shared.programs_made()
    train_and_profile(asked)
    assert shared.programs_made() - made == 3  # one draws, one trains and takes snapshots, one follows the signal
    monkeypatch.setattr(profiles, "_trains_exactly", lambda case: False)  # as on an accelerator
    assert train_and_profile(asked)[1] is None
    assert shared.programs_made() - made == 3
    measure_profiles(asked)
    assert shared.programs_made() - made == 4
