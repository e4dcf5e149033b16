"""The slot that a mitigation changes."""

from typing import Any

import pytest

from vgbench.pictures.style import LOOKS
from vgbench.report.slots import OTHER, REFERENCE, SLOTS, slot_of
from vgbench.spec.case import Case

BASE = Case(depth=3, width=4, activation="sigmoid", init="glorot_normal", optimizer="sgd", steps=0)


@pytest.mark.parametrize(
    ("changes", "slot"),
    [
        ({}, REFERENCE),
        ({"activation": "relu"}, "activation"),
        ({"activation": "relu", "init": "he_normal"}, "init"),
        ({"activation": "relu", "norm": "batch"}, "norm"),
        ({"activation": "relu", "norm": "layer", "skip": "residual"}, "skip"),
        ({"activation": "relu", "optimizer": "adam"}, "optimizer"),
        ({"gradient_transform": "clip_by_global_norm"}, "gradient transform"),
        ({"dtype": "bfloat16"}, "precision"),
        ({"width": 8}, OTHER),
    ],
)
def test_case_counts_with_the_first_slot_that_it_changes(changes: dict[str, Any], slot: str) -> None:
    assert slot_of(Case.model_validate({**BASE.model_dump(), **changes}), BASE) == slot


def test_case_without_a_reference_is_one() -> None:
    assert slot_of(BASE, None) == slot_of(None, BASE) == REFERENCE


def test_every_slot_has_a_look_of_its_own() -> None:
    assert set(LOOKS) == {REFERENCE, *SLOTS, OTHER}
    assert len({color for color, _ in LOOKS.values()}) == len({shape for _, shape in LOOKS.values()}) == len(LOOKS)
