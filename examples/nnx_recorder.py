"""Record a Flax NNX model while it trains; the recorder is the transformation that `nnx.Optimizer` gets.

python examples/nnx_recorder.py run.jsonl
vgbench diagnose run.jsonl
"""

import sys

import jax
import jax.numpy as jnp
import optax
from flax import nnx

import vgbench as vg


class Net(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.layers = nnx.List([nnx.Linear(16, 16, rngs=rngs) for _ in range(6)])
        self.out = nnx.Linear(16, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        for layer in self.layers:
            x = nnx.relu(layer(x))
        return self.out(x)


def loss_fn(model: Net, batch: tuple[jax.Array, jax.Array]) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(model(batch[0]), batch[1]).mean()


def main(path: str) -> vg.Recorder:
    x = jax.random.normal(jax.random.key(0), (256, 16))
    batch = x, jnp.argmax(x[:, :10], axis=1)
    model = Net(nnx.Rngs(0))

    recorder = vg.Recorder(model, optax.adam(1e-3), loss=loss_fn, batch=batch, every=20, classes=10)
    optimizer = nnx.Optimizer(model, recorder, wrt=nnx.Param)

    def step(model: Net, optimizer: nnx.Optimizer) -> None:
        loss, gradients = nnx.value_and_grad(loss_fn)(model, batch)
        optimizer.update(model, gradients, value=loss)

    compiled = recorder.jit(step, nnx.jit)
    for _ in range(101):
        compiled(model, optimizer)
    recorder.save(path)
    print(*recorder.diagnose(), sep="\n")
    return recorder


if __name__ == "__main__":
    main(sys.argv[1])
