"""Where does the gradient of a Flax Linen model go? A profile of its parameters, and of dL/dh at taps.

python examples/linen_profile.py
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from rich import print as show

import vgbench as vg

DEPTH = 12


class Net(nn.Module):
    """Sigmoid layers, each tapped."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for layer in range(DEPTH):
            x = nn.sigmoid(nn.Dense(32)(x))
            x = vg.tap(x, "h", layer=layer, of=DEPTH)
        return nn.Dense(10)(x)


def main() -> vg.ModelProfile:
    x = jax.random.normal(jax.random.key(0), (64, 16))
    y = jnp.argmax(x[:, :10], axis=1)
    net = Net()
    variables = net.init(jax.random.key(1), x)

    def loss(variables: dict, batch: tuple[jax.Array, jax.Array]) -> jax.Array:
        logits = net.apply(variables, batch[0])
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean()

    profile = vg.profile(variables, loss, (x, y))
    show(profile)
    return profile


if __name__ == "__main__":
    main()
