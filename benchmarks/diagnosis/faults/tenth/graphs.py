"""Networks on graphs: bonds along an axis, a softmax too many, nodes that are all the same."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, dense, linear
from faults.problems import classified, cross_entropy, own
from faults.registry import Setup, tenth
from faults.seventh.graphs import asked


@tenth(
    "not-a-number gradients",
    "not-a-number loss",
    kind="slope of an angle",
    family="graph",
    source="github.com/facebookresearch/fairchem/pull/1574",
    title="Clamp rotation - fine/tuning unblock",
)
def bonds_along_an_axis(broken: bool) -> Setup:
    """The energy of six atoms, whose places are shifted by a learned layer, by angles of their bonds to one axis.

    Seen: edges that are nearly along an axis have gradients that are NaN or infinite, since squares become even
    smaller. Answer: a clamp in the backward pass; merged.
    """
    draw = np.random.default_rng(831)
    at = draw.normal(size=(1200, 6, 3)).astype(np.float32)
    at[::20, 1] = at[::20, 0] + np.array([0.0, 1.0, 0.0], np.float32)
    pairs = [(i, j) for i in range(6) for j in range(i + 1, 6)]
    one, two = (np.array(each) for each in zip(*pairs, strict=True))
    apart = at[:, one] - at[:, two]
    tilt = np.arctan2(np.sqrt(apart[..., 0] ** 2 + apart[..., 2] ** 2), apart[..., 1])
    energy = np.cos(2 * tilt).sum(1) + 0.5 * np.exp(-(apart**2).sum(-1)).sum(1)
    energy = ((energy - energy.mean()) / energy.std()).astype(np.float32)
    keys = jax.random.split(jax.random.key(831), 3)
    params = {"scale": {"w": jnp.ones(3)}, "one": dense(keys[0], 2, 32), "two": dense(keys[1], 32, 16)}
    params["out"] = dense(keys[2], 16, 1, 1.0)

    def found(params, at, offsets):
        hidden, bond = [], (at[:, one] - at[:, two]) * params["scale"]["w"]
        across = bond[..., 0] ** 2 + bond[..., 2] ** 2
        tilt = jnp.arctan2(jnp.sqrt(across if broken else jnp.maximum(across, 1e-6)), bond[..., 1])
        edge = jnp.stack([tilt - 1.5, jnp.exp(-(bond**2).sum(-1))], axis=-1)
        h = activated("relu", linear(params["one"], edge), hidden, offsets)
        h = activated("relu", linear(params["two"], h), hidden, offsets)
        return linear(params["out"], h.mean(1))[:, 0], tuple(hidden)

    def loss(params, batch, offsets):
        energy, hidden = found(params, batch[0], offsets)
        return ((energy - batch[1]) ** 2).mean(), hidden

    def error(params):
        return jnp.nan_to_num(((found(params, at[900:], None)[0] - energy[900:]) ** 2).mean() / energy.var(), nan=1.0)

    return own(params, loss, (at[:900], energy[:900]), optax.adam(5e-3), error, chance=1.0, steps=400, batch=32)


@tenth(
    "softmax applied twice",
    kind="softmax before a softmax",
    family="graph",
    source="github.com/PingYu-iris/SA-GCN/pull/4",
    title="使用nn.CrossEntropyLoss()计算交叉熵损失时不能用softmax归一化输出",
)
def paragraphs_that_hold_an_answer(broken: bool) -> Setup:
    """Which of thirty nodes holds the answer, by means over neighbours, and a softmax before a loss that has one.

    Seen: scores must not be normalised by a softmax where the loss does it. Answer: sorry, the wrong version of the
    code had been uploaded.
    """
    draw = np.random.default_rng(833)
    nodes, count = 30, 1500
    x = draw.normal(size=(count, nodes, 6))
    upper = np.triu(draw.random((count, nodes, nodes)) < 0.1, 1)
    joined = (upper | upper.swapaxes(1, 2)).astype(np.float32)
    mean = joined / np.maximum(joined.sum(2, keepdims=True), 1)
    worth = x[..., 0] + x[..., 1] + (mean @ x)[..., 2]
    answer = worth.argmax(1).astype(np.int32)
    x, mean = x.astype(np.float32), mean.astype(np.float32)
    params = {"layer00": dense(jax.random.key(833), 12, 32), "layer01": dense(jax.random.key(834), 32, 1, 1.0)}

    def scores(params, x, mean, offsets):
        hidden = []
        h = activated("relu", linear(params["layer00"], jnp.concatenate([x, mean @ x], axis=2)), hidden, offsets)
        found = linear(params["layer01"], h)[..., 0]
        return jax.nn.softmax(found) if broken else found, tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], batch[1], offsets)
        return cross_entropy(found, batch[2]), hidden

    right = jax.jit(lambda p: (scores(p, x[1200:], mean[1200:], None)[0].argmax(-1) == answer[1200:]).mean())
    data = (x[:1200], mean[:1200], answer[:1200])
    return classified(params, loss, data, optax.sgd(0.01), right, classes=nodes, batch=32, steps=400)


@tenth(
    "collapse",
    "constant answer",
    kind="features that are all the same",
    family="graph",
    source="github.com/dmlc/dgl/issues/3050",
    title="Weird behavior when using GraphConv with norm=right",
)
def nodes_that_all_look_alike(broken: bool) -> Setup:
    """Which machines of a net are often met, from the net alone: each of them begins with the same number.

    Seen: means over neighbours give the same for all nodes, where another norm gives a good answer. Answer: features
    are all the same, and a mean of what is the same stays the same; the other norm depends on the degrees.
    """
    draw = np.random.default_rng(835)
    count = 240
    busy = draw.integers(2, size=count).astype(np.int32)
    likely = 0.04 + 0.10 * (busy[:, None] + busy[None])
    upper = np.triu(draw.random((count, count)) < likely, 1)
    joined = (upper | upper.T).astype(np.float32)
    degree = np.maximum(joined.sum(1), 1)
    norm = joined / degree[:, None] if broken else joined / np.sqrt(degree[:, None] * degree)
    norm = norm.astype(np.float32)
    keys = jax.random.split(jax.random.key(835), 3)
    params = {"layer00": dense(keys[0], 1, 16), "layer01": dense(keys[1], 16, 16), "out": dense(keys[2], 16, 2, 1.0)}

    def scores(params, offsets):
        hidden, h = [], jnp.ones((count, 1))
        for name in ("layer00", "layer01"):
            h = activated("leaky_relu", linear(params[name], norm @ h), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    return asked(params, busy, scores, optax.adam(2e-2), classes=2, steps=300)
