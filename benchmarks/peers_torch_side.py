"""The PyTorch side of `peers_torch.py`: the same networks written in PyTorch, read by hooks and `.grad`.

    python peers_torch_side.py FOLDER

For each NAME.json and NAME.npz in the folder (a case; its weights and its batch), it writes NAME.answer.json: log10 of
the norms of dL/dh_l, which a hook on h_l reads, and of the gradients of each layer's weight matrices. Nothing of
vgbench is imported here.
"""

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

Params = dict[str, Tensor]
"""Arrays by their path, as blocks/0/branch/0/linear/kernel; kernels are [inputs, outputs], as in Flax."""
Tap = Callable[..., Any]

ACTIVATIONS = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "gelu": functional.gelu,
    "silu": functional.silu,
}


def under(params: Params, path: str) -> Params:
    """The arrays below a path."""
    return {name.removeprefix(f"{path}/"): each for name, each in params.items() if name.startswith(f"{path}/")}


def linear(params: Params, h: Tensor) -> Tensor:
    """Linear map of the last axis, or a convolution of [batch, height, width, channels] with zeros around it."""
    kernel, bias = params["kernel"], params.get("bias")
    if kernel.ndim == 2:
        return functional.linear(h, kernel.T, bias)
    return functional.conv2d(h.permute(0, 3, 1, 2), kernel.permute(3, 2, 0, 1), bias, padding="same").permute(
        0, 2, 3, 1
    )


def norm(name: str, params: Params, h: Tensor) -> Tensor:
    """The norm over the last axis, or of each feature over all others."""
    if name == "batch":
        flat = functional.batch_norm(
            h.flatten(0, -2), None, None, params["scale"], params["bias"], training=True, eps=1e-5
        )
        return flat.reshape(h.shape)
    if name == "layer":
        return functional.layer_norm(h, h.shape[-1:], params["scale"], params["bias"], eps=1e-6)
    return functional.rms_norm(h, h.shape[-1:], params["scale"], eps=1e-6) if name == "rms" else h


def backbone(case: dict[str, Any], params: Params, x: Tensor, tap: Tap) -> Tensor:
    """Perceptron or convolutional network: W, norm and activation, joined to their input by the skip."""

    def layer(place: str, h: Tensor) -> Tensor:
        z = linear(under(params, f"{place}/linear"), h)
        return ACTIVATIONS[case["activation"]](norm(case["norm"], under(params, f"{place}/norm"), z))

    if case["model"] == "convnet":
        side = math.isqrt(x.shape[1])
        x = x.reshape(len(x), side, side, 1)
    h = tap(layer("input_layer", x))
    for i in range(case["depth"] - 1):
        branch = layer(f"blocks/{i}/branch/0", h)
        h = tap(h + branch if case["skip"] == "residual" else branch)
    pooled = h.mean(dim=(1, 2)) if h.ndim == 4 else h
    return linear(under(params, "output_layer/linear"), pooled)


def rotated(x: Tensor, base: float = 10000.0) -> Tensor:
    """Rotary positions of [batch, heads, tokens, features]: pairs are the first half with the second."""
    half = x.shape[-1] // 2
    angles = np.arange(x.shape[2])[:, None] * base ** (-np.arange(half) / half)
    cosine, sine = (torch.tensor(turn(angles), dtype=x.dtype) for turn in (np.cos, np.sin))
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)


def attention(params: Params, h: Tensor, heads: int, causal: bool) -> Tensor:
    """Multi-head self-attention, causal with rotary positions."""
    query, key, value = (
        linear(under(params, name), h).unflatten(-1, (heads, -1)).transpose(1, 2) for name in ("query", "key", "value")
    )
    if causal:
        query, key = rotated(query), rotated(key)
    mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=causal)
    return linear(under(params, "output"), mixed.transpose(1, 2).flatten(-2))


