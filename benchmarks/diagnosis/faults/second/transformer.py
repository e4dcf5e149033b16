"""Transformers that classify: norms, positions, padding, adapters, moments."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, mlp
from faults.problems import classification, own
from faults.registry import Setup, second
from faults.second.attention import WIDTH, blocks, linear, normalised, trunk
from faults.second.optimizers import scale_by_uncorrected_adam


def rows(norm_axis: int = -1):
    """A network that reads the digits row by row, and normalises what it pools over an axis."""

    def net(params, x, offsets):
        x, points, scores = trunk(params, linear(params["rows"], x.reshape(len(x), 8, 8)), offsets)
        pooled = activated("linear", normalised(x, norm_axis).mean(1), points, offsets)
        return linear(params["out"], pooled), (*points, *scores)

    return net


def row_params(seed: int, depth: int):
    return blocks(seed, depth, 10) | {"rows": mlp(seed, [8, WIDTH])["layer00"]}


@second(
    "collapse",
    "constant answer",
    kind="wrong axis",
    family="transformer",
    source="github.com/tensorflow/addons/pull/2142",
    title="fix LayerNormalization use on the right axis",
)
def norm_over_positions(broken: bool) -> Setup:
    """A norm over the positions, whose mean over the positions is zero for every image."""
    return classification(row_params(0, 2), optax.adam(3e-3), net=rows(1 if broken else -1), batch=64)


@second(
    "learning rate too large",
    kind="bias correction",
    family="transformer",
    source="github.com/ml-explore/mlx/pull/1640",
    title="Support bias correction in Adam and AdamW optimizers",
)
def moments_without_correction(broken: bool) -> Setup:
    """Adam without its bias correction: the first updates are several times as large as the rate says."""
    scale = scale_by_uncorrected_adam(0.9, 0.9999) if broken else optax.scale_by_adam(0.9, 0.9999)
    return classification(row_params(1, 4), optax.chain(scale, optax.scale(-0.02)), net=rows(), batch=64)


def _first_of_two():
    """Sequences of tokens in which 1 and 2 occur once each; the class says which comes first."""
    draw = np.random.default_rng(0)
    tokens = draw.integers(3, 10, size=(512, 10))
    places = np.stack([draw.permutation(10)[:2] for _ in tokens])
    tokens[np.arange(512), places[:, 0]], tokens[np.arange(512), places[:, 1]] = 1, 2
    return tokens.astype(np.int32), (places[:, 0] < places[:, 1]).astype(np.int32)


def _ordered(forward, tokens, first, seed):
    """A transformer of two blocks that is asked which of the two comes first."""

    def loss(params, batch, offsets):
        logits, hidden = forward(params, batch[0], offsets)
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean(), hidden

    def error(params):
        return 2 * (forward(params, tokens, None)[0].argmax(-1) != first).mean()

    params = blocks(seed, 2, 2, tokens=10, length=10)
    optimizer = optax.adam(3e-3)
    return own(params, loss, (tokens, first), optimizer, error, chance=float(np.log(2)), steps=300, batch=64)


@second(
    "constant answer",
    kind="input left out",
    family="transformer",
    source="github.com/DaoyuanLi2816/Molecule-Generator/pull/23",
    title="Add sinusoidal positional encoding to the Transformer VAE",
)
def order_unknown(broken: bool) -> Setup:
    """Embeddings without positions, by which a question about the order of tokens has no answer."""
    tokens, first = _first_of_two()

    def forward(params, tokens, offsets):
        x = params["embed"]["w"][tokens] + (0.0 if broken else params["position"]["w"])
        x, points, scores = trunk(params, x, offsets)
        return linear(params["out"], normalised(x).mean(1)), (*points, *scores)

    return _ordered(forward, tokens, first, seed=2)


@second(
    "not-a-number loss",
    "not-a-number gradients",
    kind="mask that hides everything",
    family="transformer",
    source="github.com/pytorch/pytorch/issues/24816",
    title="Transformer Encoder Layer with src_key_padding makes NaN",
)
def nothing_to_attend_to(broken: bool) -> Setup:
    """Sequences that are all padding: a softmax over scores of minus infinity alone."""
    tokens, first = _first_of_two()
    tokens[::50], first[::50] = 0, 0

    def forward(params, tokens, offsets):
        x = params["embed"]["w"][tokens] + params["position"]["w"]
        x, points, scores = trunk(params, x, offsets, (tokens > 0)[:, None], -jnp.inf if broken else -1e9)
        return linear(params["out"], normalised(x).mean(1)), (*points, *scores)

    return _ordered(forward, tokens, first, seed=3)


@second(
    "gradients exactly zero",
    kind="initialisation",
    family="transformer",
    source="github.com/Guitaricet/relora/issues/18",
    title="Code bugs",
)
def adapters_of_zeros(broken: bool) -> Setup:
    """Low-rank adapters of frozen layers, both factors of which are zero: each waits for the other."""
    base = row_params(4, 2)
    keys = iter(jax.random.split(jax.random.key(5), 64))

    def adapter(layer):
        inputs, outputs = layer["w"].shape
        down = jnp.zeros((inputs, 8)) if broken else jax.random.normal(next(keys), (inputs, 8)) / inputs**0.5
        return {"down": down, "up": jnp.zeros((8, outputs))}

    adapters = jax.tree.map(adapter, base, is_leaf=lambda node: "w" in node)

    def merged(layer, adapter):
        rest = jax.lax.stop_gradient(layer)
        return {"w": rest["w"] + adapter["down"] @ adapter["up"], "b": rest["b"]}

    def net(params, x, offsets):
        joined = jax.tree.map(merged, params["base"], params["adapters"], is_leaf=lambda node: "w" in node)
        return rows()(joined, x, offsets)

    return classification({"base": base, "adapters": adapters}, optax.adam(5e-3), net=net, batch=64)
