"""Transformers: precision, output layers, rates, scores of attention, labels."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.problems import classification, cross_entropy, own
from faults.registry import Setup, third
from faults.second.attention import WIDTH, blocks, linear, normalised, trunk
from faults.second.language import LENGTH, VOCABULARY, model, sentences
from faults.second.transformer import row_params, rows


def _params(seed: int, depth: int = 2):
    return blocks(seed, depth, VOCABULARY, tokens=VOCABULARY, length=LENGTH)


@third(
    "updates lost to rounding",
    kind="precision",
    family="transformer",
    source="github.com/meta-pytorch/torchtune/issues/2254",
    title="Very bad convergence with bf16",
)
def small_steps_in_bfloat16(broken: bool) -> Setup:
    """Weights kept in bfloat16 under a learning rate so small that most updates are rounded away.

    Seen: much worse convergence than in float32 at a rate of 6e-7. Answer: round stochastically, or keep float32.
    """
    dtype = jnp.bfloat16 if broken else jnp.float32
    params = jax.tree.map(lambda w: w.astype(dtype), row_params(0, 2))

    def apply(params, updates):
        return jax.tree.map(lambda w, u: (w + u.astype(w.dtype)).astype(w.dtype), params, updates)

    return classification(params, optax.adam(1e-4), net=rows(), batch=64, steps=500, apply=apply)


@third(
    "first loss too large",
    kind="initialisation",
    family="transformer",
    source="github.com/huggingface/transformers/pull/26441",
    title="[T5] lm_head weights initialization: set variance to reciprocal of hidden dim",
)
def head_of_unit_variance(broken: bool) -> Setup:
    """An output layer whose scores have a deviation of 60 from the start; the loss that is left is what it costs.

    Seen: an initial cross-entropy of 110. Answer: weights of the output layer with the variance 1 / width.
    """
    params = _params(1)
    deviation = 60 / WIDTH**0.5 if broken else 1 / WIDTH**0.5
    params["out"]["w"] = deviation * jax.random.normal(jax.random.key(7), params["out"]["w"].shape)
    setup = model(params, optax.adam(1e-3), sentences())

    def left(params):
        return float(setup.loss(params, setup.data, None)[0]) / np.log(VOCABULARY - 1)

    return Setup(**{**vars(setup), "error": left})


@third(
    "learning rate too large",
    "units that died",
    kind="rate",
    family="transformer",
    source="github.com/NielsRogge/Transformers-Tutorials/pull/298",
    title="update LR",
)
def rate_that_fine_tuning_does_not_bear(broken: bool) -> Setup:
    """A learning rate that the transformer does not bear.

    Seen: five runs that did not converge at 5e-5. Answer: 1e-5 converges.
    """
    return classification(row_params(2, 3), optax.adam(0.3 if broken else 3e-3), net=rows(), batch=64, steps=200)


@third(
    "attention logits grow",
    "learning rate too large",
    kind="scores of attention",
    family="transformer",
    source="github.com/modelscope/ms-swift/pull/6662",
    title="add muon clip optimizer",
)
def scores_without_a_clip(broken: bool) -> Setup:
    """Weights of queries and keys that an optimizer of sign-like updates lets grow, until attention sees one place.

    Seen: the largest logits of attention explode. Answer: scale queries and keys back after each step (QK-clip).
    """
    tokens, again = _first_word_again()
    params = blocks(3, 2, 2, tokens=10, length=8)
    parts = jax.tree_util.tree_map_with_path(lambda path, _: _is_score(path), params)
    labels = jax.tree.map(lambda score: "scores" if score else "rest", parts)
    optimizer = optax.multi_transform({"scores": optax.lion(0.03), "rest": optax.adam(5e-3)}, labels)

    def clipped(score, w):
        return w * jnp.minimum(1.0, 5.0 / jnp.sqrt((w**2).sum())) if score else w

    def apply(params, updates):
        moved = optax.apply_updates(params, updates)
        return moved if broken else jax.tree.map(clipped, parts, moved)

    def forward(params, tokens, offsets):
        x, points, scores = trunk(params, params["embed"]["w"][tokens] + params["position"]["w"], offsets)
        return linear(params["out"], normalised(x).mean(1)), (*points, *scores)

    def loss(params, batch, offsets):
        logits, hidden = forward(params, batch[0], offsets)
        return cross_entropy(logits, batch[1]), hidden

    def error(params):
        return 2 * (forward(params, tokens, None)[0].argmax(-1) != again).mean()

    chance = float(np.log(2))
    return own(params, loss, (tokens, again), optimizer, error, chance=chance, steps=800, batch=64, apply=apply)


def _first_word_again():
    """Sequences of tokens; the class says whether the first one occurs a second time."""
    draw = np.random.default_rng(0)
    tokens = draw.integers(10, size=(2048, 8))
    again = np.arange(2048) % 2
    other = (tokens[:, :1] + draw.integers(1, 10, size=(2048, 7))) % 10
    tokens[:, 1:] = other
    place = draw.integers(1, 8, size=2048)
    tokens[np.arange(2048), place] = np.where(again == 1, tokens[:, 0], other[np.arange(2048), place - 1])
    return tokens.astype(np.int32), again.astype(np.int32)


def _is_score(path) -> bool:
    return any(key.key in ("q", "k") for key in path)


@third(
    "the labels are the inputs, and not what follows them",
    kind="labels out of step",
    family="transformer",
    source="github.com/ayaka14732/bart-base-jax/pull/6",
    title="Fix bugs in pre-training",
)
def labels_that_are_not_shifted(broken: bool) -> Setup:
    """A model of sentences that is asked for the word that it has just read, and copies it.

    Seen: a loss of almost zero, and a model that only copies. Answer: labels and inputs were aligned wrongly.
    """
    tokens, following = sentences()
    return model(_params(4), optax.adam(3e-3), (tokens, tokens if broken else following))
