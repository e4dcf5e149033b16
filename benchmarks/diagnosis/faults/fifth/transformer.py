"""Transformers and language models: sixteen bits, rates, schedules, scores of attention, embeddings."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fourth.transformer import language
from faults.nets import Kind, activated, dense
from faults.problems import cross_entropy, own
from faults.registry import Setup, fifth
from faults.second.attention import blocks, linear, normalised, trunk
from faults.second.language import LENGTH, VOCABULARY, sentences


def _words(seed: int):
    return blocks(seed, 2, VOCABULARY, tokens=VOCABULARY, length=LENGTH)


@fifth(
    "updates lost to rounding",
    "learning rate too small",
    kind="precision",
    family="transformer",
    source="github.com/NVIDIA/apex/issues/1728",
    title="FusedAdam doesn't allocate master weights for bfloat16",
)
def fine_tuned_without_master_weights(broken: bool) -> Setup:
    """What follows a word, by weights of at least one in bfloat16, which has no neighbour of one that is near.

    Seen: no master weights for bfloat16, whatever the option says. Answer: an oversight; they are a necessity there.
    """
    words, following = (part.reshape(-1) for part in sentences())
    exact = jnp.bfloat16 if broken else jnp.float32
    keys = jax.random.split(jax.random.key(0), 4)

    def trained(key, shape):
        value, sign = jax.random.split(key)
        w = jax.random.rademacher(sign, shape) * (1.2 + jnp.abs(jax.random.normal(value, shape)))
        return {"w": w.astype(exact)}

    params = {
        "embed": trained(keys[0], (VOCABULARY, 24)),
        "out": trained(keys[1], (24, VOCABULARY)),
    }

    def scores(params, words, offsets):
        hidden = []
        e, w = (params[name]["w"].astype(jnp.float32) for name in ("embed", "out"))
        return activated("tanh", e[words] / 2, hidden, offsets) @ w / 4, tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], offsets)
        return cross_entropy(found, batch[1]), hidden

    chance = float(np.log(VOCABULARY - 1))

    def error(params):
        return loss(params, (words, following), None)[0] / chance

    def apply(params, updates):
        return jax.tree.map(lambda w, u: (w.astype(jnp.float32) + u).astype(w.dtype), params, updates)

    more = {"chance": chance, "steps": 1500, "batch": 128, "apply": apply}
    return own(params, loss, (words, following), optax.adam(1.5e-3), error, **more)


@fifth(
    "not-a-number gradients",
    "not-a-number loss",
    kind="epsilon that rounds to zero",
    family="transformer",
    source="github.com/fastino-ai/GLiNER2/pull/155",
    title="Fix NaN gradients from marginal_pair_consistency_loss in half precision",
)
def certain_spans_in_bfloat16(broken: bool) -> Setup:
    """Whether any word of a sentence is a name, by probabilities below 1 - 1e-6, which is one in bfloat16.

    Seen: a loss as usual, and NaN gradients after one step. Answer: the epsilon is too small for half precision.
    """
    draw = np.random.default_rng(1)
    names = (draw.random((1024, 6)) < 0.15).astype(np.float32)
    words = np.where(names > 0, draw.integers(8, 12, size=names.shape), draw.integers(8, size=names.shape))
    words, any_name = words.astype(np.int32), names.max(1)
    params = blocks(2, 1, 1, tokens=12, length=6)

    def sure(params, words, offsets):
        x, points, scores = trunk(params, params["embed"]["w"][words] + params["position"]["w"], offsets)
        p = jax.nn.sigmoid(4 * linear(params["out"], normalised(x))[..., 0])
        p = p.astype(jnp.bfloat16 if broken else jnp.float32)
        none = jnp.log1p(-jnp.minimum(p, 1.0 - 1e-6)).sum(1)
        return 1 - jnp.exp(none.astype(jnp.float32)), (*points, *scores)

    def loss(params, batch, offsets):
        found, hidden = sure(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((sure(params, words, None)[0] - any_name) ** 2).mean() / any_name.var()

    more = {"chance": float(any_name.var()), "steps": 300, "batch": 64}
    return own(params, loss, (words, any_name), optax.adam(5e-3), error, **more)


@fifth(
    "learning rate too large",
    "loss spike",
    kind="schedule",
    family="transformer",
    source="github.com/facebookresearch/fairseq/issues/1533",
    title="[RoBERTa] the loss is increasing all of sudden at epoch 15",
)
def peak_of_a_warm_up(broken: bool) -> Setup:
    """A language model that learns while its rate is warmed up, until the rate is so large that all is lost.

    Seen: after 14 good epochs the loss goes from 1.8 to 10.1. Answer: decrease the rate, or increase the batch.
    """
    schedule = optax.linear_schedule(0.0, 1.5 if broken else 5e-3, 300)
    return language(_words(3), optax.adam(schedule), loss=cross_entropy)


@fifth(
    "learning rate too small",
    kind="schedule",
    family="transformer",
    source="github.com/axolotl-ai-cloud/axolotl/issues/157",
    title="[BUG] Major bug affecting cosine LR scheduler decaying too quickly.",
)
def cosine_that_ends_too_soon(broken: bool) -> Setup:
    """A language model whose rate follows a cosine that is over after a sixteenth of the steps.

    Seen: the rate decays as many times too fast as there are devices. Answer: fixed in the library below.
    """
    schedule = optax.cosine_decay_schedule(3e-3, 25 if broken else 400)
    return language(_words(4), optax.adam(schedule), loss=cross_entropy)


@fifth(
    "attention logits grow",
    "learning rate too large",
    kind="scores of attention",
    family="transformer",
    source="github.com/PAIR-code/tiny-transformers/issues/71",
    title="Fix scaling in attention computation",
)
def scores_without_their_scale(broken: bool) -> Setup:
    """The value that belongs to a key, by attention whose scores are not divided by the root of the width.

    Seen: peaks in the losses of tiny models. Answer: divide the scores by the root of the dimension.
    """
    draw = np.random.default_rng(2)
    width = 64
    keys = draw.normal(size=(2048, 8, 6))
    values = draw.normal(size=(2048, 8)).astype(np.float32)
    asked = draw.integers(8, size=2048)
    query = (keys[np.arange(2048), asked] + 0.2 * draw.normal(size=(2048, 6))).astype(np.float32)
    answer = values[np.arange(2048), asked]
    own_keys = jax.random.split(jax.random.key(5), 2)
    params = {
        "q": dense(own_keys[0], 6, width, 6.0),
        "k": dense(own_keys[1], 6, width, 6.0),
        "out": {"w": jnp.ones(()), "b": jnp.zeros(())},
    }

    def forward(params, keys, values, query, offsets):
        hidden = []
        score = jnp.einsum("nd,ntd->nt", linear(params["q"], query), linear(params["k"], keys))
        score = score if broken else score / width**0.5
        h = activated("linear", (jax.nn.softmax(score) * values).sum(1), hidden, offsets)
        return params["out"]["w"] * h + params["out"]["b"], (*hidden, (Kind("scores"), score, score))

    def loss(params, batch, offsets):
        found, hidden = forward(params, *batch[:3], offsets)
        return ((found - batch[3]) ** 2).mean(), hidden

    data = (keys.astype(np.float32), values, query, answer)

    def error(params):
        return ((forward(params, *data[:3], None)[0] - answer) ** 2).mean() / answer.var()

    return own(params, loss, data, optax.adam(0.2), error, chance=float(answer.var()), steps=400, batch=64)


@fifth(
    "first loss too large",
    kind="initialisation",
    family="language",
    source="github.com/pytorch/pytorch/issues/3121",
    title="Better initialization in Embedding class",
)
def embeddings_of_unit_variance(broken: bool) -> Setup:
    """What follows a word, by the product of two embeddings of 256 numbers of unit variance.

    Seen: a network that did not train. Answer: the values of the embeddings are too high; initialise them yourself.
    """
    words, following = (part.reshape(-1) for part in sentences())
    keys = jax.random.split(jax.random.key(6), 2)
    scale = 1.0 if broken else 0.1
    params = {
        name: {"w": scale * jax.random.normal(key, (VOCABULARY, 256))}
        for name, key in zip(("embed", "out"), keys, strict=True)
    }

    def loss(params, batch, offsets):
        hidden = []
        e = activated("linear", params["embed"]["w"][batch[0]], hidden, offsets)
        return cross_entropy(e @ params["out"]["w"].T, batch[1]), tuple(hidden)

    chance = float(np.log(VOCABULARY - 1))

    def error(params):
        return loss(params, (words, following), None)[0] / chance

    return own(params, loss, (words, following), optax.adam(1e-3), error, chance=chance, steps=300, batch=64)
