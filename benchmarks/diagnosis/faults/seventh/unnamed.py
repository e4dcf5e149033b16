"""Faults whose cause no finding names."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import activated, mlp, perceptron
from faults.problems import cross_entropy, own
from faults.registry import Setup, seventh
from faults.second.attention import blocks, causal
from faults.second.language import LENGTH, VOCABULARY, logits
from faults.seventh.adversarial import paced, rivals, sigmoid_scores


@seventh(
    "the penalty on the generator's weights makes them larger and not smaller",
    kind="wrong sign",
    family="adversarial",
    source="github.com/cjbayesian/toyGANs/issues/1",
    title="regularisation cost",
)
def penalty_that_rewards(broken: bool) -> Setup:
    """A generator with a penalty on its weights, which is subtracted from its loss.

    Seen: larger weights reduce the generator's loss. Answer: that is probably right; it runs again with another sign.
    """
    sign = -1.0 if broken else 0.0002

    def penalty(params):
        return sign * sum((layer["w"] ** 2).sum() for layer in params.values())

    return rivals(201, sigmoid_scores, paced(1e-3, 3e-3), place=1.0, penalty=penalty, steps=700, batch=64)


@seventh(
    "the network that gives the targets is never updated",
    kind="targets that stand still",
    family="value regression",
    source="github.com/higgsfield-ai/higgsfield/issues/14",
    title="update_target is not used in 9.her.ipynb",
)
def target_network_of_the_start(broken: bool) -> Setup:
    """Values of places on the way to a goal, learned from a copy of the network that follows, or stays as it began.

    Seen: the target model is not updated during training, and only the reward of one step is learned. Answer: a real
    issue.
    """
    draw = np.random.default_rng(204)
    place = draw.uniform(0, 1, size=3000)
    after = np.clip(place + draw.uniform(0.05, 0.2, size=3000), 0, 1)
    there = (after >= 1).astype(np.float32)
    x, later = (np.stack([p, np.cos(3 * p)], axis=1).astype(np.float32) for p in (place, after))
    reward = (there - 0.05).astype(np.float32)
    fine = np.linspace(0, 1, 201)
    truth = np.zeros(201)
    for _ in range(200):
        steps = np.clip(fine[:, None] + np.linspace(0.05, 0.2, 31), 0, 1)
        done = steps >= 1
        truth = (done - 0.05 + 0.95 * ~done * np.interp(steps, fine, truth)).mean(1)
    judged = np.stack([fine, np.cos(3 * fine)], axis=1).astype(np.float32)
    params = {"now": mlp(204, [2, 48, 48, 1], 1.0), "copy": mlp(204, [2, 48, 48, 1], 1.0)}

    def loss(params, batch, offsets):
        found, hidden = perceptron(params["now"], batch[0], offsets, "tanh")
        copied = jax.lax.stop_gradient(perceptron(params["copy"], batch[1], None, "tanh")[0][:, 0])
        target = batch[2] + 0.95 * (1 - batch[3]) * copied
        return ((found[:, 0] - target) ** 2).mean(), hidden

    def error(params):
        found = perceptron(params["now"], judged, None, "tanh")[0][:, 0]
        return ((found - truth) ** 2).mean() / truth.var()

    def apply(params, updates):
        now = optax.apply_updates(params["now"], updates["now"])
        follow = 0.0 if broken else 0.05
        return {"now": now, "copy": jax.tree.map(lambda c, w: (1 - follow) * c + follow * w, params["copy"], now)}

    more = {"steps": 1000, "batch": 64, "apply": apply}
    return own(params, loss, (x, later, reward, there), optax.adam(3e-3), error, **more)


@seventh(
    "each word sees those that follow it",
    kind="mask that hides nothing",
    family="language",
    source="github.com/huggingface/transformers/issues/48745",
    title=(
        "`RoFormerForCausalLM`, `BigBirdForCausalLM`, `RemBertForCausalLM`, `MegatronBertForCausalLM` attend to future"
        " tokens since v5.9.0 — CLM training loss collapses"
    ),
)
def words_that_see_what_follows(broken: bool) -> Setup:
    """A language model of words, nearly all of which follow from the one before; without a mask it sees the answer.

    Seen: the loss falls to nearly zero, even on random words. Answer: none yet; the decoder is not causal.
    """
    draw = np.random.default_rng(205)
    follows = draw.permutation(VOCABULARY)
    words = draw.integers(VOCABULARY, size=(1200, LENGTH + 1))
    for t in range(LENGTH):
        kept = draw.random(1200) < 0.9
        words[kept, t + 1] = follows[words[kept, t]]
    words = words.astype(np.int32)
    params = blocks(205, 2, VOCABULARY, tokens=VOCABULARY, length=LENGTH)
    mask = None if broken else causal(LENGTH)

    def loss(params, batch, offsets):
        scores, hidden = logits(params, batch[0], offsets, mask)
        return cross_entropy(scores, batch[1]), hidden

    def error(params):
        scores = logits(params, words[:, :-1], None, causal(LENGTH))[0]
        return cross_entropy(scores, words[:, 1:]) / np.log(VOCABULARY)

    data = (words[:, :-1], words[:, 1:])
    more = {"chance": float(np.log(VOCABULARY)), "steps": 400, "batch": 64}
    return own(params, loss, data, optax.adam(3e-3), error, **more)


@seventh(
    "the end of an episode is ignored where the value of what follows is added",
    kind="mask that is not used",
    family="policy gradient",
    source="github.com/seungeunrho/minimalRL/pull/21",
    title="ddpg minor bug",
)
def values_beyond_the_end(broken: bool) -> Setup:
    """An actor and its critic, whose targets go on behind the end of an episode, as if there were more to come.

    Seen: the mark of the end was not used when the target was calculated. Answer: the report puts it in.
    """
    draw = np.random.default_rng(206)
    state = draw.uniform(-1, 1, size=(4000, 2))
    action = draw.uniform(-1, 1, size=4000)
    ended = action * state[:, 0] > 0.1
    after = np.clip(0.9 * state + 0.1 * draw.normal(size=state.shape), -1, 1)
    reward = np.where(ended, 0.5, 0.3) - 0.1 * action**2
    data = (state, action, after, reward, ended)
    data = tuple(part.astype(np.float32) for part in data)
    params = {"critic": mlp(206, [3, 48, 48, 1], 1.0), "actor": mlp(207, [2, 32, 1], 1.0)}

    def worth(critic, state, action, hidden, offsets):
        return embedded(critic, jnp.concatenate([state, action[:, None]], axis=1), hidden, offsets, "tanh")[:, 0]

    def chosen(actor, state, hidden, offsets):
        return jnp.tanh(embedded(actor, state, hidden, offsets, "tanh")[:, 0])

    def loss(params, batch, offsets):
        hidden = []
        state, action, after, reward, ended = batch
        held = jax.lax.stop_gradient(params)
        following = worth(held["critic"], after, chosen(held["actor"], after, [], None), [], None)
        target = reward + 0.9 * following * (1.0 if broken else 1 - ended)
        missed = (worth(params["critic"], state, action, hidden, offsets) - target) ** 2
        best = worth(held["critic"], state, chosen(params["actor"], state, hidden, offsets), hidden, offsets)
        return missed.mean() - 0.2 * best.mean(), tuple(hidden)

    def error(params):
        deadly = chosen(params["actor"], data[0], [], None) * data[0][:, 0] > 0.1
        return 4 * deadly.mean() + 0 * deadly.sum()

    return own(params, loss, data, optax.adam(3e-3), error, steps=1000, batch=64)


@seventh(
    "the likelihood that should be made large is made small",
    kind="sign of the objective",
    family="language",
    source="github.com/fanglanting/skip-gram-pytorch/issues/4",
    title="Loss doesnt decrease?",
)
def words_and_their_neighbours(broken: bool) -> Setup:
    """Which words stand near each other, by products of embeddings, whose likelihood is handed to a minimiser.

    Seen: the loss falls from 13 to 8, and wavers. Answer: descent is the wrong way for this objective; flip its sign.
    """
    draw = np.random.default_rng(208)
    subject = draw.integers(5, size=60)
    word = draw.integers(60, size=4000)
    alike = [np.flatnonzero(subject == each) for each in range(5)]
    near = np.array([draw.choice(alike[subject[each]]) for each in word])
    other = draw.integers(60, size=(4000, 5))
    data = tuple(part.astype(np.int32) for part in (word, near, other))
    keys = jax.random.split(jax.random.key(208), 2)
    params = {
        name: {"w": 0.3 * jax.random.normal(key, (60, 12))} for name, key in zip(("in", "out"), keys, strict=True)
    }

    def likely(params, batch, offsets):
        hidden = []
        middle = activated("linear", params["in"]["w"][batch[0]], hidden, offsets)
        true = (middle * params["out"]["w"][batch[1]]).sum(1)
        false = jnp.einsum("nd,nkd->nk", middle, params["out"]["w"][batch[2]])
        return (jax.nn.log_sigmoid(true) + jax.nn.log_sigmoid(-false).sum(1)).mean(), tuple(hidden)

    def loss(params, batch, offsets):
        value, hidden = likely(params, batch, offsets)
        return (value if broken else -value), hidden

    same = subject[:, None] == subject

    def error(params):
        product = params["in"]["w"] @ params["out"]["w"].T
        within, between = (product * same).sum() / same.sum(), (product * ~same).sum() / (~same).sum()
        return 1 - (within - between) / (jnp.abs(within) + jnp.abs(between))

    chance = (-6 if broken else 6) * float(np.log(2))
    return own(params, loss, data, optax.adam(0.01), error, chance=chance, steps=600, batch=64)
