"""Tokens of data as theory takes them, and what the loss makes of them."""

from typing import Any

import numpy as np
import pytest

import vgbench as vg
from vgbench.theory.tokens import answered, embedded


def case(model: Any, **slots: Any) -> vg.Case:
    return vg.Case(**{"depth": 3, "width": 32, "norm": "layer", "skip": "residual", "model": model, **slots})


def test_patches_of_the_digits_are_as_large_and_as_alike_as_they_are() -> None:
    x = vg.data.load_dataset(vg.Case(data="digits")).train.x
    gram = embedded(case("transformer"))
    assert gram.shape[1:] == (16, 16)
    np.testing.assert_allclose(gram[0, 0, 0], np.square(x[0].reshape(8, 8)[:2, :2]).mean() + 0.02**2, rtol=1e-5)
    above, below = x[0].reshape(8, 8)[:2, :2], x[0].reshape(8, 8)[2:4, :2]
    np.testing.assert_allclose(gram[0, 0, 4], (above * below).mean(), rtol=1e-5)


def test_equal_bytes_are_equal_vectors() -> None:
    gram = embedded(case("causal_lm", data={"name": "text", "length": 64}))
    np.testing.assert_array_equal(np.unique(gram), [0, 1])
    np.testing.assert_array_equal(np.diagonal(gram, axis1=1, axis2=2), 1)
    small = embedded(case("causal_lm", data={"name": "text", "length": 64}, init={"name": "small_normal", "std": 0.1}))
    np.testing.assert_allclose(small, 0.01 * gram)


def test_pooled_tokens_get_one_gradient_and_flattened_ones_each_their_own() -> None:
    gram = np.broadcast_to(np.eye(16), (3, 16, 16))
    pooled = answered(case("transformer"), gram)
    np.testing.assert_allclose(pooled, pooled[:, :1, :1] * np.ones((16, 16)))
    flat = answered(case({"name": "transformer", "pooling": "flatten"}), gram)
    np.testing.assert_allclose(flat, flat[:, :1, :1] * np.eye(16))


def test_positions_with_one_answer_share_their_gradient() -> None:
    asked = case("causal_lm", data={"name": "text", "length": 16}, init={"name": "lecun_normal", "gain": 1e-3})
    tokens = embedded(asked)
    found = answered(asked, np.broadcast_to(np.eye(16), tokens.shape))
    # Of equal logits: [y = y'] - 1 / 256; a token is the answer of the position before it.
    same = tokens[:, 1:, 1:]
    np.testing.assert_allclose(found[:, :-1, :-1], same - 1 / 256, atol=1e-4)


def test_larger_answers_weigh_more() -> None:
    gram = np.stack([np.eye(16), 1e4 * np.ones((16, 16))])
    small, large = answered(case("transformer"), gram)[:, 0, 0]
    assert large == pytest.approx(2 * small, rel=0.05)
