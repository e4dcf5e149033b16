"""Transformers that read the digits row by row."""

import jax
import jax.numpy as jnp
import optax

from faults.nets import Kind, activated, dense
from faults.problems import classification
from faults.registry import Setup, fault

WIDTH = 24


def _params(depth: int, seed: int = 0, query: float = 1.0):
    keys = jax.random.split(jax.random.key(seed), 6 * depth + 2)
    params = {"embed": dense(keys[-1], 8, WIDTH, 1.0)}
    for i in range(depth):
        own = keys[6 * i : 6 * i + 6]
        params[f"block{i:02d}"] = {
            "q": dense(own[0], WIDTH, WIDTH, query),
            "k": dense(own[1], WIDTH, WIDTH, query),
            "v": dense(own[2], WIDTH, WIDTH, 1.0),
            "proj": dense(own[3], WIDTH, WIDTH, 1.0),
            "up": dense(own[4], WIDTH, 2 * WIDTH, 2.0),
            "down": dense(own[5], 2 * WIDTH, WIDTH, 1.0),
        }
    return params | {"out": dense(keys[-2], WIDTH, 10, 1.0)}


def _norm(x):
    x = x - x.mean(-1, keepdims=True)
    return x * jax.lax.rsqrt((x**2).mean(-1, keepdims=True) + 1e-6)


def _map(layer, x):
    return x @ layer["w"] + layer["b"]


def _net(order: str, normalised: bool = False):
    """Blocks whose norms come before ("pre") or behind ("post") the sums, or that have neither norms nor sums."""

    def attend(p, x, hidden):
        q, k, v = _map(p["q"], x), _map(p["k"], x), _map(p["v"], x)
        if normalised:
            q, k = _norm(q), _norm(k)
        scores = jnp.einsum("nth,nsh->nts", q, k) / WIDTH**0.5
        hidden.append((Kind("scores"), scores, scores))
        return _map(p["proj"], jax.nn.softmax(scores) @ v)

    def net(params, x, offsets):
        points, scores = [], []
        x = _map(params["embed"], x.reshape(len(x), 8, 8))
        for name in sorted(name for name in params if name.startswith("block")):
            p = params[name]

            def feed(x, p=p):
                return _map(p["down"], jax.nn.relu(_map(p["up"], x)))

            if order == "pre":
                x = x + attend(p, _norm(x), scores)
                x = x + feed(_norm(x))
            elif order == "post":
                x = _norm(x + attend(p, x, scores))
                x = _norm(x + feed(x))
            else:
                x = feed(attend(p, x, scores))
            x = activated("linear", x, points, offsets)
        pooled = (_norm(x) if order == "pre" else x).mean(axis=1)
        return _map(params["out"], pooled), (*points, *scores)

    return net


@fault("vanishing in training", "vanishing", family="transformer", source="pytorch/pytorch #55270", shown=True)
def post_norm(broken: bool) -> Setup:
    """Norms behind the sums of many blocks, without warm-up."""
    return classification(_params(14), optax.adam(5e-3), net=_net("post" if broken else "pre"), batch=64)


@fault(
    "vanishing in training", "vanishing", "learning rate too large", family="transformer", source="NVlabs/PixelDiT #14"
)
def post_norm_at_a_large_rate(broken: bool) -> Setup:
    """The same with fewer blocks and a larger rate."""
    net = _net("post") if broken else _net("pre", normalised=True)
    return classification(_params(10, seed=3), optax.adam(0.02 if broken else 5e-3), net=net, batch=64)


@fault("attention logits grow", family="transformer", source="Tsinghua-MARS-Lab/OMG #8")
def growing_scores(broken: bool) -> Setup:
    """Queries and keys so large that attention is one-hot from the start."""
    params = _params(3, query=900.0 if broken else 1.0)
    for name in params:
        if broken and name.startswith("block"):
            params[name]["v"] = jax.tree.map(lambda leaf: leaf * 0.02, params[name]["v"])
    return classification(params, optax.sgd(0.005 if broken else 0.05, 0.9), net=_net("pre"), batch=64)


@fault("vanishing", "collapse", family="transformer", source="Dong, Cordonnier & Loukas 2021, arXiv 2103.03404")
def blocks_without_sums(broken: bool) -> Setup:
    """Attention and feed-forward layers on top of each other without norms and sums."""
    return classification(_params(8), optax.adam(1e-3), net=_net("none" if broken else "pre"), batch=64)


@fault("learning rate too large", family="transformer", source="long8v/PTIR #23")
def no_warm_up(broken: bool) -> Setup:
    """A learning rate for large batches without warm-up."""
    return classification(_params(4, seed=5), optax.adam(0.5 if broken else 3e-3), net=_net("pre"), batch=64)
