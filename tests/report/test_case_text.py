"""A case as text: what is copied is the case again."""

import tomllib

import pytest

import vgbench
from vgbench.report.case_text import as_python, as_toml
from vgbench.spec.case import Case

CASES = [
    Case(depth=3),
    Case.model_validate(
        {
            "depth": 24,
            "activation": "sigmoid",
            "init": {"name": "lecun_normal", "gain": "critical"},
            "optimizer": {"name": "sgd", "momentum": 0.5},
            "learning_rates": (1e-5, 0.1),
            "remat": True,
        }
    ),
    Case.model_validate({"model": "recurrent", "cell": {"name": "lstm", "forget_bias": 3.0}, "depth": 7}),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_toml_is_the_case(case: Case) -> None:
    assert Case.model_validate(tomllib.loads(as_toml(case))) == case


@pytest.mark.parametrize("case", CASES, ids=str)
def test_python_is_the_case(case: Case) -> None:
    assert eval(as_python(case), {"vgbench": vgbench}) == case


def test_options_are_shown_where_they_are_not_the_default_ones() -> None:
    text = as_toml(CASES[1])
    assert 'activation = "sigmoid"\n' in text
    assert 'optimizer = { name = "sgd", momentum = 0.5 }\n' in text
    assert "learning_rates = [1e-05, 0.1]\n" in text
