"""More convolutional networks: kernels with a sign of their own, few characters, boxes, and a growing picture."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fourth.convolutional import seen
from faults.nets import Kind, activated, dense, linear
from faults.problems import classification, digits, own, recognised
from faults.registry import Setup, eighth
from faults.second.convolutional import convolve, filters


@eighth(
    "updates point uphill",
    kind="wrong sign",
    family="convolutional",
    source="github.com/iamtrask/Grokking-Deep-Learning/issues/65",
    title="Something wrong with the code in chapter 10",
)
def kernels_that_climb(broken: bool) -> Setup:
    """Kernels and a layer behind them, by a rule that is written out, and whose last line has a minus for a plus.

    Seen: since all deltas are negative slopes, the kernels go the wrong way, and accuracy comes slowly. Answer: none;
    the report itself puts a plus, and it is better.
    """
    params = filters(331, [1, 8]) | {"out": dense(jax.random.key(331), 8 * 8 * 8, 10, 1.0)}

    def net(params, x, offsets):
        hidden = []
        maps = activated("tanh", convolve(params["conv00"], x.reshape(len(x), 8, 8, 1)), hidden, offsets)
        return linear(params["out"], maps.reshape(len(x), -1)), tuple(hidden)

    groups = {name: "kernels" if name == "conv00" else "rest" for name in params}
    kernels = optax.scale(0.2) if broken else optax.scale(-0.2)
    optimizer = optax.multi_transform({"kernels": kernels, "rest": optax.sgd(0.01)}, groups)
    return classification(params, optimizer, net=net, batch=64, steps=400)


@eighth(
    "learned by heart",
    kind="too few examples",
    family="convolutional",
    source="github.com/Sierkinhane/CRNN_Chinese_Characters_Rec/issues/98",
    title=(
        "The accuracy of validation set is 97%, and only 74% of the test results are obtained with validation set data."
        " Why?"
    ),
)
def characters_that_are_never_disturbed(broken: bool) -> Setup:
    """A hundred and twenty characters, moved and noisy, which are always the same hundred and twenty pictures.

    Seen: the accuracy is far lower when it is tested. Answer: overfitting; augment the data, or regularise.
    """
    x, y, x_other, y_other = digits()
    draw = np.random.default_rng(333)
    x, y = x[:120], y[:120]

    def disturbed(x):
        moved = np.stack([np.roll(each, draw.integers(-2, 3, size=2), (0, 1)) for each in x.reshape(-1, 8, 8)])
        return (moved.reshape(len(x), -1) + 0.3 * draw.normal(size=x.shape)).astype(np.float32)

    x_other = disturbed(x_other)
    copies = 1 if broken else 100
    x = np.concatenate([disturbed(x) for _ in range(copies)])
    y = np.tile(y, copies)
    params = filters(333, [1, 12]) | {"middle": dense(jax.random.key(334), 8 * 8 * 12, 48)}
    params["out"] = dense(jax.random.key(335), 48, 10, 1.0)

    def scores(params, x, offsets):
        hidden = []
        h = activated("relu", convolve(params["conv00"], x.reshape(len(x), 8, 8, 1)), hidden, offsets)
        h = activated("relu", linear(params["middle"], h.reshape(len(x), -1)), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    return recognised(params, scores, (x, y), (x_other, y_other), optax.adam(1e-3), classes=10, batch=32, steps=500)


@eighth(
    "units that died",
    "dead units",
    "gradients exactly zero",
    kind="rectified answer",
    family="convolutional",
    source="github.com/tsinghua-rll/VoxelNet-tensorflow/issues/10",
    title="RPN last layer",
)
def anchors_that_cannot_shrink(broken: bool) -> Setup:
    """How much smaller than its anchor a box is, and where, by a network whose last layer is rectified, too.

    Seen: a rectifier behind the last layer, where an anchor that shrinks asks for a negative answer. Answer: it was
    removed.
    """
    draw = np.random.default_rng(336)
    size = draw.uniform(0.6, 2.2, size=1500)
    at = draw.uniform(2, 5, size=(1500, 2))
    grid = np.stack(np.meshgrid(np.arange(8), np.arange(8), indexing="ij"), axis=-1)
    far = ((grid - at[:, None, None]) ** 2).sum(-1) / size[:, None, None] ** 2
    x = (2 * np.exp(-far) + 0.1 * draw.normal(size=far.shape)).astype(np.float32)[..., None]
    box = np.concatenate([np.log(size / 3)[:, None], (at - 6) / 3], axis=1).astype(np.float32)
    params = filters(336, [1, 12]) | {"middle": dense(jax.random.key(337), 8 * 8 * 12, 48)}
    params["out"] = dense(jax.random.key(338), 48, 3, 1.0)

    def boxes(params, x, offsets):
        maps, hidden = seen(params, x, offsets)
        hidden = list(hidden)
        h = activated("relu", linear(params["middle"], maps.reshape(len(x), -1)), hidden, offsets)
        z = linear(params["out"], h)
        return (activated("relu", z, hidden, offsets) if broken else z), tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = boxes(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((boxes(params, x[:400], None)[0] - box[:400]) ** 2).mean() / box.var(0).mean()

    more = {"chance": float(box.var(0).mean()), "steps": 400, "batch": 32}
    return own(params, loss, (x, box), optax.adam(2e-3), error, **more)


@eighth(
    "exploding",
    "first loss too large",
    kind="too many steps in a row",
    family="cellular automaton",
    source="github.com/distillpub/post--growing-ca/issues/12",
    title="Faster and more stable training",
)
def picture_that_blows_up(broken: bool) -> Setup:
    """Cells that see their neighbours and grow a picture by sixty-four steps of one rule, drawn as is usual.

    Seen: the picture blows up in a few iterations. Answer: none; the report itself begins with steps below nine.
    """
    x = digits()[0][:10].reshape(10, 8, 8)
    draw = np.random.default_rng(339)
    code = draw.normal(size=(10, 6)).astype(np.float32)
    which = draw.integers(10, size=600)
    start = (code[which] + 0.05 * draw.normal(size=(600, 6))).astype(np.float32)
    target = x[which].astype(np.float32)
    params = {"see": filters(339, [8, 24])["conv00"], "rule": dense(jax.random.key(340), 24, 8, 2.0)}
    place = np.stack(np.meshgrid(np.linspace(-1, 1, 8), np.linspace(-1, 1, 8), indexing="ij"), axis=-1)
    params["place"] = {"w": jnp.asarray(place, jnp.float32)}
    steps = 64 if broken else 6

    def grown(params, start, offsets):
        cells = jnp.zeros((len(start), 8, 8, 8)).at[..., 2:].set(start[:, None, None])
        cells = cells.at[..., :2].add(params["place"]["w"])

        def step(cells, shift):
            seen_now = jax.nn.relu(convolve(params["see"], cells))
            cells = cells + 0.2 * linear(params["rule"], seen_now) + shift
            return cells, cells

        offset = jnp.zeros((steps, *cells.shape)) if offsets is None else offsets[0]
        kept = jax.lax.scan(step, cells, offset)[1]
        return kept[-1][..., 0], ((Kind("linear"), kept, kept),)

    def loss(params, batch, offsets):
        found, hidden = grown(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((grown(params, start[:100], None)[0] - target[:100]) ** 2).mean() / target.var(0).mean()

    more = {"chance": float(target.var(0).mean()), "steps": 300, "batch": 16, "timed": True}
    return own(params, loss, (start, target), optax.adam(2e-3), error, **more)
