"""Record a network in plain JAX while it trains, and have the run diagnosed.

python examples/jax_recorder.py run.jsonl
vgbench diagnose run.jsonl
"""

import sys

import jax
import jax.numpy as jnp
import optax

import vgbench as vg

DEPTH = 12


def loss_fn(params: list[jax.Array], batch: tuple[jax.Array, jax.Array]) -> jax.Array:
    h = batch[0]
    for layer, weights in enumerate(params[:-1]):
        h = vg.tap(jax.nn.sigmoid(h @ weights), f"layer{layer}")  # the only line in the model
    return optax.softmax_cross_entropy_with_integer_labels(h @ params[-1], batch[1]).mean()


def main(path: str) -> vg.Recorder:
    x = jax.random.normal(jax.random.key(0), (256, 16))
    batch = x, jnp.argmax(x[:, :10], axis=1)
    keys = jax.random.split(jax.random.key(1), DEPTH)
    params = [jax.random.normal(key, (16, 16)) / 4 for key in keys]

    recorder = vg.Recorder(loss_fn, optax.adam(1e-3), batch=batch, every=20, classes=10)
    state = recorder.init(params)

    @recorder.jit
    def step(params: list[jax.Array], state: optax.OptState) -> tuple[list[jax.Array], optax.OptState]:
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
