"""Labels: numbers with their thousands apart, and data by the name that people call them by."""

from typing import Any

import pytest

from vgbench.spec.label import in_words, label
from vgbench.spec.registry import DATA


@pytest.mark.parametrize(
    ("value", "text"),
    [(8, "8"), (10000, "10,000"), (10000.0, "10,000"), (0.5, "0.5"), (-1500, "-1,500"), (True, "True"), (None, "None")],
)
def test_whole_numbers_have_their_thousands_apart(value: Any, text: str) -> None:
    assert in_words("depth", value) == text
    assert label(["he"], {"width": 4, "depth": value}) == f"he, width 4, depth {text}"


@pytest.mark.parametrize("options", [{}, {"dataset": "ArrowHead"}, {"split_seed": 1}])
def test_data_carry_the_name_of_the_set_that_is_read(options: dict[str, Any]) -> None:
    choice = DATA.choose({"name": "ucr", **options})
    named = {"dataset": "GunPoint", **options}
    assert in_words("data", str(choice)) == f"ucr({', '.join(f'{name}={value}' for name, value in named.items())})"


@pytest.mark.parametrize("text", ["digits", "text(path=ucr)", "ucr_of_a_plugin"])
def test_other_members_are_called_as_they_are(text: str) -> None:
    assert in_words("data", text) == text
    assert in_words("activation", "ucr") == "ucr"
