"""Theory's numbers of residual streams are those of the modules that are trained."""

from typing import Any

import numpy as np
import pytest
from flax import nnx

import vgbench as vg
from vgbench.mitigations.attention_residual import Reading
from vgbench.mitigations.site import Site
from vgbench.spec.registry import SKIPS
from vgbench.theory.streams import BRANCHES, streams_of

DEPTH = 5


def case(skip: Any, **slots: Any) -> vg.Case:
    return vg.Case(**{"depth": DEPTH, "width": 8, "model": "transformer", "norm": "layer", "skip": skip, **slots})


def site(number: int) -> Site:
    layer, branch = divmod(number, BRANCHES)
    return Site(8, DEPTH, layer + 2, nnx.Rngs(0), branches=BRANCHES, branch=branch)


@pytest.mark.parametrize("name", ["hyper_connections", "constrained_hyper_connections"])
def test_hyper_connections_are_read_mixed_and_written_as_theirs(name: str) -> None:
    asked = case({"name": name, "streams": 3})
    found = streams_of(asked)
    assert found
    assert len(found.joints) == BRANCHES * (DEPTH - 1)
    for number, joint in enumerate(found.joints):
        module: Any = SKIPS.build(asked.skip, site(number))
        for mine, theirs in zip(joint, module.weights(), strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_attention_residuals_read_the_mean_of_the_filled_streams() -> None:
    asked = case({"name": "attention_residual", "streams": 4})
    found = streams_of(asked)
    assert found
    for number, joint in enumerate(found.joints):
        module: Any = SKIPS.build(asked.skip, site(number))
        filled = np.asarray(module.reading.filled[...])
        np.testing.assert_allclose(joint.reading, filled / filled.sum())
        np.testing.assert_array_equal(joint.writing, module.group[...])
    last: Any = Reading(site(len(found.joints)), 4)
    np.testing.assert_allclose(found.leave, np.asarray(last.filled[...]) / np.sum(last.filled[...]))


def test_deep_norm_makes_weights_smaller_and_not_the_branch() -> None:
    found = streams_of(case("deep_norm", model={"name": "transformer", "order": "post_norm"}))
    assert found
    skips = BRANCHES * (DEPTH - 1)
    assert found.gain == pytest.approx((4 * skips) ** -0.25)
    assert found.joints[0].mixing[0, 0] == pytest.approx(skips**0.25)
    assert found.joints[0].writing[0] == 1


@pytest.mark.parametrize("skip", ["highway", "stochastic_depth", {"name": "hyper_connections", "spread": 0.1}])
def test_streams_that_depend_on_more_are_not_followed(skip: Any) -> None:
    assert streams_of(case(skip)) is None
