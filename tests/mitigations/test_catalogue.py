"""Every member of every slot in every form: finite forward, exact profile, scanned as unrolled, a step that changes."""

from typing import Any

import numpy as np
import pytest
from helpers.catalogue import SMALL, plain_profile, step_changes_all_weights
from helpers.needs import NEEDS, SLOTS

import vgbench as vg
from vgbench.spec.registry import REGISTRIES

MEMBERS: dict[str, dict[str, Any]] = {
    f"{slot}-{member.name}": {slot: member.name} | NEEDS.get((slot, member.name), {})
    for slot in SLOTS
    for member in REGISTRIES[slot]
}
ORDERS: dict[str, dict[str, Any]] = {
    f"{order}-{layers}": {
        "model": {"name": "mlp", "order": order, "layers_per_block": layers},
        "norm": "layer",
        "skip": "residual",
    }
    for order in ("before_addition", "norm_after_activation", "post_activation", "pre_activation", "post_norm")
    for layers in (1, 2)
}
ALL = MEMBERS | ORDERS
BUILT = {
    name: slots
    for name, slots in ALL.items()
    if not name.startswith(("gradient_transform", "optimizer", "schedule", "loss_scaling"))
}
FORMS = [(layers, dtype) for layers in ("scan", "unroll") for dtype in ("float32", "float64")]
each = pytest.mark.parametrize


def profile_is_exact(slots: dict[str, Any], expected: np.ndarray, layers: str, dtype: str) -> None:
    if slots.get("skip") == "dense" and layers == "scan":
        layers = "unroll"  # its blocks differ
    profile = vg.measure_gradients(vg.Case(**SMALL | slots, block_execution=layers, dtype=dtype))
    assert np.isfinite(profile.log10_largest_activation).all()
    tolerance = 1e-9 if dtype == "float64" else 1e-4
    np.testing.assert_allclose(profile.log10_activation_norm[0], expected, atol=tolerance)


@each("name", BUILT)
def test_scanned_profile_is_plain_backpropagations_through_unrolled_blocks(name: str) -> None:
    expected = plain_profile(vg.Case(**SMALL | BUILT[name], dtype="float64", block_execution="unroll"))
    profile_is_exact(BUILT[name], expected, "scan", "float32")


@pytest.mark.slow
@each("name", BUILT)
def test_profile_is_exact_in_every_form(name: str) -> None:
    expected = plain_profile(vg.Case(**SMALL | BUILT[name], dtype="float64", block_execution="unroll"))
    for layers, dtype in FORMS:
        profile_is_exact(BUILT[name], expected, layers, dtype)


# Optimizers and schedules are tested on a quadratic in test_schedules.py, and in whole networks by the slow tests.
STATEFUL = [
    name for name in ALL if name.startswith(("norm", "skip", "gradient_transform", "loss_scaling", "parametrization"))
]


@each("name", STATEFUL)
def test_one_training_step_changes_every_layers_weights(name: str) -> None:
    step_changes_all_weights(ALL[name], "auto")


@pytest.mark.slow
@each("layers", ["scan", "unroll"])
@each("name", ALL)
def test_one_training_step_changes_every_layers_weights_in_every_form(name: str, layers: str) -> None:
    step_changes_all_weights(ALL[name], "unroll" if ALL[name].get("skip") == "dense" else layers)


@each("slot", SLOTS)
def test_every_member_has_a_meaning_and_a_source(slot: str) -> None:
    for member in REGISTRIES[slot]:
        assert member.meaning.endswith((".", ")")), member.name
        assert len(member.source) > 3, member.name
