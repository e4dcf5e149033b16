"""Record a Flax Linen model while it trains; it needs no line of its own, since every module's output is seen.

python examples/linen_recorder.py run.jsonl
vgbench diagnose run.jsonl
"""

import sys

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

import vgbench as vg


class Net(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for _ in range(6):
            x = nn.relu(nn.Dense(32)(x))
        return nn.Dense(10)(x)


def main(path: str) -> vg.Recorder:
    x = jax.random.normal(jax.random.key(0), (256, 16))
    batch = x, jnp.argmax(x[:, :10], axis=1)
    net = Net()
    params = net.init(jax.random.key(1), x)

    def loss_fn(params: dict, batch: tuple[jax.Array, jax.Array]) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(net.apply(params, batch[0]), batch[1]).mean()

    recorder = vg.Recorder(loss_fn, optax.adam(1e-3), batch=batch, every=20, classes=10)
    state = recorder.init(params)

    @recorder.jit
    def step(params: dict, state: optax.OptState) -> tuple[dict, optax.OptState]:
        loss, gradients = jax.value_and_grad(loss_fn)(params, batch)
        updates, state = recorder.update(gradients, state, params, value=loss)
        return optax.apply_updates(params, updates), state

    for _ in range(101):
        params, state = step(params, state)
    recorder.save(path)
    print(*recorder.diagnose(), sep="\n")
    return recorder


if __name__ == "__main__":
    main(sys.argv[1])
