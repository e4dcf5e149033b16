"""Do the signals of a Flax NNX model keep their size as it gets wider? A coordinate check over four widths.

python examples/coordinate_check.py
"""

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from rich import print as show

import vgbench as vg


class Net(nnx.Module):
    def __init__(self, width: int, rngs: nnx.Rngs) -> None:
        self.input = nnx.Linear(16, width, rngs=rngs)
        self.hidden = nnx.Linear(width, width, rngs=rngs)
        self.output = nnx.Linear(width, 1, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.output(nnx.relu(self.hidden(nnx.relu(self.input(x)))))


def main() -> vg.CoordinateCheck:
    x = jax.random.normal(jax.random.key(0), (64, 16))

    def build(width: int, seed: int) -> tuple[Net, optax.GradientTransformation]:
        return Net(width, nnx.Rngs(seed)), optax.adam(1e-2)

    def loss(net: Net, batch: tuple[jax.Array, jax.Array]) -> jax.Array:
        return jnp.mean((net(batch[0]) - batch[1]) ** 2)

    check = vg.coordinate_check(build, loss, [(x, x[:, :1])], widths=(32, 64, 128, 256))
    show(check)
    return check


if __name__ == "__main__":
    main()
