"""Every member of every slot in every form: finite forward, exact profile, scanned as unrolled, a step that changes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vgbench as vg
from needs import NEEDS
from vgbench.data import Dataset, load_dataset
from vgbench.measure.draw import draw, first_batch
from vgbench.measure.step import make_step, start
from vgbench.models import build_network
from vgbench.models.network import Network, Taps, Variables
from vgbench.probe import log10_norms, observe, zero_taps
from vgbench.registry import REGISTRIES

SMALL: dict[str, Any] = {
    "depth": 4,
    "width": 32,
    "batch_size": 16,
    "seeds": (0,),
    "data": "gaussian",
    "activation": "tanh",
}
MEMBERS: dict[str, dict[str, Any]] = {
    f"{slot}-{member.name}": {slot: member.name} | NEEDS.get((slot, member.name), {})
    for slot in ("activation", "init", "norm", "skip", "transform", "optimizer", "loss_scaling")
    for member in REGISTRIES[slot]
}
ORDERS: dict[str, dict[str, Any]] = {
    f"{order}-{layers}": {
        "model": {"name": "mlp", "order": order, "layers_per_block": layers},
        "norm": "layer",
        "skip": "residual",
    }
    for order in ("before_addition", "post_activation", "pre_activation", "post_norm")
    for layers in (1, 2)
}
ALL = MEMBERS | ORDERS
BUILT = {name: slots for name, slots in ALL.items() if not name.startswith(("transform", "optimizer", "loss_scaling"))}
FORMS = [(layers, dtype) for layers in ("scanned", "unrolled") for dtype in ("float32", "float64")]
each = pytest.mark.parametrize


def drawn(case: vg.Case) -> tuple[Network, Dataset, Variables]:
    data = load_dataset(case)
    network = build_network(case, data.problem)
    return network, data, draw(case, network, data, case.seeds[0])


def plain_profile(case: vg.Case) -> np.ndarray:
    """log10 ||dL/dh_l|| of the first seed without renormalisation, [depth]."""
    with jax.enable_x64(case.dtype == "float64"), jax.default_matmul_precision("highest"):
        network, data, variables = drawn(case)
        x, y = first_batch(case, data, case.seeds[0])

        def loss(taps: jax.Array) -> jax.Array:
            logits = network.apply(variables, x, train=True, probe=observe, taps=Taps(taps, None)).answers
            return -jax.nn.log_softmax(logits)[jnp.arange(len(y)), y].mean()

        taps = np.asarray(jax.jit(jax.grad(loss))(zero_taps(case.depth, case.dtype)))
    return log10_norms(taps[:, 0], taps[:, 1])


def profile_is_exact(slots: dict[str, Any], expected: np.ndarray, layers: str, dtype: str) -> None:
    if slots.get("skip") == "dense" and layers == "scanned":
        layers = "unrolled"  # its blocks differ
    profile = vg.measure_gradients(vg.Case(**SMALL | slots, layers=layers, dtype=dtype))
    assert np.isfinite(profile.log10_largest_activation).all()
    tolerance = 1e-9 if dtype == "float64" else 1e-4
    np.testing.assert_allclose(profile.log10_activation_norm[0], expected, atol=tolerance)


@each("name", BUILT)
def test_scanned_profile_is_plain_backpropagations_through_unrolled_blocks(name: str) -> None:
    expected = plain_profile(vg.Case(**SMALL | BUILT[name], dtype="float64", layers="unrolled"))
    profile_is_exact(BUILT[name], expected, "scanned", "float32")


@pytest.mark.slow
@each("name", BUILT)
def test_profile_is_exact_in_every_form(name: str) -> None:
    expected = plain_profile(vg.Case(**SMALL | BUILT[name], dtype="float64", layers="unrolled"))
    for layers, dtype in FORMS:
        profile_is_exact(BUILT[name], expected, layers, dtype)


def gradients(network: Network, variables: Variables, x: jax.Array, y: jax.Array) -> Any:
    def loss(params: Any) -> jax.Array:
        logits = network.apply(variables._replace(params=params), x, train=True).answers
        return -jax.nn.log_softmax(logits)[jnp.arange(len(y)), y].mean()

    return jax.grad(loss)(variables.params)


def step_changes_all_weights(slots: dict[str, Any], layers: str) -> None:
    """A training step changes the weights of every layer, unless their gradient is exactly zero."""
    case = vg.Case(**SMALL | slots, layers=layers)
    network, data, variables = drawn(case)
    batch = first_batch(case, data, 0)

    @jax.jit
    def step(variables: Variables) -> tuple[Any, ...]:
        after, loss, *_ = make_step(network, case)(start(network, case, variables), batch, 0.01)
        return after.variables.params, loss, gradients(network, variables, *batch)

    after, loss, slopes = step(variables)
    assert np.isfinite(loss)
    seen = 0
    for leaves in zip(*map(jax.tree.leaves, (variables.params, after, slopes)), strict=True):
        if leaves[0].ndim < 2:
            continue
        before, now, slope = (np.asarray(leaf).reshape(-1, *leaf.shape[-2:]) for leaf in leaves)
        assert np.isfinite(now).all()
        changed, moves = (before != now).any(axis=(1, 2)), slope.any(axis=(1, 2))
        assert (changed | ~moves).all()
        seen += moves.sum()
    assert seen >= 2  # the input layer and the readout at least


STATEFUL = [name for name in ALL if name.startswith(("norm", "skip", "transform", "optimizer", "loss_scaling"))]


@each("name", STATEFUL)
def test_one_training_step_changes_every_layers_weights(name: str) -> None:
    step_changes_all_weights(ALL[name], "auto")


@pytest.mark.slow
@each("layers", ["scanned", "unrolled"])
@each("name", ALL)
def test_one_training_step_changes_every_layers_weights_in_every_form(name: str, layers: str) -> None:
    step_changes_all_weights(ALL[name], "unrolled" if ALL[name].get("skip") == "dense" else layers)


@each("slot", ["activation", "init", "norm", "skip", "transform", "optimizer", "loss_scaling"])
def test_every_member_has_a_meaning_and_a_source(slot: str) -> None:
    for member in REGISTRIES[slot]:
        assert member.meaning.endswith((".", ")")), member.name
        assert len(member.source) > 3, member.name
