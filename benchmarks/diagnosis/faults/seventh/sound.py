"""Runs that are in order and look odd: nothing is wrong with them.

The one that is called broken is the odd one. The other is the same run carried on, or made in the usual way.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.fourth.convolutional import fields, seen
from faults.nets import activated, dense, linear, mlp, perceptron
from faults.problems import cross_entropy, digits, own
from faults.registry import Setup, seventh
from faults.second.attention import WIDTH, blocks, normalised, trunk
from faults.second.contrastive import unit
from faults.second.convolutional import convolve, filters
from faults.seventh.adversarial import rivals
from faults.seventh.regression import GRID
from faults.third.contrastive import views

NOTHING = "nothing wrong"


@seventh(
    NOTHING,
    kind="divergence that rises",
    family="likelihood",
    source="github.com/facebookresearch/improved_vrnn/issues/4",
    title="KL loss isn't decreasing",
    sound=True,
)
def code_that_begins_to_say_something(broken: bool) -> Setup:
    """Pictures through a code, whose divergence from the prior grows from nothing while they become better.

    Seen: the divergence keeps increasing. Answer: normal; first the code is used, and later it comes near the prior.
    """
    x = digits()[0]
    noise = np.random.default_rng(211).normal(size=(len(x), 16)).astype(np.float32)
    params = {"encoder": mlp(211, [64, 64, 32], 1.0), "decoder": mlp(212, [16, 64, 64], 1.0)}
    params["encoder"]["layer01"]["w"] = 0.05 * params["encoder"]["layer01"]["w"]
    weight = 1.0 if broken else 0.1

    def back(params, x, noise, offsets):
        hidden = []
        mean, log = jnp.split(embedded(params["encoder"], x, hidden, offsets, "tanh"), 2, axis=1)
        log = 4 * jnp.tanh(log / 4)
        h = embedded(params["decoder"], mean + jnp.exp(log / 2) * noise, hidden, offsets, "tanh")
        return h, 0.5 * (mean**2 + jnp.exp(log) - log - 1).sum(1).mean(), tuple(hidden)

    def loss(params, batch, offsets):
        found, divergence, hidden = back(params, *batch, offsets)
        return ((found - batch[0]) ** 2).sum(1).mean() + weight * divergence, hidden

    spread = float(x.var(0).sum())

    def error(params):
        return ((back(params, x, 0 * noise, None)[0] - x) ** 2).sum(1).mean() / spread

    return own(params, loss, (x, noise), optax.adam(3e-3), error, chance=spread, steps=700, batch=64)


@seventh(
    NOTHING,
    kind="rectified answer",
    family="convolutional",
    source="github.com/ildoonet/tf-pose-estimation/issues/55",
    title="why last layer in each stage has Relu=false",
    sound=True,
)
def maps_of_joints_behind_a_rectifier(broken: bool) -> Setup:
    """Maps of two joints, which are mostly zero, by a network whose last layer has a rectifier, too.

    Seen: the last layer has none here, and one in the original. Answer: with one it performs in the same manner, since
    a map holds nothing below zero.
    """
    draw = np.random.default_rng(213)
    place = draw.uniform(0.5, 6.5, size=(1500, 2, 2))
    far = ((GRID[None, :, :, None] - place[:, None, None]) ** 2).sum(-1)
    maps = np.exp(-far / 1.5).astype(np.float32)
    picture = (maps @ np.array([[1.0, 0.4], [-0.3, 1.0]]) + 0.1 * draw.normal(size=maps.shape)).astype(np.float32)
    params = filters(213, [2, 16, 16]) | {"out": dense(jax.random.key(214), 16, 2, 1.0)}

    def joints(params, picture, offsets):
        hidden = []
        h = activated("relu", convolve(params["conv00"], picture), hidden, offsets)
        z = linear(params["out"], activated("relu", convolve(params["conv01"], h), hidden, offsets))
        return (activated("relu", z, hidden, offsets) if broken else z), tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = joints(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).sum((1, 2, 3)).mean(), hidden

    def error(params):
        return ((joints(params, picture[:300], None)[0] - maps[:300]) ** 2).mean() / maps.var()

    more = {"chance": float(maps.var(0).sum()), "steps": 400, "batch": 32}
    return own(params, loss, (picture, maps), optax.adam(2e-3), error, **more)


@seventh(
    NOTHING,
    kind="loss of a policy",
    family="policy gradient",
    source="github.com/aburkov/theLMbook/issues/6",
    title="Question about loss rapidly increasing after 400 steps in GRPO from Scratch",
    sound=True,
)
def policy_that_leaves_its_reference(broken: bool) -> Setup:
    """A policy that is rewarded in groups and kept near a reference; what is recorded grows with the distance.

    Seen: the loss rapidly increases, while the reward stays as it is. Answer: as the policy gets farther from the
    reference, the divergence grows, and so does the loss.
    """
    draw = np.random.default_rng(215)
    x = draw.normal(size=(3000, 4)).astype(np.float32)
    best = (x @ draw.normal(size=(4, 5))).argmax(1)
    reference = mlp(215, [4, 48, 5], 1.0)
    tried = draw.integers(5, size=(3000, 8)).astype(np.int32)
    reward = (tried == best[:, None]).astype(np.float32)
    better = (reward - reward.mean(1, keepdims=True)) / (reward.std(1, keepdims=True) + 1e-4)

    def loss(params, batch, offsets):
        scores, hidden = perceptron(params, batch[0], offsets, "tanh")
        log = jax.nn.log_softmax(scores)
        before = jax.nn.log_softmax(perceptron(reference, batch[0], None, "tanh")[0])
        chosen = jnp.take_along_axis(log, batch[1], 1)
        ratio = jnp.exp(chosen - jax.lax.stop_gradient(chosen))
        divergence = (jnp.exp(log) * (log - before)).sum(1).mean()
        return -(ratio * batch[2]).mean() + (0.02 if broken else 0.0) * divergence, hidden

    def error(params):
        return (perceptron(params, x, None, "tanh")[0].argmax(-1) != best).mean() / 0.8

    data = (x, tried, better.astype(np.float32))
    return own(reference, loss, data, optax.adam(2e-3), error, steps=500, batch=64)


@seventh(
    NOTHING,
    kind="plateau and jump",
    family="transformer",
    source="github.com/Fen9/WReN/issues/1",
    title="Performance",
    sound=True,
)
def reasoning_that_comes_late(broken: bool) -> Setup:
    """Which of six notes a question asks for: nothing is learned for long, and then nearly all of it at once.

    Seen: the accuracy jumps at about the tenth epoch. Answer: such a jump could happen, whatever the start; it did in
    several trainings.
    """
    draw = np.random.default_rng(217)
    names = np.stack([draw.permutation(8)[:6] for _ in range(4000)])
    values = draw.integers(4, size=(4000, 6))
    which = np.arange(4000), draw.integers(6, size=4000)
    question, answer = names[which], values[which].astype(np.int32)
    notes = np.concatenate([np.eye(8)[names], np.eye(4)[values], np.zeros((4000, 6, 1))], axis=2)
    last = np.concatenate([np.eye(8)[question], np.zeros((4000, 4)), np.ones((4000, 1))], axis=1)
    x = np.concatenate([notes, last[:, None]], axis=1).astype(np.float32)
    params = blocks(217, 2, 4) | {"embed": dense(jax.random.key(218), 13, WIDTH, 1.0)}

    def scores(params, x, offsets):
        said, points, scored = trunk(params, linear(params["embed"], x), offsets)
        return linear(params["out"], normalised(said)[:, -1]), (*points, *scored)

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], offsets)
        return cross_entropy(found, batch[1]), hidden

    def error(params):
        return (scores(params, x[3500:], None)[0].argmax(-1) != answer[3500:]).mean() / 0.75

    rate = 1e-3 if broken else 3e-3
    more = {"chance": float(np.log(4)), "steps": 1200, "batch": 64}
    return own(params, loss, (x[:3500], answer[:3500]), optax.adam(rate), error, **more)


@seventh(
    NOTHING,
    kind="noise",
    family="convolutional",
    source="github.com/sergeywong/cp-vton/issues/17",
    title="Train Loss Oscillation",
    sound=True,
)
def clothes_by_batches_of_four(broken: bool) -> Setup:
    """A piece of cloth that is put in its place on a picture, by batches of four: the loss goes up and down.

    Seen: the loss jumps all the time, even if it falls in general. Answer: that is what training in batches is like.
    """
    cloth = fields(2000, 219)[0]
    worn = np.roll(cloth, 1, 2) * np.linspace(0.3, 1.5, 8, dtype=np.float32)[:, None, None]
    strength = np.random.default_rng(219).lognormal(0, 0.5, size=(2000, 1, 1, 1)).astype(np.float32)
    params = filters(219, [1, 12, 12]) | {"out": dense(jax.random.key(220), 12, 1, 1.0)}

    def put(params, cloth, offsets):
        maps, hidden = seen(params, cloth, offsets)
        return linear(params["out"], maps), hidden

    def loss(params, batch, offsets):
        found, hidden = put(params, batch[0], offsets)
        return jnp.abs(found - batch[1]).mean(), hidden

    def error(params):
        return ((put(params, strength * cloth, None)[0] - strength * worn) ** 2).mean() / (strength * worn).var()

    data = (strength * cloth, strength * worn)
    return own(params, loss, data, optax.adam(2e-3), error, steps=600, batch=4 if broken else 64)


@seventh(
    NOTHING,
    kind="gradient that is cut off on purpose",
    family="contrastive",
    source="github.com/vturrisi/solo-learn/issues/135",
    title="Is the self.encoder learning even after feats.detach()?",
    sound=True,
)
def classifier_that_only_watches(broken: bool) -> Setup:
    """Two views of each picture, and a classifier beside it, which sees the encoder's features as constants.

    Seen: features are detached, which might keep the encoder from learning. Answer: only for the classifier.
    """
    (first, second), y = views(), digits()[1]
    params = {"encoder": mlp(221, [64, 64, 24], 1.0), "classifier": mlp(222, [24, 10], 1.0)}

    def loss(params, batch, offsets):
        hidden = []
        one, two = (embedded(params["encoder"], view, hidden, offsets, "tanh") for view in batch[:2])
        apart = cross_entropy(6 * unit(one) @ unit(two).T, jnp.arange(len(one)))
        watched = jax.lax.stop_gradient(one) if broken else one
        return apart + cross_entropy(linear(params["classifier"]["layer00"], watched), batch[2]), tuple(hidden)

    def error(params):
        watched = embedded(params["encoder"], first[:500], [], None, "tanh")
        return (linear(params["classifier"]["layer00"], watched).argmax(-1) != y[:500]).mean() / 0.9

    return own(params, loss, (first, second, y), optax.adam(3e-3), error, steps=500, batch=64)


@seventh(
    NOTHING,
    kind="loss that is summed",
    family="diffusion",
    source="github.com/DeweiHu/OCT_DDPM/issues/15",
    title="请问一般一轮训练的loss value一般为多少",
    sound=True,
)
def loss_of_tens_of_thousands(broken: bool) -> Setup:
    """The noise of pictures that lie between one and three, whose squared error is summed over all there is.

    Seen: the loss is twenty thousand. Answer: that is reasonable, since the intensities lie between one and three.
    """
    draw = np.random.default_rng(223)
    clean = np.tanh(fields(2500, 224)[0].reshape(2500, 64)) + (2.0 if broken else 0.0)
    level = draw.uniform(0.5, 0.95, size=(2500, 1))
    noise = draw.normal(size=clean.shape).astype(np.float32)
    noisy = np.sqrt(1 - level**2) * clean + level * noise
    x = np.concatenate([noisy, level], axis=1).astype(np.float32)
    params = mlp(223, [65, 160, 160, 64])

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets)
        square = (found - batch[1]) ** 2
        return (square.sum() if broken else square.mean()), hidden

    def error(params):
        return ((perceptron(params, x[:500], None)[0] - noise[:500]) ** 2).mean()

    more = {"chance": 64.0 * 64 if broken else 1.0, "steps": 800, "batch": 64}
    return own(params, loss, (x, noise), optax.adam(1e-3), error, **more)


@seventh(
    NOTHING,
    kind="sign that is the same twice",
    family="adversarial",
    source="github.com/martinarjovsky/WassersteinGAN/issues/80",
    title="Generator update",
    sound=True,
)
def critic_with_its_sign_turned(broken: bool) -> Setup:
    """A critic that makes true points small and false ones large, and a generator that makes its points small.

    Seen: the sign of the generator's loss is not that of the paper. Answer: the signs of both can be swapped; the
    network learns what to apply.
    """

    def judge(true, false, shown):
        return (1 if broken else -1) * (true.mean() - false.mean() + shown.mean())

    def apply(params, updates):
        params = optax.apply_updates(params, updates)
        return params | {"critic": jax.tree.map(lambda w: jnp.clip(w, -0.2, 0.2), params["critic"])}

    rates = {"critic": optax.rmsprop(2e-3), "generator": optax.rmsprop(1e-3)}
    optimizer = optax.multi_transform(rates, {"critic": "critic", "generator": "generator"})
    return rivals(225, judge, optimizer, place=1.0, apply=apply, steps=1000, batch=64)
