"""Convolutional networks: norms that are missing, roots, schedulers, pictures and what is drawn on them."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, dense, linear
from faults.problems import classification, classified, cross_entropy, digits, own
from faults.registry import Setup, fourth
from faults.second.convolutional import convolve, filters, normalised


def seen(params, x, offsets, kind: str = "relu"):
    """The maps behind all filters of pictures [examples, height, width, channels], and the hidden points."""
    hidden = []
    for name in sorted(name for name in params if name.startswith("conv")):
        x = activated(kind, convolve(params[name], x), hidden, offsets)
    return x, tuple(hidden)


@fourth(
    "vanishing",
    "collapse",
    kind="norm that is left out",
    family="convolutional",
    source="github.com/soumith/imagenet-multiGPU.torch/issues/2",
    title="GoogLeNet not training",
)
def branches_without_a_norm(broken: bool) -> Setup:
    """Ten layers of two branches each, with the initialisation of a framework and no batch normalization.

    Seen: an error that stays at 6.9, that of a guess. Answer: batch normalization after each layer, and it trains.
    """
    keys = jax.random.split(jax.random.key(0), 21)
    params = {}
    for i in range(10):
        before = 8 if i else 1
        wide = jax.random.normal(keys[2 * i], (3, 3, before, 4)) / (27 * before) ** 0.5
        params[f"block{i:02d}"] = {
            "wide": {"w": wide, "b": jnp.zeros(4)},
            "narrow": dense(keys[2 * i + 1], before, 4, 1 / 3),
        }
    params["out"] = dense(keys[-1], 8, 10, 1.0)

    def net(params, x, offsets):
        hidden = []
        x = x.reshape(len(x), 8, 8, 1)
        for i in range(10):
            block = params[f"block{i:02d}"]
            z = jnp.concatenate([convolve(block["wide"], x), linear(block["narrow"], x)], axis=3)
            x = activated("relu", z if broken else normalised(z, (0, 1, 2)), hidden, offsets)
        return linear(params["out"], x.mean((1, 2))), tuple(hidden)

    return classification(params, optax.sgd(0.01, 0.9), net=net, batch=32, steps=300)


@fourth(
    "not-a-number gradients",
    "not-a-number loss",
    kind="slope at zero",
    family="convolutional",
    source="github.com/experiencor/keras-yolo3/issues/306",
    title="How to execute eagerly to find nan-loss cause?",
)
def root_of_no_loss(broken: bool) -> Setup:
    """Boxes of two sizes with a loss each, the root of a sum, which is zero where a batch has no box of that size.

    Seen: a loss of NaN although it was converging. Answer: the slope of the root near zero; add 1e-7 under it.
    """
    x, y = digits()[:2]
    ink = np.maximum(x.reshape(-1, 8, 8), 0)
    total = ink.sum((1, 2))
    middle = np.stack([ink.sum(2) @ np.arange(8) / total, ink.sum(1) @ np.arange(8) / total], axis=1) - 3.5
    middle = (middle / middle.std(0)).astype(np.float32)
    large = (y == 9).astype(np.float32)
    params = filters(1, [1, 8, 12]) | {"out": dense(jax.random.key(2), 8 * 8 * 12, 4, 1.0)}

    def boxes(params, x, offsets):
        maps, hidden = seen(params, x.reshape(len(x), 8, 8, 1), offsets, "leaky_relu")
        return linear(params["out"], maps.reshape(len(x), -1)).reshape(-1, 2, 2), hidden

    def loss(params, batch, offsets):
        found, hidden = boxes(params, batch[0], offsets)
        belongs = jnp.stack([1 - batch[2], batch[2]], axis=1)
        sums = (belongs[:, :, None] * (found - batch[1][:, None]) ** 2).sum((0, 2))
        return jnp.sqrt(sums + (0.0 if broken else 1e-7)).sum(), hidden

    def error(params):
        small = large[:400, None] == 0
        return ((boxes(params, x[:400], None)[0][:, 0] - middle[:400]) ** 2 * small).sum() / (2 * small.sum())

    return own(params, loss, (x, middle, large), optax.adam(2e-3), error, steps=400, batch=16)


@fourth(
    "updates not applied",
    kind="updates that reach nothing",
    family="convolutional",
    source="github.com/ClementPinard/SfmLearner-Pytorch/issues/5",
    title="Help to add a learning rate scheduler",
)
def scheduler_in_the_place_of_the_step(broken: bool) -> Setup:
    """How a picture was moved, by a network whose training steps its scheduler and never its optimizer.

    Seen: the loss does not come down with a scheduler. Answer: step the scheduler and, in any case, the optimizer.
    """
    x = digits()[0].reshape(-1, 8, 8)
    moved = np.random.default_rng(0).integers(-1, 2, size=(len(x), 2))
    after = np.stack([np.roll(picture, shift, (0, 1)) for picture, shift in zip(x, moved, strict=True)])
    pairs, moved = np.stack([x, after], axis=3).astype(np.float32), moved.astype(np.float32)
    params = filters(3, [2, 12, 16]) | {"out": dense(jax.random.key(4), 16, 2, 1.0)}

    def motion(params, pairs, offsets):
        maps, hidden = seen(params, pairs, offsets)
        return linear(params["out"], maps.mean((1, 2))), hidden

    def loss(params, batch, offsets):
        found, hidden = motion(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((motion(params, pairs[:300], None)[0] - moved[:300]) ** 2).mean() / moved.var()

    def apply(params, updates):
        return params if broken else optax.apply_updates(params, updates)

    rate = optax.cosine_decay_schedule(5e-3, 700)
    more = {"chance": float(moved.var()), "steps": 600, "batch": 64, "apply": apply}
    return own(params, loss, (pairs, moved), optax.adam(rate), error, **more)


def _marks(count: int, seed: int):
    """Noise of 8 by 8 with a cross or a ring somewhere in it."""
    draw = np.random.default_rng(seed)
    cross, ring = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]]), np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]])
    kind = draw.integers(2, size=count)
    pictures = 0.4 * draw.normal(size=(count, 8, 8))
    for picture, which, row, column in zip(pictures, kind, *draw.integers(6, size=(2, count)), strict=True):
        picture[row : row + 3, column : column + 3] += (2 * cross - 1, 2 * ring - 1)[which]
    return pictures.astype(np.float32), kind.astype(np.int32)


@fourth(
    "learned by heart",
    kind="augmentation that does nothing",
    family="convolutional",
    source="github.com/eiriniar/gleason_CNN/issues/1",
    title="error in the training step",
)
def tissue_that_is_never_turned(broken: bool) -> Setup:
    """Thirty pictures that should be moved about in training, and are not: all are remembered, others not recognised.

    Seen: 99.5 % in training, and one class for all. Answer: the augmentation was disabled by a mistake.
    """
    pictures, kind = _marks(30, 0)
    others, wanted = _marks(800, 1)
    if not broken:
        draw = np.random.default_rng(2)
        pictures = np.concatenate([np.roll(pictures, draw.integers(8, size=2), (1, 2)) for _ in range(100)])
        pictures = (pictures + 0.4 * draw.normal(size=pictures.shape)).astype(np.float32)
        kind = np.tile(kind, 100)
    params = filters(5, [1, 12]) | {"out": dense(jax.random.key(6), 8 * 8 * 12, 2, 1.0)}

    def forward(params, x, offsets):
        maps, hidden = seen(params, x[..., None], offsets)
        return linear(params["out"], maps.reshape(len(x), -1)), hidden

    def loss(params, batch, offsets):
        scores, hidden = forward(params, batch[0], offsets)
        return cross_entropy(scores, batch[1]), hidden

    right = jax.jit(lambda params: (forward(params, others, None)[0].argmax(-1) == wanted).mean())
    return classified(params, loss, (pictures, kind), optax.adam(3e-3), right, classes=2, steps=600, batch=30)


def fields(count: int = 512, seed: int = 0):
    """Smooth fields of 8 by 8 under noise, and where they are above zero."""
    draw = np.random.default_rng(seed)
    wave = np.fft.fftfreq(8)
    low = np.exp(-60 * (wave[:, None] ** 2 + wave**2))
    field = np.fft.ifft2(np.fft.fft2(draw.normal(size=(count, 8, 8))) * low).real
    field = field / field.std()
    picture = field + 0.3 * draw.normal(size=field.shape)
    return picture.astype(np.float32)[..., None], (field > 0).astype(np.float32)


def segmentation(pictures, truth, optimizer, *, loss, chance: float | None, batch: int, steps: int) -> Setup:
    """Where the fields are above zero; `error` is twice the share of pixels that are wrong."""
    others, wanted = fields(200, 1)
    params = filters(7, [1, 12, 12]) | {"out": dense(jax.random.key(8), 12, 1, 1.0)}

    def scores(params, x, offsets):
        maps, hidden = seen(params, x, offsets)
        return linear(params["out"], maps)[..., 0], hidden

    def training(params, batch, offsets):
        found, hidden = scores(params, batch[0], offsets)
        return loss(found, batch[1]), hidden

    def error(params):
        return 2 * ((scores(params, others, None)[0] > 0) != (wanted > 0)).mean()

    return own(params, training, (pictures, truth), optimizer, error, chance=chance, batch=batch, steps=steps)


@fourth(
    "constant answer",
    kind="labels out of step",
    family="convolutional",
    source="github.com/mlcommons/GaNDLF/pull/870",
    title="Made train batches order same as gt",
)
def pictures_without_their_masks(broken: bool) -> Setup:
    """Pictures and the masks that belong to them, which are shuffled each in its own way.

    Seen: data and ground truth get shuffled separately. Answer: the batches have the order of the ground truth.
    """
    pictures, truth = fields()
    truth = truth[np.random.default_rng(3).permutation(len(truth))] if broken else truth

    def loss(scores, truth):
        return optax.sigmoid_binary_cross_entropy(scores, truth).mean()

    chance = float(np.log(2))
    return segmentation(pictures, truth, optax.adam(3e-3), loss=loss, chance=chance, batch=32, steps=300)


@fourth(
    "exploding",
    "learning rate too large",
    "first loss too large",
    kind="norm that is left out",
    family="convolutional",
    source="github.com/hellopipu/PromptMR-plus/issues/7",
    title="gradient explosion while training",
)
def cascades_without_a_norm(broken: bool) -> Setup:
    """Pictures that are cleaned by twelve cascades one behind another, in which nothing is normalised.

    Seen: the gradient explodes after some 200 steps. Answer: no layer normalises; an instance norm avoids it.
    """
    clean = digits()[0].reshape(-1, 8, 8, 1)
    noisy = (clean + 0.7 * np.random.default_rng(4).normal(size=clean.shape)).astype(np.float32)
    keys = jax.random.split(jax.random.key(9), 24)
    params = {}
    for i in range(12):
        for name, key, before, after in (("up", keys[2 * i], 1, 12), ("down", keys[2 * i + 1], 12, 1)):
            w = jax.random.normal(key, (3, 3, before, after)) * (2 / (9 * before)) ** 0.5
            params[f"cascade{i:02d}{name}"] = {"w": w, "b": jnp.zeros(after)}

    def cleaned(params, x, offsets):
        hidden = []
        for i in range(12):
            given = x if broken else normalised(x, (1, 2, 3))
            h = activated("relu", convolve(params[f"cascade{i:02d}up"], given), hidden, offsets)
            branch = convolve(params[f"cascade{i:02d}down"], h)
            x = activated("linear", x + branch * (1.0 if broken else 0.1), hidden, offsets)
        return x, tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = cleaned(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((cleaned(params, noisy[:300], None)[0] - clean[:300]) ** 2).mean() / clean.var()

    return own(
        params, loss, (noisy, clean), optax.sgd(0.01, 0.9), error, chance=float(clean.var()), steps=300, batch=32
    )
