"""Autoencoders: pixels that are divided twice, a code that is rounded."""

import jax
import jax.numpy as jnp
import optax

from faults.nets import activated, linear, mlp
from faults.problems import digits, own, reconstruction
from faults.registry import Setup, seventh


@seventh(
    "far from unit scale",
    "constant answer",
    kind="scale of the data",
    family="autoencoder",
    source="github.com/pkmital/pycadl/pull/5",
    title="Fix double-normalization bug in train_input_pipeline version of DRAW",
)
def pixels_divided_twice(broken: bool) -> Setup:
    """Pictures that are divided by 255 before they are handed to a network that divides them by 255 again.

    Seen: the batch of pictures was divided by 255 twice. Answer: once; it was merged.
    """
    pixels = 0.305 + 0.376 * digits()[0]
    x = pixels / 255 if broken else pixels
    return reconstruction(mlp(77, [64, 48, 12, 48, 64], 1.0), optax.sgd(0.5, 0.9), x=x, kind="tanh", steps=500)


@seventh(
    "gradients exactly zero",
    "frozen",
    kind="a step without a slope",
    family="autoencoder",
    source="github.com/Justin-Tan/generative-compression/issues/27",
    title="Question about gradient calculation in the quantizer",
)
def code_that_is_rounded(broken: bool) -> Setup:
    """Pictures through a code of four whole numbers; rounding hands no gradient on to the encoder.

    Seen: the encoder will not update its parameters, since all before the quantizer is ignored. Answer: the gradient
    of rounding is overridden, so that it is the identity.
    """
    x = digits()[0]
    params = {"encoder": mlp(78, [64, 64, 4], 1.0), "decoder": mlp(79, [4, 64, 64])}

    def back(params, x, offsets):
        hidden = []
        h = activated("tanh", linear(params["encoder"]["layer00"], x), hidden, offsets)
        code = 0.8 * linear(params["encoder"]["layer01"], h)
        whole = jnp.round(code) if broken else code + jax.lax.stop_gradient(jnp.round(code) - code)
        h = activated("relu", linear(params["decoder"]["layer00"], whole), hidden, offsets)
        return linear(params["decoder"]["layer01"], h), tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = back(params, batch[0], offsets)
        return ((found - batch[0]) ** 2).mean(), hidden

    spread = float(x.var(0).mean())

    def error(params):
        return ((back(params, x, None)[0] - x) ** 2).mean() / spread

    return own(params, loss, (x,), optax.adam(3e-3), error, chance=spread, steps=800, batch=64)
