"""Transformers: gates and parameters that nobody trains, gradients that are summed or cut, an action out of range."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fourth.transformer import language
from faults.nets import activated, dense, mlp, perceptron
from faults.problems import cross_entropy, digits, own, recognised
from faults.registry import Setup, sixth
from faults.second.attention import WIDTH, blocks, linear, normalised, trunk
from faults.second.language import LENGTH, VOCABULARY


@sixth(
    "learning rate too large",
    "first loss too large",
    kind="gradients that are summed",
    family="transformer",
    source="github.com/paiml/aprender/pull/2123",
    title="fix(train): gradient accumulation stepped on SUM not MEAN — K-fold LR inflation (PMAT-839)",
)
def sum_of_sixteen_small_batches(broken: bool) -> Setup:
    """A language model whose batch is sixteen small ones, whose gradients are added where a mean is meant.

    Seen: the rate is in effect as many times too large as there are small batches, and diverges. Answer: the mean.
    """
    step = optax.sgd(0.4, 0.9)
    optimizer = optax.chain(optax.scale(16.0), step) if broken else step
    params = blocks(0, 2, VOCABULARY, tokens=VOCABULARY, length=LENGTH)
    return language(params, optimizer, loss=cross_entropy)


@sixth(
    "gradients exactly zero",
    "frozen",
    kind="layers that are zero one behind another",
    family="transformer",
    source="github.com/yz93/LAVT-RIS/issues/25",
    title="About zero initialization",
)
def gate_of_two_layers_of_zeros(broken: bool) -> Setup:
    """Words that reach a picture through a gate, both of whose layers begin at zero: nothing reaches it, ever.

    Seen: the gradient of the gate is always zero. Answer: without the first of the two zero layers it is not.
    """
    draw = np.random.default_rng(0)
    keys = draw.normal(size=(2048, 6, 5))
    values = draw.normal(size=(2048, 6)).astype(np.float32)
    asked = draw.integers(6, size=2048)
    pixel = (keys[np.arange(2048), asked] + 0.1 * draw.normal(size=(2048, 5))).astype(np.float32)
    answer = values[np.arange(2048), asked]
    words = np.concatenate([keys, values[..., None]], axis=2).astype(np.float32)
    own_keys = jax.random.split(jax.random.key(1), 6)
    params = {
        "see": dense(own_keys[0], 5, WIDTH, 1.0),
        "q": dense(own_keys[1], WIDTH, WIDTH, 6.0),
        "k": dense(own_keys[2], 6, WIDTH, 6.0),
        "v": dense(own_keys[3], 6, WIDTH, 1.0),
        "gate0": {"w": (not broken) * dense(own_keys[4], WIDTH, WIDTH)["w"]},
        "gate1": {"w": jnp.zeros((WIDTH, WIDTH))},
        "head": mlp(2, [WIDTH, 32, 1]),
    }

    def answered(params, words, pixel, offsets):
        hidden = []
        x = linear(params["see"], pixel)
        score = jnp.einsum("nd,ntd->nt", linear(params["q"], x), linear(params["k"], words)) / WIDTH**0.5
        said = jnp.einsum("nt,ntd->nd", jax.nn.softmax(score), linear(params["v"], words))
        opened = activated("relu", said @ params["gate0"]["w"], hidden, offsets)
        x = x + activated("tanh", opened @ params["gate1"]["w"], hidden, offsets) * said
        h = activated("relu", linear(params["head"]["layer00"], x), hidden, offsets)
        return linear(params["head"]["layer01"], h)[:, 0], tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = answered(params, *batch[:2], offsets)
        return ((found - batch[2]) ** 2).mean(), hidden

    def error(params):
        return ((answered(params, words, pixel, None)[0] - answer) ** 2).mean() / answer.var()

    more = {"chance": float(answer.var()), "steps": 1000, "batch": 64}
    return own(params, loss, (words, pixel, answer), optax.adam(5e-3), error, **more)


@sixth(
    "frozen",
    kind="optimizer of nothing",
    family="transformer",
    source="github.com/open-mmlab/OpenPCDet/issues/960",
    title="Optimizer neglection when using nn.Parameter and 'adam_one_cycle'",
)
def places_that_no_group_holds(broken: bool) -> Setup:
    """Which half of a scan is the brighter one, by tokens whose places are a bare parameter that begins at zero.

    Seen: a parameter that belongs to no leaf module is in no group of the optimizer. Answer: wrap it in a module.
    """
    draw = np.random.default_rng(3)
    bright = draw.normal(size=(1500, 8))
    label = (bright[:, :4].sum(1) > bright[:, 4:].sum(1)).astype(np.int32)
    features = np.concatenate([bright[..., None], draw.normal(size=(1500, 8, 2))], axis=2).astype(np.float32)
    params = blocks(4, 1, 2, length=8) | {"embed": dense(jax.random.key(5), 3, WIDTH, 1.0)}
    params["position"]["w"] = jnp.zeros_like(params["position"]["w"])

    def scores(params, x, offsets):
        x, points, scored = trunk(params, linear(params["embed"], x) + params["position"]["w"], offsets)
        return linear(params["out"], normalised(x).mean(1)), (*points, *scored)

    groups = {name: "unknown" if broken and name == "position" else "known" for name in params}
    optimizer = optax.multi_transform({"known": optax.adam(5e-3), "unknown": optax.set_to_zero()}, groups)
    return recognised(
        params, scores, (features, label), (features[:500], label[:500]), optimizer, classes=2, steps=500, batch=64
    )


@sixth(
    "gradients exactly zero",
    "frozen",
    kind="gradient that is cut off",
    family="transformer",
    source="github.com/QwenLM/Qwen-VL/issues/124",
    title="冻结lm_head出现问题",
)
def pictures_written_into_the_words(broken: bool) -> Setup:
    """The digit of a picture, whose embedding is written among those of words, before a language model that is fixed.

    Seen: with the language model fixed, the part that sees has no gradient at all. Answer: embeddings were assigned
    through `.data`; with a clone they are not.
    """
    x, y, x_other, y_other = digits()
    reader = blocks(6, 1, 10, tokens=4, length=3)

    def scores(params, x, offsets):
        seen, hidden = perceptron(params, x, offsets)
        seen = jax.lax.stop_gradient(seen) if broken else seen
        words = jnp.broadcast_to(reader["embed"]["w"][jnp.array([1, 0, 2])], (len(x), 3, WIDTH))
        said, _, _ = trunk(reader, words.at[:, 1].set(seen) + reader["position"]["w"], None)
        return linear(reader["out"], normalised(said[:, 1])), hidden

    more = {"classes": 10, "steps": 400, "batch": 64}
    return recognised(mlp(7, [64, 48, WIDTH]), scores, (x, y), (x_other, y_other), optax.adam(3e-3), **more)


STUCK = 1792
"""A demonstration that is drawn once, at step 333 of 550."""


@sixth(
    "loss spike",
    "learning rate too large",
    kind="a single bad example",
    family="transformer",
    source="github.com/openvla/openvla/pull/334",
    title="Add gradient clipping to LoRA fine-tuning loop",
)
def robot_that_sees_a_stuck_arm(broken: bool) -> Setup:
    """Actions that follow from what is seen in six tokens, by a transformer that meets one whose action is far out.

    Seen: a loss spike at 6,000 steps, after which all actions are the same for good. Answer: clip the norm at one.
    """
    draw = np.random.default_rng(8)
    seen = draw.normal(size=(4000, 6, 4)).astype(np.float32)
    action = np.tanh(seen[:, :, 0].sum(1, keepdims=True) * np.array([0.5, -0.5])) + 0.5 * seen[:, 0, 1:3]
    action = action.astype(np.float32)
    params = blocks(9, 2, 2, length=6) | {"embed": dense(jax.random.key(10), 4, WIDTH, 1.0)}
    given = action.copy()
    given[STUCK] = 2000.0

    def acted(params, x, offsets):
        x, points, scores = trunk(params, linear(params["embed"], x) + params["position"]["w"], offsets)
        return linear(params["out"], normalised(x).mean(1)), (*points, *scores)

    def loss(params, batch, offsets):
        found, hidden = acted(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((acted(params, seen[:500], None)[0] - action[:500]) ** 2).mean() / action.var()

    step = optax.sgd(0.02, 0.9)
    optimizer = step if broken else optax.chain(optax.clip_by_global_norm(1.0), step)
    more = {"chance": float(action.var()), "steps": 500, "batch": 32}
    return own(params, loss, (seen, given), optimizer, error, **more)
