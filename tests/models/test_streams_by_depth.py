"""What a hundred blocks do to the residual stream of a causal language model of 128 units, at initialisation."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vgbench as vg
from vgbench.data import load_dataset
from vgbench.measure.draw import draw, first_batch
from vgbench.models import build_network

pytestmark = pytest.mark.slow
BLOCKS = 100
SLOTS: dict[str, Any] = {"width": 128, "depth": BLOCKS + 1, "batch_size": 4, "seeds": (0,), "steps": 0}
TEXT: dict[str, Any] = {"name": "text", "length": 32}


class Blocks(NamedTuple):
    """By block: how far its Jacobian is from the identity in a random direction, and the stream's variance after it."""

    deviation: np.ndarray
    variance: np.ndarray


def blocks_of(**options: Any) -> Blocks:
    case = vg.Case(**SLOTS, model={"name": "causal_lm", **options}, data=TEXT)  # pyright: ignore[reportArgumentType]
    data = load_dataset(case)
    network: Any = build_network(case, data.problem)
    batch, _ = first_batch(case, data, 0)

    @jax.jit
    def walked(variables: Any) -> Any:
        def visit(part: Any, params: Any, stats: Any, h: jax.Array, _: None) -> Any:
            def run(h: jax.Array) -> jax.Array:
                return part.apply(params, stats, h, True)[0]

            out, deviation = run(h), jnp.zeros(())
            if out.shape == h.shape:
                direction = jax.random.normal(jax.random.key(1), h.shape)
                changed = jax.jvp(run, (h,), (direction,))[1] - direction
                deviation = jnp.linalg.norm(changed) / jnp.linalg.norm(direction)
            return out, (stats, Blocks(deviation, jnp.square(out).mean()))

        return network.walk(variables, visit, batch, None)[2]

    return Blocks(*(np.asarray(each)[1:] for each in walked(draw(case, network, data, 0))))


def power(values: np.ndarray) -> float:
    """The exponent with which values by block grow with the block's number, from the tenth on."""
    number = np.arange(1, BLOCKS + 1)
    return float(np.polyfit(np.log(number[9:]), np.log(values[9:]), 1)[0])


def test_blocks_of_pre_norm_approach_the_identity_and_scaled_norms_bound_the_stream_instead() -> None:
    """Each branch adds as much to the stream and reads it normalised, so that a block counts the less the later it is.

    Norms over the root of the block's number (Sun et al. 2025) keep the stream from growing. At initialisation that
    does not keep blocks from the identity, as it is meant to do in training: their branches shrink as well.
    """
    plain, scaled = blocks_of(), blocks_of(depth_scaled_norm=True)
    assert power(plain.deviation) == pytest.approx(-0.6, abs=0.15)
    assert plain.deviation[-1] < 0.1 < 0.5 < plain.deviation[0]
    assert plain.variance[-1] > 10 * scaled.variance[-1]
    assert power(plain.variance) > 0.9
    assert power(scaled.variance) < 0.35
    assert (scaled.deviation[1:] < plain.deviation[1:]).all()


def test_gradient_of_peri_norm_follows_the_root_of_the_block() -> None:
    """A block multiplies the squared gradient by about 1 + 1 / l, as the stream's variance grows by its number."""
    case = vg.Case(**SLOTS, model={"name": "causal_lm", "order": "peri_norm"}, data=TEXT)  # pyright: ignore[reportArgumentType]
    norms = 10 ** vg.measure_gradients(case).log10_activation_norm[0, 1:]
    assert power(norms) == pytest.approx(-0.5, abs=0.1)


@pytest.mark.parametrize(("model", "data"), [("causal_lm", TEXT), ("transformer", "digits")])
def test_value_residuals_keep_tokens_apart_at_every_depth(model: str, data: Any) -> None:
    plain, residual = (
        vg.measure_forward(
            vg.Case(**SLOTS | {"depth": 25}, model={"name": model, "value_residual": kept}, data=data)  # pyright: ignore[reportArgumentType]
        ).token_cosine[0]
        for kept in (False, True)
    )
    np.testing.assert_allclose(residual[:2], plain[:2], atol=1e-5)  # the first block has values of its own alone
    assert (residual[2:] < plain[2:]).all()
    assert residual[-1] < plain[-1] - 0.1
