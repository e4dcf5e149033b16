"""Record an Equinox model while it trains; taps mark the places that are to be seen, under vmap as well.

python examples/equinox_recorder.py run.jsonl
vgbench diagnose run.jsonl
"""

import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

import vgbench as vg


class Net(eqx.Module):
    layers: list[eqx.nn.Linear]
    out: eqx.nn.Linear

    def __init__(self, key: jax.Array) -> None:
        keys = jax.random.split(key, 7)
        self.layers = [eqx.nn.Linear(16, 16, key=each) for each in keys[:6]]
        self.out = eqx.nn.Linear(16, 10, key=keys[6])

    def __call__(self, x: jax.Array) -> jax.Array:
        for i, layer in enumerate(self.layers):
            x = vg.tap(jax.nn.relu(layer(x)), f"layers.{i}")  # the only line in the model
        return self.out(x)


def loss_fn(model: Net, batch: tuple[jax.Array, jax.Array]) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(jax.vmap(model)(batch[0]), batch[1]).mean()


def main(path: str) -> vg.Recorder:
    x = jax.random.normal(jax.random.key(0), (256, 16))
    batch = x, jnp.argmax(x[:, :10], axis=1)
    model = Net(jax.random.key(1))

    recorder = vg.Recorder(model, optax.adam(1e-3), loss=loss_fn, batch=batch, every=20, classes=10)
    state = recorder.init(eqx.filter(model, eqx.is_inexact_array))

    def step(model: Net, state: optax.OptState) -> tuple[Net, optax.OptState]:
        loss, gradients = eqx.filter_value_and_grad(loss_fn)(model, batch)
        updates, state = recorder.update(gradients, state, eqx.filter(model, eqx.is_inexact_array), value=loss)
        return eqx.apply_updates(model, updates), state

    compiled = recorder.jit(step, eqx.filter_jit)
    for _ in range(101):
        model, state = compiled(model, state)
    recorder.save(path)
    print(*recorder.diagnose(), sep="\n")
    return recorder


if __name__ == "__main__":
    main(sys.argv[1])
