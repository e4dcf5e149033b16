"""What to do in a state: a value within a range, steps that are too small for sixteen bits, and shares taken twice."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, thirteenth

DEEDS = 12


def halves(offsets):
    """Those of the first network's two hidden layers, and those of the second's."""
    return (None, None) if offsets is None else (offsets[:2], offsets[2:])


def lessons(seed: int, count: int = 4000):
    """States, what is best in each, what was done there by chance, and the reward minus its mean."""
    draw = np.random.default_rng(seed)
    state = draw.normal(size=(count, 4)).astype(np.float32)
    best = (state @ draw.normal(size=(4, DEEDS))).argmax(1).astype(np.int32)
    right = draw.random(count) < 0.4
    deed = np.where(right, best, draw.integers(DEEDS, size=count)).astype(np.int32)
    better = (deed == best).astype(np.float32) - 0.2
    return state, best, deed, better.astype(np.float32)


def share_of_the_best(params, state, best, scores=lambda z: z, kind="tanh"):
    """How often the policy does something else than the best, as a share of what chance does."""
    shares = jax.nn.softmax(scores(perceptron(params, state, None, kind)[0].astype(jnp.float32)))
    return (1 - jnp.take_along_axis(shares, best[:, None], 1).mean()) / (1 - 1 / DEEDS)


@thirteenth(
    "gradients exactly zero",
    "frozen",
    kind="value within a range",
    family="policy gradient",
    source="github.com/openai/baselines/issues/131",
    title="Zero gradient from clipping critic gradient?",
)
def value_within_its_range(broken: bool) -> Setup:
    """How far to turn in a state, by what a critic says it is worth, cut off at the ends of a range of returns.

    Seen: what the critic says is clipped, and then used for the loss of the actor, whose gradient is nothing where the
    value is too large. Answer: none that settles it; here, the actor sees the value as it is.
    """
    draw = np.random.default_rng(1351)
    state = draw.normal(size=(3000, 4)).astype(np.float32)
    best = np.tanh(state[:, 0] + state[:, 1]).astype(np.float32)
    deed = draw.uniform(-1.5, 1.5, size=3000).astype(np.float32)
    worth = (4 - (deed - best) ** 2 / 2).astype(np.float32)
    params = {"actor": mlp(1351, [4, 32, 32, 1], 1.0), "critic": mlp(1352, [5, 48, 48, 1], 1.0)}
    params["critic"]["layer02"]["b"] = jnp.full(1, 3.5)

    def loss(params, batch, offsets):
        state, deed, worth = batch
        held = jax.lax.stop_gradient
        one, two = halves(offsets)
        own_deed, first = perceptron(params["actor"], state, one, "tanh")
        said, second = perceptron(params["critic"], jnp.concatenate([state, deed[:, None]], axis=1), two, "tanh")
        given = jnp.concatenate([state, 1.5 * jnp.tanh(own_deed)], axis=1)
        value = perceptron(held(params["critic"]), given, None, "tanh")[0][:, 0]
        value = jnp.clip(value, -1, 1) if broken else value
        return ((said[:, 0] - worth) ** 2).mean() - value.mean(), (*first, *second)

    def error(params):
        found = 1.5 * jnp.tanh(perceptron(params["actor"], state, None, "tanh")[0][:, 0])
        return ((found - best) ** 2).mean() / best.var()

    return own(params, loss, (state, deed, worth), optax.adam(3e-3), error, steps=500, batch=64)


@thirteenth(
    "updates lost to rounding",
    kind="weights in sixteen bits",
    family="policy gradient",
    source="github.com/areal-project/AReaL/pull/1634",
    title="fix(examples): retune GSM8K GRPO learning rate for FP32 master weights",
)
def policy_in_bfloat16(broken: bool) -> Setup:
    """Which of twelve things to do in a state, by a policy that is stored in bfloat16, or in float32.

    Seen: parameters were loaded in bfloat16, whose small updates are quantised away. Answer: masters in float32, with
    a rate for them; merged.
    """
    state, best, deed, better = lessons(1353)
    stored = jnp.bfloat16 if broken else jnp.float32
    params = mlp(1353, [4, 160, 160, DEEDS], 2.0, 0.5)
    params = jax.tree.map(lambda w: jnp.asarray(w, stored), params)

    def loss(params, batch, offsets):
        scores, hidden = perceptron(params, batch[0].astype(stored), offsets, "tanh")
        log = jax.nn.log_softmax(scores.astype(jnp.float32))
        return -(jnp.take_along_axis(log, batch[1][:, None], 1)[:, 0] * batch[2]).mean(), hidden

    def error(params):
        return share_of_the_best(params, state.astype(stored), best)

    return own(params, loss, (state, deed, better), optax.adam(1e-4), error, steps=500, batch=64)


@thirteenth(
    "softmax applied twice",
    kind="shares taken for scores",
    family="policy gradient",
    source="github.com/ekapolc/RL_course_2019/pull/6",
    title="fix distribution bug",
)
def probabilities_for_scores(broken: bool) -> Setup:
    """Which of twelve things to do in a state, by a policy whose shares are given to a distribution as its scores.

    Seen: results are worse than with the other framework, since the distribution takes scores first, and then shares.
    Answer: name the argument; merged.
    """
    state, best, deed, better = lessons(1355)

    def scores(z):
        return jax.nn.softmax(z) if broken else z

    def loss(params, batch, offsets):
        z, hidden = perceptron(params, batch[0], offsets, "tanh")
        log = jax.nn.log_softmax(scores(z))
        return -(jnp.take_along_axis(log, batch[1][:, None], 1)[:, 0] * batch[2]).mean(), hidden

    def error(params):
        return share_of_the_best(params, state, best, scores)

    return own(
        mlp(1355, [4, 48, 48, DEEDS], 1.0), loss, (state, deed, better), optax.adam(3e-3), error, steps=500, batch=64
    )


@thirteenth(
    "loss spike",
    kind="ratio that is very large",
    family="policy gradient",
    source="github.com/huggingface/trl/pull/281",
    title="Loss spike check",
)
def ratio_of_a_rare_deed(broken: bool) -> Setup:
    """Which of twelve things to do in a state, by how much more often it is done now, with one deed that was very rare.

    Seen: the loss of the policy jumps; a very large ratio meets a negative advantage, which the cut does not bound.
    Answer: bound the loss; closed, with another place for it in the end. Here, the ratio is bounded.
    """
    state, best, deed, better = lessons(1357, 20000)
    before = np.full(20000, -np.log(DEEDS), np.float32)
    rare = 15895  # drawn once, behind the middle
    before[rare], better[rare], deed[rare] = -14.0, -0.2, (best[rare] + 2) % DEEDS

    def loss(params, batch, offsets):
        scores, hidden = perceptron(params, batch[0], offsets, "tanh")
        log = jnp.take_along_axis(jax.nn.log_softmax(scores), batch[1][:, None], 1)[:, 0]
        ratio = jnp.exp(log - batch[3])
        ratio = ratio if broken else jnp.minimum(ratio, 20.0)
        return -(ratio * batch[2]).mean(), hidden

    def error(params):
        return share_of_the_best(params, state[:4000], best[:4000])

    params, data = mlp(1357, [4, 48, 48, DEEDS], 1.0), (state, deed, better, before)
    return own(params, loss, data, optax.sgd(0.1, 0.9), error, steps=400, batch=64)


@thirteenth(
    "frozen",
    "gradients exactly zero",
    kind="copy that is changed",
    family="policy gradient",
    source="github.com/jsboige/CoursIA/pull/3330",
    title="fix(qc-research): repair frozen PPO actor in research_rl_ppo (#3326)",
)
def actor_that_reads_its_first_weights(broken: bool) -> Setup:
    """Which of twelve things to do in a state, and what it is worth; the actor is computed by the weights of the start.

    Seen: the actor never learns, since what is changed is a list, and not the arrays by which it is computed. Answer:
    both are kept the same; merged.
    """
    state, best, deed, better = lessons(1359)
    params = {"actor": mlp(1359, [4, 48, 48, DEEDS], 1.0), "critic": mlp(1360, [4, 32, 32, 1], 1.0)}
    start = params["actor"]

    def loss(params, batch, offsets):
        one, two = halves(offsets)
        scores, first = perceptron(start if broken else params["actor"], batch[0], one, "tanh")
        worth, second = perceptron(params["critic"], batch[0], two, "tanh")
        log = jnp.take_along_axis(jax.nn.log_softmax(scores), batch[1][:, None], 1)[:, 0]
        better = batch[2] - jax.lax.stop_gradient(worth[:, 0])
        return -(log * better).mean() + ((worth[:, 0] - batch[2]) ** 2).mean(), (*first, *second)

    def error(params):
        return share_of_the_best(start if broken else params["actor"], state, best)

    return own(params, loss, (state, deed, better), optax.adam(3e-3), error, steps=500, batch=64)