def transformer(case: dict[str, Any], params: Params, x: Tensor, tap: Tap) -> Tensor:
    """Encoder on patches of 2 by 2, or causal language model on bytes."""
    causal = case["model"] == "causal_lm"

    def normed(place: str, h: Tensor) -> Tensor:
        return norm(case["norm"], under(params, f"{place}/norm"), h)

    def joined(place: str, h: Tensor, branch: Callable[[Tensor], Tensor]) -> Tensor:
        post = case["order"] == "post_norm"
        return normed(place, h + branch(h)) if post else h + branch(normed(place, h))

    def feed(place: str, h: Tensor) -> Tensor:
        up = ACTIVATIONS[case["activation"]](linear(under(params, f"{place}/branch/up"), h))
        return linear(under(params, f"{place}/branch/down"), up)

    if causal:
        h = functional.embedding(x.long(), params["input_layer/table/embedding"])
    else:
        rows = math.isqrt(x.shape[1]) // 2
        pieces = x.reshape(len(x), rows, 2, rows, 2).transpose(2, 3).reshape(len(x), rows**2, 4)
        h = linear(under(params, "input_layer/linear"), pieces) + params["input_layer/position"]
    h = tap(normed("input_layer", h) if case["order"] == "post_norm" else h)
    for i in range(case["depth"] - 1):
        first, second = f"blocks/{i}/attention", f"blocks/{i}/feeding"
        h = joined(first, h, lambda g, at=first: attention(under(params, f"{at}/branch"), g, case["heads"], causal))
        h = tap(joined(second, h, lambda g, at=second: feed(at, g)))
    h = normed("output_layer", h) if case["order"] == "pre_norm" else h
    return linear(under(params, "output_layer/linear"), h if causal else h.mean(dim=1))


def recurrent(case: dict[str, Any], params: Params, x: Tensor, tap: Tap) -> Tensor:
    """One cell over as many time steps as the depth, and a linear map of its last h."""
    cell = under(params, "input_layer/cell")
    state = [torch.zeros(len(x), case["width"], dtype=x.dtype) for _ in range(1 + (case["cell"] == "lstm"))]
    for piece in x.reshape(len(x), case["depth"], -1).unbind(1):
        inner, outer = linear(under(cell, "dense_h"), state[-1]), linear(under(cell, "dense_i"), piece)
        if case["cell"] == "rnn":
            state = [torch.tanh(inner + outer)]
        elif case["cell"] == "lstm":
            i, f, g, o = (inner + outer).chunk(4, dim=-1)
            c = torch.sigmoid(f) * state[0] + torch.sigmoid(i) * torch.tanh(g)
            state = [c, torch.sigmoid(o) * torch.tanh(c)]
        else:
            (r, z, n), (r_x, z_x, n_x) = inner.chunk(3, dim=-1), outer.chunk(3, dim=-1)
            z, n = torch.sigmoid(z + z_x), torch.tanh(n_x + torch.sigmoid(r + r_x) * n)
            state = [(1 - z) * n + z * state[0]]
        state = tap(*state)
    return linear(under(params, "output_layer"), state[-1])


FAMILIES = {
    "mlp": backbone,
    "convnet": backbone,
    "transformer": transformer,
    "causal_lm": transformer,
    "recurrent": recurrent,
}


def layer_of(path: str) -> tuple[int, int]:
    """Where a layer comes in the order: the input layer, the blocks, the output layer."""
    head, *rest = path.split("/")
    return (1, int(rest[0])) if head == "blocks" else ((0, 0) if head == "input_layer" else (2, 0))


def log10_norm(gradients: list[Tensor]) -> float:
    """log10 of the norm of several arrays together, summed in float64; -inf of zeros."""
    square = sum(float(each.double().square().sum()) for each in gradients)
    return math.log10(square) / 2 if square else -math.inf


def answer(case: dict[str, Any], arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """The norms of one case."""
    torch.set_default_dtype(torch.float32)
    params = {name: torch.tensor(each) for name, each in arrays.items() if name not in ("x", "y")}
    for each in params.values():
        each.requires_grad_()
    seen: list[list[Tensor]] = []

    def tap(*state: Tensor) -> Any:
        """Copies of the arrays of h_l, so that a hook reads what comes from later layers alone."""
        gradients: list[Tensor] = []
        seen.append(gradients)
        copies = [each.clone() for each in state]
        for each in copies:
            each.register_hook(gradients.append)
        return copies if case["model"] == "recurrent" else copies[0]

    logits = FAMILIES[case["model"]](case, params, torch.tensor(arrays["x"]), tap)
    functional.cross_entropy(logits.flatten(0, -2), torch.tensor(arrays["y"]).long().flatten()).backward()
    layers: dict[tuple[int, int], list[Tensor]] = {}
    for name, each in params.items():
        if each.ndim >= 2 and each.grad is not None:
            layers.setdefault(layer_of(name), []).append(each.grad)
    return {
        "activation": [log10_norm(gradients) for gradients in seen],
        "parameter": [log10_norm(layers[place]) for place in sorted(layers)],
        "version": torch.__version__,
    }


def main(folder: str) -> None:
    """Answer all cases of the folder."""
    for path in sorted(Path(folder).glob("*.npz")):
        found = answer(json.loads(path.with_suffix(".json").read_text()), dict(np.load(path)))
        path.with_suffix(".answer.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
