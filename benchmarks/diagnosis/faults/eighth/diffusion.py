"""A denoiser of designs in their own unit."""

import numpy as np
import optax

from faults.fifth.diffusion import denoised
from faults.nets import mlp
from faults.registry import Setup, eighth


@eighth(
    "far from unit scale",
    "first loss too large",
    kind="scale of the data",
    family="diffusion",
    source="github.com/IDEALLab/EngiOpt/pull/67",
    title="Fix diffusion training and sampling issues",
)
def designs_that_are_not_normalised(broken: bool) -> Setup:
    """The noise in outlines of wings, which are in millimetres, or normalised before the noise is added.

    Seen: designs reach the diffusion as they are. Answer: they are normalised before, in training and in evaluation
    alike; merged.
    """
    draw = np.random.default_rng(421)
    thick, bend = draw.uniform(0.5, 1.5, size=(2, 4000, 1))
    along = np.linspace(0, np.pi, 8)
    outline = thick * np.sin(along) + 0.5 * bend * np.cos(2 * along)
    outline = (outline - outline.mean()) / outline.std()
    clean = 40 + 60 * outline if broken else outline
    level = draw.uniform(0.3, 0.9, size=(4000, 1))
    noise = draw.normal(size=clean.shape).astype(np.float32)
    noisy = np.sqrt(1 - level**2) * clean + level * noise
    inputs = np.concatenate([noisy, level], axis=1).astype(np.float32)
    params = mlp(421, [9, 64, 64, 8])
    return denoised(params, (inputs, noise), optax.adam(1e-3), others=(inputs[:600], noise[:600]))
