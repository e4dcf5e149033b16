"""Transformers: words that see nothing, norms behind the sums, scores without a bound, orders that were never met."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.eighth.transformer import marked
from faults.nets import Kind, activated, linear
from faults.problems import classified, recognised
from faults.registry import Setup, thirteenth
from faults.second.attention import blocks, normalised, trunk


@thirteenth(
    "not-a-number gradients",
    kind="word that sees nothing",
    family="transformer",
    source="github.com/pytorch/pytorch/issues/41508",
    title="nn.MultiheadAttention causes gradients to become NaN under some use cases",
)
def words_that_see_nothing(broken: bool) -> Setup:
    """The marks of words in texts of many lengths, by a block in which words behind the end see nothing, or the text.

    What they give is replaced by zeros, so that the loss is a number.

    Seen: all scores of a masked word are minus infinity, and gradients become NaN although outputs are thrown away.
    Answer: scores of such words are to be replaced before the softmax.
    """
    text, marks = marked(1401, 12, 4)
    draw = np.random.default_rng(1401)
    length = draw.integers(4, 9, size=len(text)).astype(np.int32)
    params = blocks(1401, 1, 4, tokens=12, length=8)

    def scores(params, text, length, offsets):
        there = jnp.arange(8) < length[:, None]
        mask = there[:, :, None] & there[:, None] if broken else there[:, None]
        said, points, scored = trunk(params, params["embed"]["w"][text] + params["position"]["w"], offsets, mask)
        said = jnp.where(there[..., None], said, 0)
        return linear(params["out"], normalised(said)), there, (*points, *scored)

    def loss(params, batch, offsets):
        found, there, hidden = scores(params, batch[0], batch[2], offsets)
        each = optax.softmax_cross_entropy_with_integer_labels(found, batch[1])
        return (each * there).sum() / there.sum(), hidden

    def right(params):
        found, there, _ = scores(params, text[1200:], length[1200:], None)
        return ((found.argmax(-1) == marks[1200:]) & there).sum() / there.sum()

    data = (text[:1200], marks[:1200], length[:1200])
    return classified(params, loss, data, optax.adam(5e-3), jax.jit(right), classes=4, batch=32, steps=300)


@thirteenth(
    "vanishing in training",
    "collapse",
    "learning rate too large",
    kind="norms behind the sums",
    family="transformer",
    source="github.com/pytorch/pytorch/issues/55270",
    title="I think your transformer implementation is flawed",
)
def norms_behind_the_sums(broken: bool) -> Setup:
    """The marks of words by eight blocks, whose norms come behind the sums or before them.

    Seen: with norms behind the sums, a transformer of twelve layers or more is not stable, since gradients vanish.
    Answer: an option for norms that come first, which was added since.
    """
    text, marks = marked(1403, 12, 4)
    params = blocks(1403, 8, 4, tokens=12, length=8)

    def behind(params, x, offsets):
        points, scored = [], []
        for name in sorted(name for name in params if name.startswith("block")):
            p = params[name]
            score = jnp.einsum("nth,nsh->nts", linear(p["q"], x), linear(p["k"], x)) / x.shape[-1] ** 0.5
            scored.append((Kind("scores"), score, score))
            x = normalised(x + linear(p["proj"], jax.nn.softmax(score) @ linear(p["v"], x)))
            x = normalised(x + linear(p["down"], jax.nn.relu(linear(p["up"], x))))
            x = activated("linear", x, points, offsets)
        return x, points, scored

    def scores(params, text, offsets):
        x = params["embed"]["w"][text] + params["position"]["w"]
        said, points, scored = (behind if broken else trunk)(params, x, offsets)
        return linear(params["out"], normalised(said)), (*points, *scored)

    data, others = (text[:1200], marks[:1200]), (text[1200:], marks[1200:])
    return recognised(params, scores, data, others, optax.sgd(0.1, 0.9), classes=4, batch=32, steps=200)


@thirteenth(
    "attention logits grow",
    "learning rate too large",
    kind="queries and keys without a norm",
    family="transformer",
    source="github.com/NVlabs/PixelDiT/issues/14",
    title="QK norm as a fix to Pixel DiT explosions.",
)
def scores_without_a_bound(broken: bool) -> Setup:
    """The marks of words by two blocks whose queries and keys are scaled by what is learned, with or without a norm.

    Seen: explosions, since learned scales before attention grow too large. Answer: a norm of queries and keys, without
    scales of its own, worked for the reporter; not for the authors.
    """
    text, marks = marked(1405, 12, 4)
    params = blocks(1405, 2, 4, tokens=12, length=8)
    params["scale"] = {name: jnp.ones(24) for name in ("block00", "block01")}

    def scores(params, text, offsets):
        points, scored = [], []
        x = params["embed"]["w"][text] + params["position"]["w"]
        for name in ("block00", "block01"):
            p, h = params[name], normalised(x) * params["scale"][name]
            q, k = linear(p["q"], h), linear(p["k"], h)
            q, k = (q, k) if broken else (normalised(q), normalised(k))
            score = jnp.einsum("nth,nsh->nts", q, k) / x.shape[-1] ** 0.5
            scored.append((Kind("scores"), score, score))
            x = x + linear(p["proj"], jax.nn.softmax(score) @ linear(p["v"], normalised(x)))
            x = x + linear(p["down"], jax.nn.relu(linear(p["up"], normalised(x))))
            x = activated("linear", x, points, offsets)
        return linear(params["out"], normalised(x)), (*points, *scored)

    rates = {"fast": optax.adam(0.3), "slow": optax.adam(5e-3)}
    which = jax.tree_util.tree_map_with_path(lambda path, _: _rate_of(path), params)
    data, others = (text[:1200], marks[:1200]), (text[1200:], marks[1200:])
    optimizer = optax.multi_transform({**rates}, which)
    return recognised(params, scores, data, others, optimizer, classes=4, batch=32, steps=300)


def _rate_of(path):
    return "fast" if path[0].key == "scale" or path[1].key in ("q", "k") else "slow"


@thirteenth(
    "learned by heart",
    kind="examples that are not varied",
    family="transformer",
    source="github.com/kentaroy47/vision-transformers-cifar10/issues/18",
    title="Results with RandAug?",
)
def pictures_that_are_not_varied(broken: bool) -> Setup:
    """Which of eight rings of eight patches is seen, from twenty-four examples as they are, or turned.

    Seen: without random augmentation the validation loss soon rises, and the accuracy is low. Answer: results are with
    random augmentation; without it, it overfits.
    """
    draw = np.random.default_rng(1407)
    patch, ring = draw.normal(size=(8, 12)), np.stack([draw.permutation(8) for _ in range(8)])

    def seen(kind, turn):
        place = (np.arange(8) + turn[:, None]) % 8
        clean = patch[np.take_along_axis(ring[kind], place, axis=1)]
        return (clean + 0.1 * draw.normal(size=clean.shape)).astype(np.float32)

    kind = np.arange(24).astype(np.int32) % 8
    turn = draw.integers(8, size=24)
    asked, other = draw.integers(8, size=800), draw.integers(8, size=800).astype(np.int32)
    x_other = seen(other, asked)
    x = seen(kind, turn)
    if not broken:
        turned = [np.roll(x, i, axis=1) for i in range(8)]
        x, kind = np.concatenate(turned), np.tile(kind, 8)
    params = blocks(1407, 2, 8, length=8)
    params["embed"] = {"w": jax.random.normal(jax.random.key(1408), (12, 24)) / 12**0.5}

    def scores(params, x, offsets):
        said, points, scored = trunk(params, x @ params["embed"]["w"] + params["position"]["w"], offsets)
        return linear(params["out"], normalised(said).mean(1)), (*points, *scored)

    return recognised(params, scores, (x, kind), (x_other, other), optax.adam(3e-3), classes=8, batch=32, steps=300)
