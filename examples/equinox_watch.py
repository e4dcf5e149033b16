"""Watch an Equinox model train, write a line of JSON every ten steps, and have the run diagnosed.

python examples/equinox_watch.py run.jsonl
vgbench diagnose run.jsonl
"""

import json
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

import vgbench as vg

DEPTH, STEPS, EVERY = 12, 100, 10


def make(key: jax.Array) -> eqx.nn.MLP:
    """A deep sigmoid network, whose gradient does not reach its first layers."""
    return eqx.nn.MLP(16, 10, width_size=32, depth=DEPTH, activation=jax.nn.sigmoid, key=key)


def loss_of(model: eqx.nn.MLP, batch: tuple[jax.Array, jax.Array]) -> jax.Array:
    logits = jax.vmap(model)(batch[0])
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean()


def main(path: Path) -> list[vg.Finding]:
    x = jax.random.normal(jax.random.key(0), (256, 16))
    batch = x, jnp.argmax(x[:, :10], axis=1)
    model = make(jax.random.key(1))
    optimizer = vg.watch(optax.sgd(0.1, momentum=0.9), every=EVERY)
    state = optimizer.init(eqx.filter(model, eqx.is_inexact_array))

    @eqx.filter_jit
    def step(model: eqx.nn.MLP, state: optax.OptState) -> tuple[eqx.nn.MLP, optax.OptState]:
        loss, gradients = eqx.filter_value_and_grad(loss_of)(model, batch)
        params = eqx.filter(model, eqx.is_inexact_array)
        updates, state = optimizer.update(gradients, state, params, value=loss)
        return eqx.apply_updates(model, updates), state

    chance = float(jnp.log(10.0))  # the loss of the best constant answer
    with path.open("w") as file:
        for i in range(STEPS + 1):
            model, state = step(model, state)
            if i % EVERY == 0:
                record = vg.watched(state)[-1]
                file.write(json.dumps(record | {"chance": chance}) + "\n")
    findings = vg.diagnose([json.loads(line) for line in path.read_text().splitlines()])
    for finding in findings:
        print(finding)
        print("  try:", finding.suggestion)
    return findings


if __name__ == "__main__":
    main(Path(sys.argv[1]))
