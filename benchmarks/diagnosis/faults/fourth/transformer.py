"""Transformers and language models: softmaxes, sixteen bits, scores of attention, rates."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import Kind, activated, dense, mlp
from faults.problems import cross_entropy, digits, own
from faults.registry import Setup, fourth
from faults.second.attention import WIDTH, blocks, causal, linear, normalised, trunk
from faults.second.language import LENGTH, VOCABULARY, logits, sentences

CHANCE = float(np.log(VOCABULARY - 1))


def _words(seed: int):
    return blocks(seed, 2, VOCABULARY, tokens=VOCABULARY, length=LENGTH)


def language(params, optimizer, *, loss, chance: float = CHANCE, precise=lambda params: params) -> Setup:
    """What follows in sentences; `error` is the cross-entropy of what `loss` reads as scores, over a guess's."""
    data = sentences()

    def training(params, batch, offsets):
        scores, hidden = logits(precise(params), batch[0], offsets, causal(LENGTH))
        return loss(scores, batch[1]), hidden

    def error(params):
        return loss(logits(precise(params), data[0], None, causal(LENGTH))[0], data[1]) / chance

    return own(params, training, data, optimizer, error, chance=chance, steps=400, batch=64)


@fourth(
    "softmax applied twice",
    kind="softmax before a softmax",
    family="transformer",
    source="github.com/bkitano/llama-from-scratch/issues/5",
    title="no need to softmax before cross_entrpoy",
)
def probabilities_of_words(broken: bool) -> Setup:
    """A language model that gives probabilities to a cross-entropy that has a softmax; the loss left is what it costs.

    Seen: a softmax before the cross-entropy. Answer: it takes scores, and the softmax is in it.
    """

    def loss(scores, words):
        return cross_entropy(jax.nn.softmax(scores) if broken else scores, words)

    return language(_words(0), optax.adam(3e-3), loss=loss)


@fourth(
    "underflow",
    "gradients exactly zero",
    kind="precision",
    family="transformer",
    source="github.com/NVIDIA-NeMo/Speech/issues/12102",
    title="Loss Fails to Converge in Nemo2-sft.ipynb with Precision 16",
)
def fine_tuned_in_sixteen_bits(broken: bool) -> Setup:
    """A language model in float16, whose loss is divided by the number of words of all batches of a step.

    Seen: with precision 16 a gradient norm of 1e-9, and no convergence. Answer: in bf16 or float32 it converges.
    """
    share = 1e-8

    def precise(params):
        return jax.tree.map(lambda leaf: leaf.astype(jnp.float16 if broken else jnp.float32), params)

    def loss(scores, words):
        return share * cross_entropy(scores.astype(jnp.float32), words)

    optimizer = optax.adam(3e-3, eps=1e-16)
    return language(_words(1), optimizer, loss=loss, chance=share * CHANCE, precise=precise)


@fourth(
    "updates lost to rounding",
    kind="precision",
    family="transformer",
    source="github.com/vllm-project/speculators/pull/765",
    title="Fix numerical issues by holding params in fp32",
)
def scales_that_stay_at_one(broken: bool) -> Setup:
    """The scales of a norm, which begin at one and are kept in bfloat16, where one has no neighbour that is near.

    Seen: norms whose weights are all exactly one after training. Answer: hold the parameters in float32.
    """
    draw = np.random.default_rng(0)
    x = draw.normal(size=(2048, WIDTH)).astype(np.float32)
    fixed = (draw.normal(size=(WIDTH, WIDTH)) / WIDTH**0.5).astype(np.float32)
    y = np.asarray(normalised(jnp.asarray(x)) * draw.normal(size=WIDTH) @ fixed, np.float32)
    params = {"norm": {"w": jnp.ones(WIDTH, jnp.bfloat16 if broken else jnp.float32)}}

    def loss(params, batch, offsets):
        hidden = []
        scaled = normalised(batch[0]) * params["norm"]["w"].astype(jnp.float32)
        found = activated("linear", scaled, hidden, offsets) @ fixed
        return ((found - batch[1]) ** 2).mean(), tuple(hidden)

    def error(params):
        return loss(params, (x, y), None)[0] / y.var()

    def apply(params, updates):
        return jax.tree.map(lambda w, u: (w.astype(jnp.float32) + u).astype(w.dtype), params, updates)

    more = {"chance": float(y.var()), "steps": 2000, "batch": 64, "apply": apply}
    return own(params, loss, (x, y), optax.adam(1.5e-3), error, **more)


