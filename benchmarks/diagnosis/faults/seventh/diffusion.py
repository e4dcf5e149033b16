"""A denoiser whose optimizer was exchanged."""

import optax

from faults.fifth.diffusion import curves, denoised
from faults.nets import mlp
from faults.registry import Setup, seventh


@seventh(
    "learning rate too small",
    kind="rate of another optimizer",
    family="diffusion",
    source="github.com/ooples/AiDotNet/pull/1748",
    title="perf(diffusion): paper-faithful Adam optimizer in the shared training step",
)
def plain_descent_at_the_rate_of_adam(broken: bool) -> Setup:
    """A denoiser under plain descent, at the rate of one thousandth that a paper gives for Adam.

    Seen: tiny steps without a direction; the error of the prediction is not reduced. Answer: Adam, as in the paper.
    """
    inputs, noise = curves(6000)
    optimizer = optax.sgd(1e-3) if broken else optax.adam(1e-3)
    return denoised(mlp(85, [9, 64, 64, 8]), (inputs, noise), optimizer, others=(inputs[:500], noise[:500]))
