"""Language models: embeddings that begin large, a large rate, moments in sixteen bits, squares of rectifiers."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.eighth.transformer import marked, tagged
from faults.nets import activated, dense, linear
from faults.problems import classified, cross_entropy, own, recognised
from faults.registry import Setup, ninth
from faults.second.attention import WIDTH, blocks, normalised, trunk

STRAY = 850
"""A text that is drawn once, at step 398 of 550."""


@ninth(
    "first loss too large",
    kind="initialisation",
    family="language",
    source="github.com/speechbrain/speechbrain/issues/926",
    title="Initialization of Embedding/NormalizedEmbedding",
)
def embeddings_scaled_twice(broken: bool) -> Setup:
    """The next word, by embeddings that serve at the output, too, begin at unit variance, and are multiplied as well.

    Seen: the embedding is multiplied by the root of its width, and begins with a deviation of one all the same; its
    weights train far slower than others. Answer: it is called interesting; the report asks for one over that root.
    """
    draw = np.random.default_rng(591)
    count = 60
    rule = draw.integers(count, size=(count, 3))
    text = draw.integers(count, size=(1500, 9))
    for t in range(2, 9):
        sure = draw.random(1500) < 0.95
        text[:, t] = np.where(sure, rule[text[:, t - 1], text[:, t - 2] % 3], text[:, t])
    text = text.astype(np.int32)
    params = blocks(591, 1, 1, tokens=count, length=8)
    root = WIDTH**0.5
    size = 1.0 if broken else 1 / root
    params["embed"] = {"w": size * jax.random.normal(jax.random.key(592), (count, WIDTH))}
    del params["out"]
    seen = jnp.tril(jnp.ones((8, 8), bool))

    def scores(params, text, offsets):
        x = root * params["embed"]["w"][text[:, :-1]] + params["position"]["w"]
        said, points, scored = trunk(params, x, offsets, seen)
        return root * normalised(said) @ params["embed"]["w"].T, (*points, *scored)

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], offsets)
        return cross_entropy(found[:, 1:], batch[0][:, 2:]), hidden

    chance = float(np.log(count))

    def error(params):
        return loss(params, (text[1200:],), None)[0] / chance

    return own(params, loss, (text[:1200],), optax.adam(3e-3), error, chance=chance, steps=220, batch=32)


@ninth(
    "learning rate too large",
    "units that died",
    kind="rate",
    family="language",
    source="github.com/srviest/char-cnn-text-classification-pytorch/issues/5",
    title="No learning",
)
def characters_of_one_class_alone(broken: bool) -> Setup:
    """What a text is about, by windows over its characters, at a rate that leaves one class alone.

    Seen: precision does not improve, and the model keeps on selecting one of the classes. Answer: another report of the
    project; a smaller rate.
    """
    draw = np.random.default_rng(593)
    about = draw.integers(4, size=1600).astype(np.int32)
    text = draw.integers(20, size=(1600, 18))
    for i in range(1600):
        at = draw.integers(14)
        text[i, at : at + 3] = (about[i] * 5 + np.array([0, 2, 1])) % 20
    x = np.eye(20, dtype=np.float32)[text]
    keys = jax.random.split(jax.random.key(593), 3)
    params = {"window": dense(keys[0], 60, 24), "middle": dense(keys[1], 24, 24), "out": dense(keys[2], 24, 4, 1.0)}

    def scores(params, x, offsets):
        hidden = []
        three = jnp.concatenate([x[:, :-2], x[:, 1:-1], x[:, 2:]], axis=2)
        h = activated("relu", linear(params["window"], three), hidden, offsets).max(1)
        h = activated("relu", linear(params["middle"], h), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    optimizer = optax.adam(0.3 if broken else 5e-3)
    return recognised(
        params, scores, (x[:1200], about[:1200]), (x[1200:], about[1200:]), optimizer, classes=4, batch=32, steps=300
    )


@ninth(
    "updates lost to rounding",
    kind="precision",
    family="language",
    source="github.com/areal-project/AReaL/issues/1292",
    title=(
        "[BUG] FSDP engine: torch.optim.AdamW inherits bf16 dtype from model.parameters(), causing late-stage"
        " convergence to plateau ~3× higher than DS-Z3 / Megatron"  # noqa: RUF001
    ),
)
def moments_of_the_type_of_weights(broken: bool) -> Setup:
    """The marks of words, by weights in bfloat16, whose optimizer keeps its moments in the same type.

    Seen: the loss stays three times as high as with another engine, since the optimizer inherits the type of weights.
    Answer: weights in float32 for the optimizer; merged.
    """
    text, marks = marked(594, 12, 4)
    stored = jnp.bfloat16 if broken else jnp.float32
    params = jax.tree.map(lambda w: w.astype(stored), blocks(594, 1, 4, tokens=12, length=8))
    setup = tagged(params, text, marks, optax.adamw(2.5e-4, weight_decay=1e-3), steps=2200)

    def loss(params, batch, offsets):
        return setup.loss(jax.tree.map(lambda w: w.astype(jnp.float32), params), batch, offsets)

    def apply(params, updates):
        return jax.tree.map(lambda w, u: (w.astype(jnp.float32) + u).astype(w.dtype), params, updates)

    return Setup(**{**vars(setup), "loss": loss, "apply": apply})


@ninth(
    "loss spike",
    "exploding",
    kind="clipping that is left out",
    family="language",
    source="github.com/karpathy/autoresearch/pull/287",
    title="Train: add gradient clipping before optimizer step",
)
def squares_of_rectifiers(broken: bool) -> Setup:
    """The kind of a text by squares of rectifiers, and one text with a word whose vector is four times as long.

    Seen: squared rectifiers can produce spikes of the gradient that silently degrade the weights. Answer: clip it to a
    norm of one; proposed.
    """
    draw = np.random.default_rng(595)
    kind = draw.integers(5, size=6000).astype(np.int32)
    count = 60
    text = np.where(
        draw.random((6000, 8)) < 0.6,
        draw.integers(11, size=(6000, 8)) * 5 + kind[:, None],
        draw.integers(55, size=(6000, 8)),
    ).astype(np.int32)
    text[STRAY] = count - 1
    keys = jax.random.split(jax.random.key(595), 3)
    words = jax.random.normal(keys[0], (count, 16)).at[count - 1].mul(4.0)
    params = {"words": {"w": words}, "up": dense(keys[1], 16, 32, 1.0), "out": dense(keys[2], 32, 5, 1.0)}
    others = np.arange(6000) != STRAY

    def scores(params, text, offsets):
        hidden = []
        x = params["words"]["w"][text].mean(1) * 2
        h = activated("relu", linear(params["up"], x), hidden, offsets)
        return linear(params["out"], h**2), tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], offsets)
        return cross_entropy(found, batch[1]), hidden

    def right(params):
        return (scores(params, text[others][:1000], None)[0].argmax(-1) == kind[others][:1000]).mean()

    step = optax.sgd(0.05, 0.9)
    optimizer = step if broken else optax.chain(optax.clip_by_global_norm(1.0), step)
    return classified(params, loss, (text, kind), optimizer, jax.jit(right), classes=5, batch=16, steps=500)
