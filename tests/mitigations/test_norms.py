"""Norms that would leave nothing of the signal, or its sign alone: they do so, and a case that asks so is refused."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy import special

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.mitigations.site import Site
from vgbench.models import build_network
from vgbench.spec.registry import NORMS

NOTHING = "a single number is always 0, so that nothing of the signal is left"
SIGN = "two numbers are always .1 and -1, so that only the sign of their difference is left"
QK: dict[str, Any] = {"name": "transformer", "qk_norm": True}
DENSE: dict[str, Any] = {"name": "dense", "growth": 2}
PRE: dict[str, Any] = {"name": "mlp", "order": "pre_activation"}
each = pytest.mark.parametrize


@each(
    ("norm", "batch", "width", "left"),
    [
        ({"name": "group", "groups": 6}, 5, 6, [0.0]),
        ({"name": "group", "groups": 3}, 5, 6, [-1.0, 1.0]),
        ("layer", 5, 1, [0.0]),
        ("layer", 5, 2, [-1.0, 1.0]),
        ("rms", 5, 1, [-1.0, 1.0]),
        ("batch", 1, 6, [0.0]),
        ("batch", 2, 6, [-1.0, 1.0]),
    ],
    ids=str,
)
def test_so_few_numbers_are_always_mapped_to_the_same(norm: Any, batch: int, width: int, left: list[float]) -> None:
    site = Site(width, 2, 1, nnx.Rngs(0))
    z = 100 * jax.random.normal(jax.random.key(0), (batch, width))
    normalised = NORMS.build(NORMS.choose(norm), site)(z)
    assert set(np.round(np.asarray(normalised), 2).ravel()) <= set(left)


@each(
    ("slots", "reason"),
    [
        ({"norm": "group", "width": 8}, f"norm 'group': 8 units in 8 groups: .* {NOTHING}; choose at most 2 groups"),
        ({"norm": "group", "width": 16}, f"norm 'group': 16 units in 8 groups: .* {SIGN}; choose at most 4 groups"),
        ({"norm": {"name": "group", "groups": 1}, "width": 2}, "choose a width of at least 3"),
        ({"norm": "layer", "width": 1}, f"norm 'layer': .* {NOTHING}; choose a width of at least 3"),
        ({"norm": "layer", "width": 2, "model": "convnet"}, f"norm 'layer': .* {SIGN}"),
        ({"norm": "layer", "skip": DENSE}, f"norm 'layer': .* {SIGN}; choose a width and a growth of at least 3"),
        ({"norm": "rms", "width": 1}, "norm 'rms': .* only its sign is left; choose a width of at least 2"),
        ({"norm": "batch", "batch_size": 1}, f"norm 'batch': a batch of 1: .* {NOTHING}"),
        (
            {"norm": "batch", "batch_size": 2},
            f"a batch of 2: .* {SIGN}; choose a batch_size of at least 3",
        ),
        (
            {"norm": "scaled_weight_standardization", "width": 2},
            f"fan-in of 2: .* {SIGN}; choose a width of at least",
        ),
        ({"model": QK | {"heads": 5}, "width": 10}, f"{SIGN}; choose at most 2 heads"),
        ({"model": QK, "width": 4}, f"model 'transformer': qk_norm of 4 units in 4 heads: .* {NOTHING}"),
    ],
    ids=str,
)
def test_norm_that_leaves_nothing_of_the_signal_is_refused(slots: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        vg.Case(**slots)


@each(
    "slots",
    [
        {"norm": {"name": "group", "groups": 2}, "width": 8},
        {"norm": "group", "width": 8, "model": "convnet"},  # over all pixels
        {"norm": "group", "width": 8, "model": "transformer"},  # over all tokens
        {"norm": "batch", "batch_size": 1, "model": "convnet"},
        {"norm": "rms", "width": 2},
        {"norm": "weight", "width": 1},
        {"norm": "scaled_weight_standardization", "width": 2, "model": "convnet"},
        {"norm": "layer", "skip": DENSE, "model": PRE},  # normalises the stream alone
        {"model": QK, "width": 12},
    ],
    ids=str,
)
def test_norm_that_leaves_more_is_not_refused(slots: dict[str, Any]) -> None:
    case = vg.Case(depth=3, **slots)
    network = build_network(case, load_dataset(case).problem)
    assert network.forward_flops > 0


@each(
    ("model", "features", "slots", "reason"),
    [
        ("convnet", 1, {"norm": "group", "width": 8}, f"norm 'group' in an image of one pixel: .* {NOTHING}"),
        ("convnet", 1, {"norm": "batch", "batch_size": 2}, f"norm 'batch' in an image of one pixel: .* {SIGN}"),
        ("transformer", 4, {"norm": "group", "width": 8}, f"norm 'group' of a single token: .* {NOTHING}"),
        ("mlp", 2, {"norm": "scaled_weight_standardization"}, f"outputs with a fan-in of 2: .* {SIGN}"),
    ],
)
def test_norm_is_refused_where_only_the_data_tell(
    model: str, features: int, slots: dict[str, Any], reason: str
) -> None:
    case = vg.Case(model=model, data={"name": "gaussian", "features": features}, **slots)
    with pytest.raises(vg.InputError, match=reason):
        build_network(case, load_dataset(case).problem)


def test_every_choice_that_a_refusal_names_is_a_valid_one() -> None:
    for width in range(3, 65):
        for groups in range(1, width + 1):
            if width % groups or width // groups > 2:
                continue
            with pytest.raises(ValueError, match="choose at most") as refusal:
                vg.Case(width=width, norm={"name": "group", "groups": groups})
            named = int(str(refusal.value).partition("choose at most ")[2].split()[0])
            assert vg.Case(width=width, norm={"name": "group", "groups": named})


def test_dynamic_erf_is_the_error_function_of_a_learned_line() -> None:
    norm: Any = NORMS.build(NORMS.choose("dynamic_erf"), Site(3, 2, 1, nnx.Rngs(0)))
    z = np.asarray([[-2.0, 0.1, 3.0]])
    np.testing.assert_allclose(norm(jnp.asarray(z)), special.erf(z / 2), rtol=1e-6)
    norm.alpha[...], norm.shift[...] = 0.25, -0.5
    norm.scale[...], norm.bias[...] = jnp.asarray([1.0, 2.0, 3.0]), jnp.asarray([0.0, 1.0, -1.0])
    expected = np.asarray([1, 2, 3]) * special.erf(z / 4 - 0.5) + np.asarray([0, 1, -1])
    np.testing.assert_allclose(norm(jnp.asarray(z)), expected, rtol=1e-6)


def test_a_signal_goes_on_where_groups_hold_three_units() -> None:
    site = Site(6, 2, 1, nnx.Rngs(0))
    z = jnp.asarray([[1.0, 2.0, 4.0, 1.0, 2.0, 9.0]])
    normalised = np.asarray(NORMS.build(NORMS.choose({"name": "group", "groups": 2}), site)(z))
    assert len(set(np.round(normalised, 3).ravel())) == 6
