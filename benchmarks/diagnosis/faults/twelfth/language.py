"""Language models: texts without a word that counts, layers that come late, embeddings that are read as scores,
and words that were never met."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, dense, linear
from faults.problems import classified, cross_entropy, recognised
from faults.registry import Setup, twelfth
from faults.second.attention import at_each_word, blocks, causal, normalised, trunk

IGNORED = -100


def texts(seed: int, words: int, length: int, count: int = 2000):
    """Texts, each word of which follows from the one before and from its place, nine times in ten."""
    draw = np.random.default_rng(seed)
    rule = draw.permutation(words)
    text = draw.integers(words, size=(count, length + 1))
    for t in range(1, length + 1):
        sure = draw.random(count) < 0.9
        text[:, t] = np.where(sure, (rule[text[:, t - 1]] + t) % words, text[:, t])
    return draw, text.astype(np.int32)


@twelfth(
    "not-a-number loss",
    "not-a-number gradients",
    kind="mean over no words",
    family="language",
    source="github.com/OpenRLHF/OpenRLHF/pull/583",
    title="Fix nan for sft-ring when labels are all IGNORE_INDEX",
)
def parts_without_an_answer(broken: bool) -> Setup:
    """The next words of answers, and not of questions, as a mean over each part of a text, some of which have none.

    Seen: the loss of a part in which all words are to be ignored is NaN. Answer: a zero is added there; merged.
    """
    draw, text = texts(1251, 16, 8)
    asked = draw.integers(1, 6, size=(len(text), 1))
    wanted = np.where(np.arange(8) < asked, IGNORED, text[:, 1:]).astype(np.int32)
    params = blocks(1251, 1, 16, tokens=16, length=8)

    def scores(params, text, offsets):
        return at_each_word(params, text, offsets, causal(8))

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], offsets)
        counts = batch[2].reshape(-1, 2, 4)
        each = optax.softmax_cross_entropy_with_integer_labels(found, jnp.maximum(batch[1], 0)).reshape(-1, 2, 4)
        number = counts.sum(2, keepdims=True)
        share = counts / (number if broken else jnp.maximum(number, 1))
        return (each * share).sum(2).mean(), hidden

    def right(params):
        found = scores(params, text[1600:, :-1], None)[0].argmax(-1)
        return (found == text[1600:, 1:])[:, 5:].mean()

    data = (text[:1600, :-1], wanted[:1600], (wanted[:1600] != IGNORED).astype(np.float32))
    more = {"classes": 16, "batch": 32, "steps": 300}
    return classified(params, loss, data, optax.adam(5e-3), jax.jit(right), **more)


@twelfth(
    "updates not applied",
    kind="layers that come late",
    family="language",
    source="github.com/floneum/kalosm/pull/285",
    title="Fix classifier training",
)
def layers_that_come_late(broken: bool) -> Setup:
    """Which of four kinds a sentence is of, by layers that are made at first use, when the optimizer has its list.

    Seen: a classifier is not trained. Answer: layers are made at their first use, which has to be forced before the
    optimizer is given the parameters; merged.
    """
    draw = np.random.default_rng(1253)
    leaning = draw.integers(4, size=120)
    kind = draw.integers(4, size=1500).astype(np.int32)
    text = draw.integers(120, size=(1500, 10))
    for i, each in enumerate(kind):
        own = np.flatnonzero(leaning == each)
        text[i] = np.where(draw.random(10) < 0.55, draw.choice(own, size=10), text[i])
    table = draw.normal(size=(120, 32)).astype(np.float32)
    x = table[text].mean(1) * 10**0.5
    keys = jax.random.split(jax.random.key(1253), 2)
    params = {"one": dense(keys[0], 32, 32), "out": dense(keys[1], 32, 4, 1.0)}

    def scores(params, x, offsets):
        hidden = []
        h = activated("relu", linear(params["one"], x), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    optimizer = optax.set_to_zero() if broken else optax.adam(5e-3)
    data, others = (x[:1200], kind[:1200]), (x[1200:], kind[1200:])
    return recognised(params, scores, data, others, optimizer, classes=4, batch=32, steps=300)


@twelfth(
    "first loss too large",
    "far from unit scale",
    kind="scale of the embeddings",
    family="language",
    source="github.com/syncdoth/RetNet/issues/31",
    title="Initialize word embedding layer",
)
def embeddings_read_as_scores(broken: bool) -> Setup:
    """The next word at each place, by a block whose embeddings give the scores as well, and are drawn wide, or narrow.

    Unit deviation over thousands of features is stood for by a deviation of six over ninety-six.

    Seen: embeddings are left as they are by default, and the first loss is above 3000. Answer: initialise them; a
    deviation as is usual for language models.
    """
    _, text = texts(1255, 32, 8)
    params = blocks(1255, 1, 32, tokens=32, length=8, width=96)
    del params["out"]
    size = 6.0 if broken else 0.1
    params["embed"] = {"w": size * params["embed"]["w"]}

    def scores(params, text, offsets):
        x = params["embed"]["w"][text] + params["position"]["w"]
        said, points, scored = trunk(params, x, offsets, causal(8))
        return normalised(said) @ params["embed"]["w"].T, (*points, *scored)

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0][:, :-1], offsets)
        return cross_entropy(found, batch[0][:, 1:]), hidden

    right = jax.jit(lambda params: (scores(params, text[1600:, :-1], None)[0].argmax(-1) == text[1600:, 1:]).mean())
    more = {"classes": 32, "batch": 32, "steps": 300}
    return classified(params, loss, (text[:1600],), optax.adam(2e-3), right, **more)


@twelfth(
    "learned by heart",
    kind="words that were never met",
    family="language",
    source="github.com/bentrevett/pytorch-sentiment-analysis/issues/68",
    title="Overfitting Issue",
)
def words_that_were_never_met(broken: bool) -> Setup:
    """Which of four moods a sentence is in, by embeddings that are drawn, or those in which alike words are near.

    Seen: with thirteen emotions, 80 % in training, and 30 to 34 % on others, whatever is tried. Answer: no one size
    fits all; more of regularisation, and embeddings that were trained before.
    """
    draw = np.random.default_rng(1257)
    words, length = 2000, 6
    leaning = draw.integers(8, size=words)
    kind = draw.integers(4, size=1100).astype(np.int32)
    text = draw.integers(words, size=(1100, length))
    for i, each in enumerate(kind):
        own = np.flatnonzero(leaning == each)
        text[i] = np.where(draw.random(length) < 0.5, draw.choice(own, size=length), text[i])
    table = draw.normal(size=(words, 24))
    if not broken:
        table = 0.5 * table + 1.5 * draw.normal(size=(8, 24))[leaning]
    keys = jax.random.split(jax.random.key(1257), 2)
    params = {"words": {"w": jnp.asarray(table, jnp.float32)}}
    params |= {"one": dense(keys[0], 24, 32), "out": dense(keys[1], 32, 4, 1.0)}

    def scores(params, text, offsets):
        hidden = []
        h = activated("relu", linear(params["one"], params["words"]["w"][text].mean(1)), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    data, others = (text[:150].astype(np.int32), kind[:150]), (text[150:].astype(np.int32), kind[150:])
    return recognised(params, scores, data, others, optax.adam(3e-3), classes=4, batch=32, steps=400)
