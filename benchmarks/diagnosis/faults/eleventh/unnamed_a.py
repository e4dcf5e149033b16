"""Faults whose cause no finding names: futures in sight, heads that are mixed with places, messages the wrong way."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import Kind, activated, dense, linear
from faults.problems import recognised, said_in_turn
from faults.registry import Setup, eleventh
from faults.second.attention import at_each_word, blocks, causal


@eleventh(
    "texts are trained with their future in sight, and continued without it",
    kind="mask that is missing",
    family="language",
    source="github.com/alex-matton/causal-transformer-decoder/issues/1",
    title="No causal masking",
)
def futures_in_sight(broken: bool) -> Setup:
    """The next word at each place of a text, by a transformer that is trained with a causal mask or without one.

    Seen: there is no mask by which the network could not copy what comes next; the performance is terrible. Answer: a
    very good observation; only inference was thought of, and training works now.
    """
    draw = np.random.default_rng(1061)
    words, length = 16, 8
    rule = draw.integers(words, size=words)
    text = draw.integers(words, size=(2000, length + 1))
    for t in range(1, length + 1):
        sure = draw.random(2000) < 0.8
        text[:, t] = np.where(sure, (rule[text[:, t - 1]] + t) % words, text[:, t])
    text = text.astype(np.int32)
    params = blocks(1061, 1, words, tokens=words, length=length)

    def scores(params, text, offsets):
        return at_each_word(params, text, offsets, None if broken else causal(length))

    return said_in_turn(params, text, scores, optax.adam(3e-3), words=words, steps=300)


@eleventh(
    "a view in the place of a transpose makes a head of some places, and not of some features of all",
    kind="view in the place of a transpose",
    family="transformer",
    source="github.com/zhouhaoyi/Informer2020/issues/59",
    title="In oder to change the order of dimensions, why is torch.tensor.view used??",
)
def heads_made_of_places(broken: bool) -> Setup:
    """What was held at the place that the last one asks for, by attention of four heads over sixteen places.

    Seen: a view changes the order of axes, which breaks the relation between heads; a transpose would not. Answer: it
    will be fixed at once; it affects the present branch only.
    """
    draw = np.random.default_rng(1063)
    count, places, heads, width = 12000, 16, 4, 32
    key = draw.normal(size=(count, places, 6))
    at = draw.integers(places - 1, size=count)
    key[:, -1] = key[np.arange(count), at] + 0.2 * draw.normal(size=(count, 6))
    held = draw.integers(4, size=(count, places))
    answer = held[np.arange(count), at].astype(np.int32)
    held = np.eye(4)[held]
    held[:, -1] = 0.0
    last = np.zeros((count, places, 1))
    last[:, -1] = 1.0
    x = np.concatenate([key, held, last], axis=2).astype(np.float32)
    keys = jax.random.split(jax.random.key(1063), 5)
    params = {name: dense(keys[i], 11, width, 1.0) for i, name in enumerate("qkv")}
    params |= {"proj": dense(keys[3], width, width, 1.0), "out": dense(keys[4], width, 4, 1.0)}

    def parted(x):
        if broken:
            return x.reshape(len(x), heads, places, -1)
        return x.reshape(len(x), places, heads, -1).swapaxes(1, 2)

    def scores(params, x, offsets):
        hidden = []
        q, k, v = (parted(linear(params[name], x)) for name in "qkv")
        near = jnp.einsum("nhtd,nhsd->nhts", q, k) / (width / heads) ** 0.5
        said = jnp.einsum("nhts,nhsd->nhtd", jax.nn.softmax(near), v)
        said = said.swapaxes(1, 2).reshape(len(x), places, width)
        h = activated("relu", linear(params["proj"], said[:, -1]), hidden, offsets)
        return linear(params["out"], h), (*hidden, (Kind("scores"), near, near))

    data, others = (x[:11000], answer[:11000]), (x[11000:], answer[11000:])
    return recognised(params, scores, data, others, optax.adam(1e-2), classes=4, batch=64, steps=400)


@eleventh(
    "messages run against the direction of edges, so that nodes hear of those that they point to",
    kind="direction of messages",
    family="graph",
    source="github.com/pyg-team/pytorch_geometric/issues/126",
    title="Message passing for directed graphs",
)
def messages_against_the_arrows(broken: bool) -> Setup:
    """Which of four states a unit is in, from its own numbers and from those of units that point to it.

    Seen: for a directed graph numbers should flow along the edges, and they flow from targets to sources. Answer: it is
    as in the paper, and concerns are understood; the flow can be set now.
    """
    draw = np.random.default_rng(1065)
    count = 1200
    points = (draw.random((count, count)) < 3 / count) & ~np.eye(count, dtype=bool)
    points[draw.integers(count, size=count), np.arange(count)] = True
    x = draw.normal(size=(count, 4)).astype(np.float32)
    inflow = points.T / points.sum(0)[:, None]
    outflow = points / np.maximum(points.sum(1), 1)[:, None]
    felt = 0.5 * x[:, :2] + 2 * inflow @ x[:, 2:]
    state = ((felt[:, 0] > 0) * 2 + (felt[:, 1] > 0)).astype(np.int32)
    heard = ((outflow if broken else inflow) @ x).astype(np.float32)
    keys = jax.random.split(jax.random.key(1065), 2)
    params = {"layer00": dense(keys[0], 8, 32), "layer01": dense(keys[1], 32, 4, 1.0)}

    def scores(params, x, offsets):
        hidden = []
        h = activated("relu", linear(params["layer00"], x), hidden, offsets)
        return linear(params["layer01"], h), tuple(hidden)

    both = np.concatenate([x, heard], axis=1)
    data, others = (both[:900], state[:900]), (both[900:], state[900:])
    return recognised(params, scores, data, others, optax.adam(3e-3), classes=4, batch=32, steps=300)
