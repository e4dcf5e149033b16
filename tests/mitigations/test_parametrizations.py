"""Parametrizations: standard at their base, and away from it steps that change as much at any width and depth."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.measure.draw import draw, first_batch
from vgbench.measure.step import make_optimizer, make_step, start
from vgbench.mitigations.parametrizations import Parametrization
from vgbench.models import build_network

NAMES = ("mup", "depth_mup", "completep")
MLP: dict[str, Any] = {
    "model": {"name": "mlp", "order": "pre_activation"},
    "init": "lecun_normal",
    "norm": "rms",
    "skip": "residual",
    "batch_size": 16,
}
LM: dict[str, Any] = {"model": "causal_lm", "batch_size": 2, "data": {"name": "text", "length": 16}}
each = pytest.mark.parametrize


def changes(case: vg.Case, rate: float, steps: int = 3) -> np.ndarray:
    """Root mean square of the change of every h_l after some steps on one batch, [depth]."""
    data = load_dataset(case)
    network: Any = build_network(case, data.problem)
    batch = first_batch(case, data, 0)

    def outputs(variables: Any) -> jax.Array:
        def visit(part: Any, params: Any, stats: Any, h: jax.Array, _: None) -> Any:
            h, stats = part.apply(params, stats, h, True)
            return h, (stats, h)

        return network.walk(variables, visit, batch[0], None)[2]

    @jax.jit
    def run(variables: Any) -> jax.Array:
        step = make_step(network, case)
        state = start(network, case, variables, rate)
        state = jax.lax.fori_loop(0, steps, lambda _, state: step(state, batch, rate)[0], state)
        moved = outputs(state.variables) - outputs(variables)
        return jnp.sqrt(jnp.square(moved).mean(axis=tuple(range(1, moved.ndim))))

    return np.asarray(run(draw(case, network, data, 0)))


def exponents(cases: list[vg.Case], sizes: list[int]) -> np.ndarray:
    """The power of the size with which the change of the first, the middle and the last output grows."""
    found = [changes(case, 1e-3)[[0, case.depth // 2, -1]] for case in cases]
    return np.polyfit(np.log2(sizes), np.log2(found), 1)[0]


@pytest.mark.slow
@each("family", [MLP, LM], ids=["mlp", "causal_lm"])
def test_a_step_changes_outputs_as_much_at_any_width(family: dict[str, Any]) -> None:
    widths = [64, 128, 256, 512] if family == MLP else [32, 64, 128, 256]
    standard, mup = (
        exponents([vg.Case(**family, depth=4, width=width, parametrization=name) for width in widths], widths)
        for name in ("standard", "mup")
    )
    assert (standard[1:] > 0.4).all()
    assert (abs(mup) < 0.1).all()


@pytest.mark.slow
@each("name", ["depth_mup", "completep"])
def test_a_step_changes_outputs_as_much_at_any_depth(name: str) -> None:
    blocks = [8, 16, 32, 64]
    standard, scaled = (
        exponents([vg.Case(**MLP, depth=1 + count, width=64, parametrization=chosen) for count in blocks], blocks)
        for chosen in ("standard", {"name": name, "base_depth": 2})
    )
    assert (standard[1:] > 0.6).all()
    assert (abs(scaled) < 0.1).all()


# m_N = 4 and m_L = 3.
WIDE: dict[str, Any] = {"width": 256, "depth": 46, "init": "lecun_normal", "skip": "residual"}
RULES = {
    "mup": {
        "input_layer": [(1, 1 / 4, 1), (1, 1 / 4, 1)],
        "blocks": [(1 / 4, 1 / 4, 4), (1, 1 / 4, 1)],
        "output_layer": [(1 / 4, 1, 4), (1, 1 / 4, 1)],
    },
    "depth_mup": {
        "input_layer": [(1, 1 / 4, 1), (1, 1 / 4, 1)],
        "blocks": [(1 / 4 / 3**0.5, 1 / 4 / 3**0.5, 4), (1 / 3**0.5, 1 / 4 / 3**0.5, 1)],
        "output_layer": [(1 / 4, 1, 4), (1, 1 / 4, 1)],
    },
    "completep": {
        "input_layer": [(1, 1 / 4, 1), (1, 1 / 4, 1)],
        "blocks": [(1 / 4, 1 / 12, 4), (1, 1 / 12, 1)],
        "output_layer": [(1 / 4, 1, 4), (1, 1 / 4, 1)],
    },
}


@each("name", NAMES)
@each("scanned", [False, True])
def test_first_step_of_adamw_is_that_of_every_groups_rule(name: str, scanned: bool) -> None:
    g, weight, rate, eps, decay = 1e-8, 0.5, 0.1, 1e-8, 0.01
    optimizer: Any = {"name": "adamw", "eps": eps, "weight_decay": decay}
    case = vg.Case(**WIDE, optimizer=optimizer, parametrization=name)  # pyright: ignore[reportArgumentType]

    def like(value: float) -> dict[str, Any]:
        block = {"kernel": jnp.full((2, 2, 2), value), "bias": jnp.full((2, 2), value)}
        blocks = block if scanned else tuple({key: leaf[i] for key, leaf in block.items()} for i in range(2))
        layer = {"kernel": jnp.full((2, 2), value), "bias": jnp.full(2, value)}
        return {"input_layer": layer, "blocks": blocks, "output_layer": layer}

    transform, params = make_optimizer(case, rate, scanned), like(weight)
    updates: Any = transform.update(like(g), transform.init(params), params)[0]
    for part, rules in RULES[name].items():
        held = updates[part] if scanned or part != "blocks" else updates[part][1]
        for key, (learning_rate, epsilon, weight_decay) in zip(("kernel", "bias"), rules, strict=True):
            expected = -rate * learning_rate * (g / (g + eps * epsilon) + decay * weight_decay * weight)
            np.testing.assert_allclose(held[key], expected, rtol=1e-5, err_msg=f"{part} {key}")


@each("name", NAMES)
def test_network_of_the_bases_size_is_the_standard_one(name: str) -> None:
    base: Any = {"name": name, "base_width": 8} | ({} if name == "mup" else {"base_depth": 3})
    data, drawn = load_dataset(vg.Case(**MLP)), []
    for parametrization in ("standard", base):
        sized = vg.Case(**MLP, depth=3, width=8, parametrization=parametrization)
        drawn.append(draw(sized, build_network(sized, data.problem), data, 0).params)
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), *drawn))
    assert Parametrization().factors("blocks", matrix=True) == (1, 1, 1)


def test_branches_scores_and_the_output_layer_shrink() -> None:
    """A network of four times the base's width and three times its blocks, made of standard parts."""
    slots = LM | {"depth": 4, "width": 32, "dtype": "float64"}
    sized: Any = {"name": "completep", "base_width": 8, "base_depth": 2}
    cases = [
        vg.Case(**slots, parametrization=sized),
        vg.Case(**slots, skip={"name": "residual", "scale": 1 / 3}),  # pyright: ignore[reportArgumentType]
    ]
    data = load_dataset(cases[0])
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        networks = [build_network(case, data.problem) for case in cases]
        own, plain = (draw(case, network, data, 0) for case, network in zip(cases, networks, strict=True))
        x, _ = first_batch(cases[0], data, 0)
        params: Any = plain.params
        params["output_layer"]["linear"]["kernel"] *= 0.5
        assert jax.tree.all(jax.tree.map(lambda a, b: bool(jnp.allclose(a, b)), own.params, params))
        params["blocks"]["attention"]["branch"]["query"]["kernel"] *= 0.5
        variables = own, plain
        answers = [net.apply(v, x, train=True).answers for net, v in zip(networks, variables, strict=True)]
    np.testing.assert_allclose(*answers, atol=1e-9)


@each(
    ("slots", "reason"),
    [
        ({"optimizer": "sgd"}, "its rules are of optimizer adam, adamw, .* not of 'sgd'"),
        ({"model": "recurrent", "cell": "rnn"}, "its rules are of model mlp, .* not of 'recurrent'"),
        ({"init": "gpt2"}, "init 'gpt2' does not follow the fan-in"),
        ({"init": "lsuv"}, "init 'lsuv' does not follow the fan-in"),
        ({"init": "glorot_normal"}, "makes the input layer's weights smaller with the width"),
        ({"norm": "weight"}, "norm 'weight' learns the lengths of weights apart"),
        ({"skip": "dense", "block_execution": "unroll"}, "no rule of layers of unequal width"),
        ({"model": {"name": "causal_lm", "tied": True}}, "no rule of a tied table"),
        ({"parametrization": "completep", "skip": "rezero"}, 'needs skip = "residual"'),
        ({"parametrization": "completep", "skip": {"name": "residual", "learned": True}}, 'needs skip = "residual"'),
    ],
    ids=str,
)
def test_cases_without_a_rule_are_refused_with_the_reason(slots: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        vg.Case(**{"parametrization": "mup"} | slots)
