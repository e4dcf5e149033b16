"""Registries: members by name, options read from keyword-only parameters."""

from typing import Annotated, Any

import pytest
from pydantic import Field

from vgbench.errors import InputError
from vgbench.spec.case import Case
from vgbench.spec.registry import ACTIVATIONS, INITIALIZERS, NORMS, REGISTRIES, Choice, Registry

MEMBERS = [(slot, member.name) for slot, registry in REGISTRIES.items() for member in registry]


@pytest.fixture
def toys() -> Registry:
    registry = Registry("toy", "vgbench.errors")

    @registry.register(source="Nobody 1999", scope="layer")
    def car(place: str, *, wheels: Annotated[int, Field(ge=3)] = 4, colour: str = "red") -> tuple[str, int, str]:
        """Four wheels and a colour.

        Not part of the meaning.
        """
        return place, wheels, colour

    @registry.register(source="Nobody 2000")
    def lambda_(*, size: float) -> float:
        return size

    return registry


def test_slots_of_the_registries_are_fields_of_the_case() -> None:
    assert set(REGISTRIES) <= set(Case.model_fields)
    assert all(registry.slot == slot for slot, registry in REGISTRIES.items())


@pytest.mark.parametrize(("slot", "name"), MEMBERS)
def test_every_member_says_what_it_means_and_where_it_comes_from(slot: str, name: str) -> None:
    member = REGISTRIES[slot][name]
    assert len(member.meaning) > 10
    assert len(member.source) > 5
    assert (member.scope is not None) == (slot in {"gradient_transform", "optimizer"})


def test_member_is_described_by_its_function(toys: Registry) -> None:
    member = toys["car"]
    assert (member.name, member.meaning) == ("car", "Four wheels and a colour.")
    assert (member.source, member.scope) == ("Nobody 1999", "layer")
    assert [each.name for each in toys] == ["car", "lambda"]


def test_trailing_underscore_is_no_part_of_the_name(toys: Registry) -> None:
    assert toys["lambda"].meaning == ""
    with pytest.raises(InputError, match=r"unknown toy 'lambda_'; did you mean 'lambda'\?"):
        toys["lambda_"]


def test_unknown_member_names_the_nearest_and_all(toys: Registry) -> None:
    with pytest.raises(InputError, match=r"^unknown toy 'cat'; did you mean 'car'\? \(choose from: car, lambda\)$"):
        toys.choose("cat")


def test_choice_holds_every_option_defaults_included(toys: Registry) -> None:
    choice = toys.choose({"name": "car", "colour": "blue"})
    assert choice.options() == {"wheels": 4, "colour": "blue"}
    assert choice.model_dump() == {"name": "car", "wheels": 4, "colour": "blue"}


def test_choice_is_chosen_again_as_it_is(toys: Registry) -> None:
    choice = toys.choose({"name": "car", "wheels": 6})
    assert toys.choose(choice) == choice


def test_choice_in_words_shows_only_what_was_changed(toys: Registry) -> None:
    assert str(toys.choose("car")) == "car"
    assert str(toys.choose({"name": "car", "wheels": 6})) == "car(wheels=6)"


def test_choice_of_another_slot_is_refused() -> None:
    with pytest.raises(InputError, match=r"^unknown norm 'relu' \(choose from: batch, .*none, .*\)$"):
        NORMS.choose(ACTIVATIONS.choose("relu"))


def test_build_calls_the_function_with_arguments_and_options(toys: Registry) -> None:
    assert toys.build(toys.choose({"name": "car", "wheels": 3}), "home") == ("home", 3, "red")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"name": "car", "wheels": "4"}, r"^toy 'car': wheels: Input should be a valid integer$"),
        ({"name": "car", "weels": 4}, r"^toy 'car': unknown field 'weels'; did you mean 'wheels'\? \(choose from: col"),
        ({"name": "lambda"}, r"^toy 'lambda': size: Field required$"),
        ({"name": "lambda", "size": float("inf")}, r"^toy 'lambda': size: Input should be a finite number$"),
        ({"name": 3}, r'^toy takes a name or a table \{name = "\.\.\."\}, not \{\'name\': 3\}$'),
        ({}, r'^toy takes a name or a table \{name = "\.\.\."\}, not \{\}$'),
        (None, r'^toy takes a name or a table \{name = "\.\.\."\}, not None$'),
    ],
)
def test_bad_choice_is_refused_in_words(toys: Registry, value: Any, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        toys.choose(value)


def test_bound_of_an_option_is_kept(toys: Registry) -> None:
    with pytest.raises(InputError, match=r"^toy 'car': wheels: Input should be greater than or equal to 3$"):
        toys.choose({"name": "car", "wheels": 2})


@pytest.mark.parametrize(
    ("slot", "value", "expected"),
    [
        ("init", {"name": "he_normal", "gain": -1.0}, "init 'he_normal': gain: needs a number greater than 0"),
        ("norm", {"name": "batch", "momentum": 1.0}, "norm 'batch': momentum: Input should be less than 1"),
        ("norm", {"name": "batch", "epsilon": 0.0}, "norm 'batch': epsilon: Input should be greater than 0"),
        (
            "gradient_transform",
            {"name": "clip_by_global_norm", "max_norm": 0.0},
            "max_norm: Input should be greater than 0",
        ),
        ("optimizer", {"name": "sgd", "momentum": -0.1}, "momentum: Input should be greater than or equal to 0"),
        ("optimizer", {"name": "adam", "eps": 0.0}, "optimizer 'adam': eps: Input should be greater than 0"),
        ("model", {"name": "mlp", "bias_std": -0.1}, "bias_std: Input should be greater than or equal to 0"),
        ("data", {"name": "gaussian", "features": 0}, "features: Input should be greater than or equal to 1"),
    ],
)
def test_bounds_of_the_options_of_members_are_kept(slot: str, value: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError) as caught:
        REGISTRIES[slot].choose(value)
    assert expected in str(caught.value)


def test_choices_of_equal_options_are_equal_and_hash_alike() -> None:
    one, other = INITIALIZERS.choose("he_normal"), INITIALIZERS.choose({"name": "he_normal", "gain": 1})
    assert isinstance(one, Choice)
    assert one == other
    assert hash(one) == hash(other)
