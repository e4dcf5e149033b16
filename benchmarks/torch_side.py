"""The PyTorch side of `against_torch.py`: builds what it is asked for, and answers with the seconds of each sample.

Speaks JSON, a line each way, since it runs in an environment of its own (`requirements-torch.txt`). Nothing of vgbench
is imported here.
"""

import itertools
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

STEPS_TRIED = 5
PRODUCTS = "products"


def network(depth: int, width: int, features: int, outputs: int) -> nn.Sequential:
    """Linear maps with He's initialisation and ReLU, `depth` hidden layers."""
    torch.manual_seed(0)
    sizes, layers = [features, *[width] * depth], []
    for reads, gives in itertools.pairwise(sizes):
        layers += [nn.Linear(reads, gives), nn.ReLU()]
        nn.init.kaiming_normal_(layers[-2].weight)
        nn.init.zeros_(layers[-2].bias)
    return nn.Sequential(*layers, nn.Linear(width, outputs))


def make_step(kind: str, adam: dict[str, bool], task: dict[str, Any]) -> Callable[[], list[float]]:
    """A step that trains on the next batch and returns the norm of every layer's weight gradient."""
    x, y = torch.tensor(task["x"]), torch.tensor(task["y"])
    batches = itertools.cycle(torch.tensor(task["batches"]))
    model = network(task["depth"], task["width"], x.shape[1], task["outputs"])
    optimizer = torch.optim.Adam(model.parameters(), lr=task["rate"], **adam)
    weights = [layer.weight for layer in model if isinstance(layer, nn.Linear)]

    def loss_of(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(model(x), y)

    loss = torch.compile(loss_of) if kind == "compiled" else loss_of

    def step() -> list[float]:
        batch = next(batches)
        optimizer.zero_grad()
        loss(x[batch], y[batch]).backward()
        if kind == "eager":
            norms = [weight.grad.norm().item() for weight in weights]
        else:
            norms = torch.stack(torch._foreach_norm([weight.grad for weight in weights])).tolist()
        optimizer.step()
        return norms

    return step


def make_products(task: dict[str, Any]) -> Callable[[], list[float]]:
    """The products of the same step alone: of all layers there, back, and for the weights, into memory that is kept."""
    depth, width, examples = task["depth"], task["width"], len(task["batches"][0])
    weights = [torch.linalg.qr(torch.randn(width, width))[0] for _ in range(depth)]
    signals, backward = (
        [torch.randn(examples, width), *(torch.empty(examples, width) for _ in range(depth))] for _ in range(2)
    )
    gradients = [torch.empty(width, width) for _ in range(depth)]

    def step() -> list[float]:
        for layer in range(depth):
            torch.mm(signals[layer], weights[layer].t(), out=signals[layer + 1])
        for layer in reversed(range(depth)):
            given = backward[depth - 1 - layer]
            torch.mm(given.t(), signals[layer], out=gradients[layer])
            torch.mm(given, weights[layer], out=backward[depth - layer])
        return []

    return step


def seconds_of(step: Callable[[], list[float]], steps: int) -> float:
    """Seconds a step."""
    begin = time.perf_counter()
    for _ in range(steps):
        step()
    return (time.perf_counter() - begin) / steps


def best(task: dict[str, Any]) -> tuple[Callable[[], list[float]], dict[str, Any]]:
    """The step with the threads and Adam that are fastest here; a straightforward script takes Adam as it comes."""
    torch._dynamo.reset()  # what was compiled before counts towards its limit, beyond which it does not compile
    kind, found = task["kind"], []
    adams: list[dict[str, bool]] = [{}] if kind in ("eager", PRODUCTS) else [{"foreach": True}, {"fused": True}]
    begin = time.perf_counter()
    for adam in adams:
        step = make_products(task) if kind == PRODUCTS else make_step(kind, adam, task)
        for threads in (1, 2):
            torch.set_num_threads(threads)
            seconds_of(step, 2)
            found.append((min(seconds_of(step, STEPS_TRIED) for _ in range(3)), threads, adam, step))
    _, threads, adam, step = min(found, key=lambda each: each[0])
    torch.set_num_threads(threads)
    chosen = {"threads": threads, "adam": next(iter(adam), "default"), "warm_up_seconds": time.perf_counter() - begin}
    return step, {**chosen, "torch": torch.__version__}


def main() -> None:
    """Answer until nobody asks."""
    step: Callable[[], list[float]] = list
    for line in sys.stdin:
        asked = json.loads(line)
        if "kind" in asked:
            step, answer = best(asked)
        else:
            answer = {"seconds": seconds_of(step, asked["steps"])}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
