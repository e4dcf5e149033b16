"""Convolutional networks: features of nothing, deep sums, decay, rectified answers, labels, rates and signs."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fourth.convolutional import fields, seen
from faults.nets import activated, dense, linear
from faults.problems import classification, digits, own, recognised
from faults.registry import Setup, eighth
from faults.second.convolutional import convolve, filters


@eighth(
    "not-a-number gradients",
    "not-a-number loss",
    kind="epsilon behind the root",
    family="convolutional",
    source="github.com/Project-MONAI/MONAI/pull/8982",
    title="Fix NaN gradient in PerceptualLoss normalize_tensor",
)
def features_of_blank_places(broken: bool) -> Setup:
    """Scans without their noise, judged by features of unit length, too; outside of the body, their length is zero.

    Seen: the root gives NaN in its gradient when the loss is low. Answer: the epsilon was added behind the root, which
    does not guard its slope; it is moved inside, and merged.
    """
    clean = np.maximum(digits()[0], 0).reshape(-1, 8, 8, 1)
    speckled = (clean * np.random.default_rng(311).uniform(0.2, 1.8, size=clean.shape)).astype(np.float32)
    params = filters(311, [1, 12, 12]) | {"out": dense(jax.random.key(312), 12, 1, 1.0)}
    known = filters(313, [1, 6])["conv00"]
    body = sum(np.roll(clean, (i, j), (1, 2)) for i in (-1, 0, 1) for j in (-1, 0, 1)) > 1.5
    body = body.astype(np.float32)

    def features(picture):
        maps = jnp.tanh(convolve(known, picture))
        if broken:
            return maps / (jnp.sqrt((maps**2).sum(-1, keepdims=True)) + 1e-10)
        return maps / jnp.sqrt((maps**2).sum(-1, keepdims=True) + 1e-10)

    def restored(params, x, body, offsets):
        maps, hidden = seen(params, x, offsets)
        return body * linear(params["out"], maps), hidden

    def loss(params, batch, offsets):
        found, hidden = restored(params, batch[0], batch[2], offsets)
        far = ((features(found) - features(batch[1])) ** 2).mean()
        return ((found - batch[1]) ** 2).mean() + 0.1 * far, hidden

    def error(params):
        return ((restored(params, speckled[:300], body[:300], None)[0] - clean[:300]) ** 2).mean() / clean.var()

    return own(params, loss, (speckled, clean, body), optax.adam(3e-3), error, steps=300, batch=32)


@eighth(
    "exploding",
    "first loss too large",
    kind="initialisation",
    family="convolutional",
    source="github.com/yulunzhang/RCAN/issues/76",
    title="training loss not decrease",
)
def twenty_blocks_of_sums(broken: bool) -> Setup:
    """Sharp pictures of blurred ones, by twenty blocks that are added up without a norm.

    Seen: the loss is extremely large, and does not fall. Answer: the initialiser; that of LeCun made it so large, and
    with the narrower one of Kaiming it converged.
    """
    sharp = fields(1500, 314)[0]
    blurred = sum(np.roll(sharp, (i, j), (1, 2)) for i in (-1, 0, 1) for j in (-1, 0, 1)) / 5
    depth, gain = 20, 1.0 if broken else 1 / 3
    keys = jax.random.split(jax.random.key(314), 2)
    first = filters(315, [1, 8], 1.0)["conv00"]
    stack = [filters(316 + i, [8, 8, 8], gain) for i in range(depth)]
    params = {f"block{i:02d}": {"one": each["conv00"], "two": each["conv01"]} for i, each in enumerate(stack)}
    params |= {"first": first, "out": dense(keys[1], 8, 1, 1.0)}

    def sharpened(params, x, offsets):
        hidden = []
        h = convolve(params["first"], x)
        for i in range(depth):
            block = params[f"block{i:02d}"]
            h = h + convolve(block["two"], jax.nn.relu(convolve(block["one"], h)))
            h = activated("linear", h, hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = sharpened(params, batch[0], offsets)
        return jnp.abs(found - batch[1]).mean(), hidden

    def error(params):
        return ((sharpened(params, blurred[:300], None)[0] - sharp[:300]) ** 2).mean() / sharp.var()

    data = (blurred.astype(np.float32), sharp)
    return own(params, loss, data, optax.adam(3e-4), error, chance=0.8, steps=150, batch=8)


@eighth(
    "vanishing in training",
    kind="weight decay",
    family="convolutional",
    source="github.com/tinghuiz/SfMLearner/issues/34",
    title="networks weight decay",
)
def depths_under_a_large_decay(broken: bool) -> Setup:
    """How deep a scene is, by a network whose weights decay by 0.05, a hundred times as much as is usual.

    Seen: the two networks just go to zero very quickly. Answer: the decay is not applied properly in the original;
    smaller ones are used.
    """
    picture = fields(1500, 317)[0]
    deep = np.abs(picture[:, :4].mean((1, 2, 3))) - np.abs(picture[:, 4:].mean((1, 2, 3)))
    deep = (0.03 * (deep - deep.mean()) / deep.std()).astype(np.float32)
    params = filters(317, [1, 8, 8, 8, 8]) | {"out": dense(jax.random.key(318), 8 * 8 * 8, 1, 1.0)}

    def depth(params, x, offsets):
        maps, hidden = seen(params, x, offsets)
        return linear(params["out"], maps.reshape(len(x), -1))[:, 0], hidden

    def loss(params, batch, offsets):
        found, hidden = depth(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((depth(params, picture[:400], None)[0] - deep[:400]) ** 2).mean() / deep.var()

    optimizer = optax.chain(optax.add_decayed_weights(0.05 if broken else 5e-4), optax.adam(2e-3))
    return own(params, loss, (picture, deep), optimizer, error, chance=float(deep.var()), steps=500, batch=32)


@eighth(
    "units that died",
    "learning rate too large",
    kind="rectified layers at the end",
    family="convolutional",
    source="github.com/ibab/tensorflow-wavenet/issues/143",
    title="Strange growth in the loss",
)
def waves_behind_two_rectifiers(broken: bool) -> Setup:
    """Which of sixteen levels a wave takes next, by dilated filters and two rectified layers at the end.

    Seen: the loss falls to nearly zero, and some hundred steps later it grows. Answer: the rectifiers at the end cut
    off the whole output; a smaller rate helps.
    """
    draw = np.random.default_rng(319)
    rate, phase = draw.uniform(0.2, 0.9, size=(2, 3000, 1))
    wave = np.sin(rate * np.arange(17) + 7 * phase)
    x = wave[:, :16].astype(np.float32)
    label = np.clip((wave[:, 16] + 1) * 8, 0, 15).astype(np.int32)
    keys = jax.random.split(jax.random.key(319), 7)
    params = {f"layer{i}": dense(keys[i], 2 * (16 if i else 1), 16, 1.0) for i in range(4)}
    params |= {"one": dense(keys[4], 16, 32), "two": dense(keys[5], 32, 32), "out": dense(keys[6], 32, 16, 1.0)}

    def scores(params, x, offsets):
        hidden = []
        h = x[..., None]
        for i in range(4):
            before = jnp.roll(h, 2**i, 1)
            h = activated("tanh", linear(params[f"layer{i}"], jnp.concatenate([h, before], 2)), hidden, offsets)
        h = activated("relu", linear(params["one"], h[:, -1]), hidden, offsets)
        h = activated("relu", linear(params["two"], h), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    optimizer = optax.adam(0.1 if broken else 2e-3)
    return recognised(
        params, scores, (x[:2500], label[:2500]), (x[2500:], label[2500:]), optimizer, classes=16, batch=32, steps=500
    )


@eighth(
    "constant answer",
    kind="shapes that are broadcast",
    family="convolutional",
    source="github.com/dingmyu/CamNet/pull/4",
    title="Fixes prediction shapes in loss calculations",
)
def translations_of_a_camera(broken: bool) -> Setup:
    """How far a camera has moved between two pictures; answers are [n, 3, 1, 1], and the truth is [n, 3].

    Seen: no exception, but a weird broadcasting, and wrong values of the loss. Answer: answers are reshaped; merged.
    """
    before = fields(1500, 321)[0][..., 0]
    draw = np.random.default_rng(321)
    move = draw.uniform(-1, 1, size=(1500, 3)).astype(np.float32)
    after = before + sum(move[:, i, None, None] * np.roll(before, i - 1, 1) for i in range(3))
    x = np.stack([before, after], axis=3).astype(np.float32)
    params = filters(321, [2, 12]) | {"middle": dense(jax.random.key(322), 8 * 8 * 12, 48)}
    params["out"] = dense(jax.random.key(323), 48, 3, 1.0)

    def moved(params, x, offsets):
        hidden = []
        h = activated("relu", convolve(params["conv00"], x), hidden, offsets).reshape(len(x), -1)
        h = activated("relu", linear(params["middle"], h), hidden, offsets)
        return linear(params["out"], h)[:, :, None, None], tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = moved(params, batch[0], offsets)
        return jnp.abs((found if broken else found[:, :, 0, 0]) - batch[1]).mean(), hidden

    def error(params):
        return ((moved(params, x, None)[0][:, :, 0, 0] - move) ** 2).mean() / move.var(0).mean()

    return own(params, loss, (x, move), optax.adam(2e-3), error, chance=0.5, batch=32, steps=500)


@eighth(
    "constant answer",
    kind="labels out of step",
    family="convolutional",
    source="github.com/Borda/kaggle_image-classify/pull/12",
    title="fix dataset shuffle",
)
def labels_taken_before_the_shuffle(broken: bool) -> Setup:
    """Pictures that are shuffled after their labels were read from the table, so that neither belongs to the other.

    Seen: the shuffle was made after taking the raw labels. Answer: it is made before; merged.
    """
    y = digits()[1]
    labels = y[np.random.default_rng(324).permutation(len(y))] if broken else y
    params = filters(324, [1, 8, 8]) | {"out": dense(jax.random.key(325), 8, 10, 1.0)}

    def net(params, x, offsets):
        maps, hidden = seen(params, x.reshape(len(x), 8, 8, 1), offsets)
        return linear(params["out"], maps.max((1, 2))), hidden

    return classification(params, optax.adam(5e-3), net=net, labels=labels, batch=32, steps=400)


@eighth(
    "learning rate too large",
    "units that died",
    kind="rate",
    family="convolutional",
    source="github.com/NLeSC/mcfly/issues/43",
    title="find out why learning stops sometimes",
)
def activities_at_a_drawn_rate(broken: bool) -> Setup:
    """What a person does, from three sensors over time, by a network whose rate was drawn at random.

    Seen: for some models accuracy and loss stay completely stable. Answer: those have a rate above 0.03, which none of
    the others has.
    """
    draw = np.random.default_rng(326)
    doing = draw.integers(4, size=1600).astype(np.int32)
    pace = np.array([0.4, 0.8, 1.2, 1.6])[doing, None, None]
    time = np.arange(16)[None, :, None]
    x = np.sin(pace * time + draw.uniform(0, 6, size=(1600, 1, 3))) + 0.7 * draw.normal(size=(1600, 16, 3))
    x = x[:, :, None].astype(np.float32)
    params = filters(326, [3, 16, 16]) | {"middle": dense(jax.random.key(327), 16 * 16, 32)}
    params["out"] = dense(jax.random.key(328), 32, 4, 1.0)

    def scores(params, x, offsets):
        maps, hidden = seen(params, x, offsets)
        hidden = list(hidden)
        h = activated("relu", linear(params["middle"], maps.reshape(len(x), -1)), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    optimizer = optax.adam(0.08 if broken else 2e-3)
    return recognised(
        params, scores, (x[:1200], doing[:1200]), (x[1200:], doing[1200:]), optimizer, classes=4, batch=32, steps=400
    )
