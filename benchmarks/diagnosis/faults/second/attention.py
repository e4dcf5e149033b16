"""A small transformer in plain JAX: blocks whose norms come before the sums, over tokens or given vectors."""

from typing import Any

import jax
import jax.numpy as jnp

from faults.nets import Kind, activated, dense

WIDTH = 24


def blocks(seed: int, depth: int, outputs: int, tokens: int = 0, length: int = 0, width: int = WIDTH) -> Any:
    """The weights of a transformer; with embeddings of tokens and positions if there are any."""
    keys = jax.random.split(jax.random.key(seed), 6 * depth + 3)
    params: dict[str, Any] = {}
    for i in range(depth):
        own = keys[6 * i : 6 * i + 6]
        params[f"block{i:02d}"] = {
            "q": dense(own[0], width, width, 1.0),
            "k": dense(own[1], width, width, 1.0),
            "v": dense(own[2], width, width, 1.0),
            "proj": dense(own[3], width, width, 1.0),
            "up": dense(own[4], width, 2 * width, 2.0),
            "down": dense(own[5], 2 * width, width, 1.0),
        }
    if tokens:
        params["embed"] = {"w": jax.random.normal(keys[-3], (tokens, width))}
    if length:
        params["position"] = {"w": jax.random.normal(keys[-2], (length, width))}
    return params | {"out": dense(keys[-1], width, outputs, 1.0)}


def normalised(x: Any, axis: int = -1) -> Any:
    """Zero mean and unit variance over an axis, the features unless another is given."""
    x = x - x.mean(axis, keepdims=True)
    return x * jax.lax.rsqrt((x**2).mean(axis, keepdims=True) + 1e-6)


def linear(layer: Any, x: Any) -> Any:
    return x @ layer["w"] + layer["b"]


def trunk(params: Any, x: Any, offsets: Any, mask: Any = None, blocked: float = -jnp.inf) -> tuple[Any, list, list]:
    """What the blocks make of x [examples, length, width], their outputs, and the scores of attention.

    Where `mask`, which broadcasts to [examples, length, length], is false, a score is `blocked`.
    """
    points: list[Any] = []
    scores: list[Any] = []
    for name in sorted(name for name in params if name.startswith("block")):
        p, h = params[name], normalised(x)
        score = jnp.einsum("nth,nsh->nts", linear(p["q"], h), linear(p["k"], h)) / x.shape[-1] ** 0.5
        scores.append((Kind("scores"), score, score))
        score = score if mask is None else jnp.where(mask, score, blocked)
        x = x + linear(p["proj"], jax.nn.softmax(score) @ linear(p["v"], h))
        x = x + linear(p["down"], jax.nn.relu(linear(p["up"], normalised(x))))
        x = activated("linear", x, points, offsets)
    return x, points, scores


def causal(length: int) -> Any:
    """Which positions a position may see: itself and those before it."""
    return jnp.tril(jnp.ones((length, length), bool))[None]


def at_each_word(params: Any, text: Any, offsets: Any, mask: Any = None, blocked: float = -jnp.inf) -> tuple[Any, Any]:
    """What the output layer makes of each word of texts [examples, length], and the points and scores of attention."""
    x = params["embed"]["w"][text] + params["position"]["w"]
    said, points, scores = trunk(params, x, offsets, mask, blocked)
    return linear(params["out"], normalised(said)), (*points, *scores)
