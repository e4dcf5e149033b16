"""Scans in segments: what they compute is what a scan computes, and a backward pass needs the root of its memory."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vgbench.models import segments
from vgbench.models.segments import scan_in_segments


def deep(scan: Any, layers: int, width: int = 4) -> Any:
    """The loss of a tanh network and its records, as a function of one weight a unit and layer."""

    def block(h: Any, layer: Any) -> tuple[Any, Any]:
        h = jnp.tanh(h * layer["weights"])
        return h, {"mean": h.mean(), "number": layer["number"]}

    def loss(weights: Any) -> tuple[Any, Any]:
        given = {"weights": weights, "number": jnp.arange(layers)}
        h, records = scan(block, jnp.linspace(-1, 1, width, dtype=weights.dtype), given)
        return h.sum(), records

    return jax.value_and_grad(loss, has_aux=True)


@pytest.mark.parametrize("layers", [1, 8, 23])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_segments_compute_what_a_scan_computes(layers: int, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "HELD_BYTES", 0)
    with jax.enable_x64(dtype == "float64"):
        weights = 1 + 0.1 * jax.random.normal(jax.random.key(0), (layers, 4), dtype)
        found, expected = (deep(scan, layers)(weights) for scan in (scan_in_segments, jax.lax.scan))
        tolerance = 10 * float(jnp.finfo(dtype).eps)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance), found, expected)
        np.testing.assert_array_equal(found[0][1]["number"], np.arange(layers))


def scratch_bytes(scan: Any, layers: int) -> int:
    """Bytes beside arguments and results that the compiled gradient needs."""
    compiled = jax.jit(deep(scan, layers, width=1000)).lower(jnp.ones((layers, 1))).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def test_memory_grows_with_the_root_of_the_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "HELD_BYTES", 0)
    shallow, deeper = (scratch_bytes(scan_in_segments, layers) for layers in (100, 1600))
    assert deeper < 5 * shallow
    assert scratch_bytes(jax.lax.scan, 1600) > 10 * deeper


def test_a_scan_that_memory_can_hold_is_left_as_it_is() -> None:
    weights = jnp.ones((9, 4))
    found, expected = (str(jax.make_jaxpr(deep(scan, 9))(weights)) for scan in (scan_in_segments, jax.lax.scan))
    assert found == expected
