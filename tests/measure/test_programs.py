"""A program of one run computes what one of several runs does, without an axis of one."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from vgbench.measure.programs import _side_by_side


def test_one_run_is_not_mapped_and_gives_what_it_would_give_mapped() -> None:
    def loss(state: dict[str, Array], rate: Array, data: Array) -> dict[str, Array | bool]:
        return {"w": rate * (data @ state["w"]), "fixed": True}

    draw, axes = np.random.default_rng(0), (0, 0, None)
    state = {"w": draw.standard_normal((1, 3, 2)).astype(np.float32)}
    given = state, np.asarray([0.5], np.float32), draw.standard_normal((4, 3)).astype(np.float32)
    alone, mapped = _side_by_side(loss, 1, axes), jax.vmap(loss, in_axes=axes)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-6), alone(*given), mapped(*given))
    products = [eqn for eqn in jax.make_jaxpr(alone)(*given).eqns if eqn.primitive.name == "dot_general"]
    assert [eqn.outvars[0].aval.shape for eqn in products] == [(4, 2)]
    twice = jax.tree.map(lambda leaf: jnp.concatenate([leaf, leaf]), given[:2])
    assert _side_by_side(loss, 2, axes)(*twice, given[2])["w"].shape == (2, 4, 2)
