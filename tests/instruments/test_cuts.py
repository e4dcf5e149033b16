"""Where taps cut the graph of a loss, and which gradients a renormalised pass knows."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vgbench as vg
from vgbench.instruments.cuts import MIXED
from vgbench.instruments.graph import flattened
from vgbench.instruments.passes import Traced, traced
from vgbench.instruments.tap import tapping

W = jnp.eye(3) * 0.5
X = jnp.ones((2, 3))


def graph(loss: Callable[..., Any], *parameters: jax.Array) -> Traced:
    with tapping():
        closed = flattened(loss, *parameters, X)
    return traced(closed, len(parameters))


def cuts(found: Traced) -> list[str]:
    return [site.mark.name for i, site in enumerate(found.sites) if i in found.exact.cuts]


def mixed(found: Traced) -> tuple[list[str], list[int]]:
    taps = [site.mark.name for site, each in zip(found.sites, found.exact.taps, strict=True) if each == MIXED]
    return taps, [i for i in range(found.parameters) if found.exact.inputs[i] == MIXED]


def chain(v: jax.Array, w: jax.Array, x: jax.Array) -> jax.Array:
    h = vg.tap(jnp.tanh(x @ v), "first")
    return jnp.sum(vg.tap(jnp.tanh(h @ w), "second"))


def residual(v: jax.Array, w: jax.Array, x: jax.Array) -> jax.Array:
    h = vg.tap(x @ v, "stream")
    return jnp.sum(vg.tap(h + vg.tap(jnp.tanh(h @ w), "branch"), "sum"))


def around(v: jax.Array, w: jax.Array, x: jax.Array) -> jax.Array:
    h = x @ v
    return jnp.sum(vg.tap(jnp.tanh(h @ w), "branch")) + jnp.sum(h**2)


def shared(v: jax.Array, w: jax.Array, x: jax.Array) -> jax.Array:
    h = vg.tap(jnp.tanh(x @ v), "first")
    return jnp.sum(vg.tap(jnp.tanh(h @ v), "second") @ w)


def penalised(v: jax.Array, w: jax.Array, x: jax.Array) -> jax.Array:
    return chain(v, w, x) + 0.1 * jnp.sum(v**2)


def cast_before(v: jax.Array, w: jax.Array, x: jax.Array) -> jax.Array:
    v, w, x = (each.astype(jnp.bfloat16) for each in (v, w, x))
    return chain(v, w, x).astype(jnp.float32)


def stopped(v: jax.Array, w: jax.Array, x: jax.Array) -> jax.Array:
    h = x @ v
    return jnp.sum(vg.tap(h @ w, "h") * jax.lax.stop_gradient(h))


@pytest.mark.parametrize(
    ("loss", "expected", "unknown"),
    [
        (chain, ["first", "second"], ([], [])),
        (residual, ["stream", "sum"], ([], [])),
        (around, [], ([], [])),
        (shared, ["first", "second"], ([], [0])),
        (penalised, ["first", "second"], ([], [0])),
        (cast_before, ["first", "second"], ([], [])),
        (stopped, ["h"], ([], [])),
    ],
)
def test_taps_cut_where_nothing_that_shares_their_past_goes_around_them(
    loss: Callable[..., Any], expected: list[str], unknown: tuple[list[str], list[int]]
) -> None:
    found = graph(loss, W, W)
    assert cuts(found) == expected
    assert mixed(found) == unknown


def scanned(*, outputs: bool, shared_weights: bool) -> Callable[..., jax.Array]:
    def loss(ws: jax.Array, x: jax.Array) -> jax.Array:
        def layer(h: jax.Array, sliced: Any) -> Any:
            i, w = sliced
            h = vg.tap(jnp.tanh(h @ (ws[0] if shared_weights else w)), "h", layer=i, of=3)
            return h, h

        h, every = jax.lax.scan(layer, x, (jnp.arange(3), ws))
        return jnp.sum(every if outputs else h)

    return loss


def test_a_scan_is_cut_in_each_iteration_unless_all_of_them_lead_to_the_loss() -> None:
    stack = jnp.stack([W, W, W])
    alone, with_outputs = (graph(scanned(outputs=each, shared_weights=False), stack) for each in (False, True))
    assert (cuts(alone), mixed(alone)) == (["h"], ([], []))
    assert (cuts(with_outputs), mixed(with_outputs)) == ([], ([], []))
    over_time = graph(scanned(outputs=False, shared_weights=True), stack)
    assert (cuts(over_time), mixed(over_time)) == (["h"], ([], [0]))


def test_exponents_add_up_over_later_iterations_and_later_taps() -> None:
    def loss(v: jax.Array, ws: jax.Array, x: jax.Array) -> jax.Array:
        h, _ = jax.lax.scan(lambda h, w: (vg.tap(h @ w, "h"), None), vg.tap(x @ v, "in"), ws)
        return jnp.sum(vg.tap(h, "out"))

    found = graph(loss, W, jnp.stack([W, W]))
    exponents = {0: np.asarray(-1.0), 1: np.asarray([-10.0, -100.0]), 2: np.asarray(-1000.0)}
    assert [found.exact.exponents(each, exponents).tolist() for each in found.exact.taps] == [-1110, [-1100, -1000], 0]
    weights = [found.exact.exponents(each, exponents).tolist() for each in found.exact.inputs[:2]]
    assert weights == [-1111, [-1110, -1100]]
