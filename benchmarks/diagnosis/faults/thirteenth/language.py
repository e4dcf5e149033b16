"""Language models: weights that are rounded, a rate, labels that are moved twice, and adapters without a gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import linear
from faults.problems import classified, cross_entropy, recognised
from faults.registry import Setup, thirteenth
from faults.second.attention import at_each_word, blocks, causal, normalised, trunk
from faults.twelfth.language import texts


def foretold(params, text, optimizer, *, words: int, steps: int, cast=lambda w: w, **more) -> Setup:
    """The next word at each place, by blocks that see what is before."""
    length = text.shape[1] - 1

    def scores(params, text, offsets):
        params = jax.tree.map(cast, params)
        return at_each_word(params, text, offsets, causal(length))

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0][:, :-1], offsets)
        return cross_entropy(found, batch[0][:, 1:]), hidden

    right = jax.jit(lambda params: (scores(params, text[1600:, :-1], None)[0].argmax(-1) == text[1600:, 1:]).mean())
    more = {"classes": words, "batch": 32, "steps": steps, **more}
    return classified(params, loss, (text[:1600],), optimizer, right, **more)


@thirteenth(
    "updates lost to rounding",
    kind="rounding to the nearest",
    family="language",
    source="github.com/pytorch/ao/pull/1124",
    title="Add BF16 stochastic rounding option for optimizers",
)
def rounding_to_the_nearest(broken: bool) -> Setup:
    """The next word at each place by a block in bfloat16, whose updates are rounded to the nearest, or by chance.

    Seen: if an update is smaller than a thousandth of a weight, the weight does not change. Answer: rounding by
    chance; merged.
    """
    _, text = texts(1409, 12, 8)
    params = jax.tree.map(lambda w: w.astype(jnp.bfloat16), blocks(1409, 1, 12, tokens=12, length=8))

    def single(w):
        return w.astype(jnp.float32)

    def by_chance(w, u):
        exact = single(w) + u
        bits = jax.lax.bitcast_convert_type(exact, jnp.uint32)
        seed = jax.lax.bitcast_convert_type(u.sum().astype(jnp.float32), jnp.int32)
        added = jax.random.bits(jax.random.key(seed), exact.shape, jnp.uint32) >> 16
        kept = (bits + added) & jnp.uint32(0xFFFF0000)
        return jax.lax.bitcast_convert_type(kept, jnp.float32).astype(jnp.bfloat16)

    def apply(params, updates):
        def nearest(w, u):
            return (single(w) + u).astype(jnp.bfloat16)

        return jax.tree.map(nearest if broken else by_chance, params, jax.tree.map(single, updates))

    return foretold(params, text, optax.adam(3e-4), words=12, steps=1200, cast=single, apply=apply)


@thirteenth(
    "learning rate too large",
    kind="rate",
    family="language",
    source="github.com/paiml/entrenar/issues/274",
    title="fix: Run 8 loss divergence after step 220 — lr=2e-5 too aggressive for 22K dataset",
)
def rate_for_more_text(broken: bool) -> Setup:
    """The next word at each place by two blocks, at a rate that is too large behind its warm-up, or at a smaller one.

    Seen: the loss falls, and behind step 220 rises to that of chance. Answer: the rate is too large; a smaller one.
    """
    _, text = texts(1411, 12, 8)
    rate = optax.linear_schedule(0.0, 0.5 if broken else 5e-3, 100)
    return foretold(blocks(1411, 2, 12, tokens=12, length=8), text, optax.adam(rate), words=12, steps=300)


@thirteenth(
    "constant answer",
    kind="labels that are moved twice",
    family="language",
    source="github.com/huggingface/transformers/pull/37830",
    title="Fixed a bug calculating cross entropy loss in `JetMoeForCausalLM`",
)
def labels_that_are_moved_twice(broken: bool) -> Setup:
    """Answers to one-word questions that follow one another, by a block that is to say the next word, or the one after.

    Seen: labels are shifted before a loss that shifts them again, so that the word after the next is to be said.
    Answer: they are no longer shifted before; merged.
    """
    draw = np.random.default_rng(1413)
    rule, asked = draw.permutation(16), draw.integers(16, size=(2000, 5))
    text = np.stack([asked, 16 + rule[asked]], axis=2).reshape(2000, 10).astype(np.int32)
    params = blocks(1413, 1, 32, tokens=32, length=8)
    counts = (np.arange(1, 9) + broken) % 2 == 1
    wanted = text[:, 2:] if broken else text[:, 1:9]

    def scores(params, text, offsets):
        return at_each_word(params, text, offsets, causal(8))

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], offsets)
        each = optax.softmax_cross_entropy_with_integer_labels(found, batch[1])
        return (each * counts).sum(1).mean() / 4, hidden

    def right(params):
        found = scores(params, text[1600:, :8], None)[0].argmax(-1)
        return (found == text[1600:, 1:9])[:, ::2].mean()

    more = {"classes": 16, "batch": 32, "steps": 300}
    return classified(params, loss, (text[:1600, :8], wanted[:1600]), optax.adam(5e-3), jax.jit(right), **more)


@thirteenth(
    "frozen",
    kind="adapters behind a checkpoint",
    family="language",
    source="github.com/locuslab/open-unlearning/issues/178",
    title="PEFT LoRA transformer layers not trained when gradient_checkpointing=True — "
    "enable_input_require_grads() missing",
)
def adapters_without_a_gradient(broken: bool) -> Setup:
    """What each word of a text means, by a block with adapters of low rank, which get a gradient or none.

    Seen: with checkpoints of activations, adapters in the layers stay as they were. Answer: the report's own: inputs
    are to require a gradient, which checkpoints need.
    """
    draw = np.random.default_rng(1415)
    text = draw.integers(12, size=(1500, 8)).astype(np.int32)
    rule = draw.integers(6, size=(12, 12))
    meaning = rule[text, np.roll(text, 3, 1)].astype(np.int32)
    base = blocks(1415, 1, 6, tokens=12, length=8)
    keys = jax.random.split(jax.random.key(1416), 6)
    adapters = {}
    for key, (name, layer) in zip(keys, sorted(base["block00"].items()), strict=True):
        inputs, outputs = layer["w"].shape
        adapters[name] = {"down": jax.random.normal(key, (inputs, 8)) / inputs**0.5, "up": jnp.zeros((8, outputs))}
    params = {"adapters": adapters, "out": base["out"]}

    def scores(params, text, offsets):
        given = params["adapters"]
        block = {
            name: {"w": layer["w"] + given[name]["down"] @ given[name]["up"], "b": layer["b"]}
            for name, layer in base["block00"].items()
        }
        x = base["embed"]["w"][text] + base["position"]["w"]
        said, points, scored = trunk({"block00": block}, x, offsets)
        return linear(params["out"], normalised(said)), (*points, *scored)

    rates = {"out": optax.adam(1e-2), "adapters": optax.set_to_zero() if broken else optax.adam(1e-2)}
    optimizer = optax.multi_transform({**rates}, {"out": "out", "adapters": "adapters"})
    data, others = (text[:1200], meaning[:1200]), (text[1200:], meaning[1200:])
    return recognised(params, scores, data, others, optimizer, classes=6, batch=32, steps=600)
