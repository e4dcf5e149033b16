"""Denoisers of points, and what they are given."""

import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import own
from faults.registry import Setup, fourth


@fourth(
    "far from unit scale",
    "saturation",
    kind="scale of the data",
    family="diffusion",
    source="github.com/lucidrains/denoising-diffusion-pytorch/issues/20",
    title="Outputs fixed in [-1,1] range",
)
def pixels_up_to_255(broken: bool) -> Setup:
    """A denoiser of pictures of two pixels between 0 and 255, to which noise of unit variance is added.

    Seen: the loss stays around 0.8, and samples are noise. Answer: the pixels have to be scaled first.
    """
    draw = np.random.default_rng(1)
    pictures = draw.uniform(-1, 1, size=(12, 2))
    pictures = 127.5 * (1 + pictures) if broken else pictures
    clean = pictures[draw.integers(12, size=6000)]
    level = draw.uniform(0.1, 0.9, size=(6000, 1))
    noise = draw.normal(size=(6000, 2)).astype(np.float32)
    noisy = np.sqrt(1 - level**2) * clean + level * noise
    apart = noisy[:, None] - np.sqrt(1 - level**2)[:, None] * pictures
    log = -0.5 * (apart**2).sum(-1) / level**2
    likely = np.exp(log - log.max(1, keepdims=True))
    best = (likely[..., None] * apart).sum(1) / likely.sum(1, keepdims=True) / level
    inputs = np.concatenate([noisy, level], axis=1).astype(np.float32)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "tanh")
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((perceptron(params, inputs[:2000], None, "tanh")[0] - best[:2000]) ** 2).mean() / best.var()

    params = mlp(0, [3, 64, 64, 2], 1.0)
    return own(params, loss, (inputs, noise), optax.adam(3e-3), error, chance=1.0, steps=800, batch=128)