@fourth(
    "attention logits grow",
    "learning rate too large",
    kind="scores of attention",
    family="transformer",
    source="github.com/Cerebras/modelzoo/pull/85",
    title="fix: apply QK norm in MultiheadAttention hook methods",
)
def norm_that_is_never_called(broken: bool) -> Setup:
    """The mean of the marked ones of 15 numbers, by attention whose queries and keys have a norm that nothing calls.

    Seen: norms that are made and not used. Answer: apply them to queries and keys before their product.
    """
    draw = np.random.default_rng(1)
    numbers = draw.normal(size=(2048, 15))
    marks = draw.random((2048, 15)) < 0.35
    mean = (numbers * marks).sum(1) / np.maximum(marks.sum(1), 1)
    tokens = np.stack([numbers, 2.0 * marks - 1], axis=2).astype(np.float32)
    mean = (mean / mean.std()).astype(np.float32)
    keys = jax.random.split(jax.random.key(2), 5)
    params = {name: dense(key, WIDTH, WIDTH, 1.0) for name, key in zip(("q", "k", "v"), keys, strict=False)}
    params |= {"embed": dense(keys[3], 2, WIDTH, 1.0), "out": dense(keys[4], WIDTH, 1, 1.0)}
    labels = {name: "scores" if name in ("q", "k") else "rest" for name in params}

    def forward(params, tokens, offsets):
        hidden = []
        x = linear(params["embed"], tokens)
        q, k = (linear(params[name], x) for name in ("q", "k"))
        q, k = (q, k) if broken else (normalised(q), normalised(k))
        score = jnp.einsum("nth,nsh->nts", q, k) / WIDTH**0.5
        h = activated("linear", jax.nn.softmax(score) @ linear(params["v"], x), hidden, offsets)
        return linear(params["out"], h.mean(1))[:, 0], (*hidden, (Kind("scores"), score, score))

    def loss(params, batch, offsets):
        found, hidden = forward(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((forward(params, tokens, None)[0] - mean) ** 2).mean() / mean.var()

    optimizer = optax.multi_transform({"scores": optax.lion(0.05), "rest": optax.adam(5e-3)}, labels)
    return own(params, loss, (tokens, mean), optimizer, error, chance=float(mean.var()), steps=600, batch=64)


@fourth(
    "learning rate too large",
    kind="rate",
    family="transformer",
    source="github.com/xcmyz/FastSpeech/issues/37",
    title="default learning_rate_frozen is too big",
)
def rate_for_spectrograms(broken: bool) -> Setup:
    """Frames that a transformer cleans of noise, at a default rate that is much too large.

    Seen: at the default rate the loss cannot converge. Answer: the training script was changed.
    """
    clean = digits()[0].reshape(-1, 8, 8)
    noisy = (clean + 0.5 * np.random.default_rng(2).normal(size=clean.shape)).astype(np.float32)
    spread = clean.var(0).mean()
    params = blocks(4, 2, 8, length=8) | {"frames": mlp(5, [8, WIDTH])["layer00"]}

    def cleaned(params, x, offsets):
        x, points, scores = trunk(params, linear(params["frames"], x) + params["position"]["w"], offsets)
        return linear(params["out"], normalised(x)), (*points, *scores)

    def loss(params, batch, offsets):
        found, hidden = cleaned(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((cleaned(params, noisy[:300], None)[0] - clean[:300]) ** 2).mean() / spread

    optimizer = optax.adam(0.5 if broken else 5e-3)
    return own(params, loss, (noisy, clean), optimizer, error, chance=float(spread), steps=300, batch=64)
