"""Autoencoders: a decoder that no optimizer holds."""

import optax

from faults.fifth.contrastive import embedded
from faults.nets import mlp
from faults.problems import digits, own
from faults.registry import Setup, eighth


@eighth(
    "frozen",
    kind="optimizer of nothing",
    family="autoencoder",
    source="github.com/cabralpinto/modular-diffusion/issues/17",
    title="Decoder parameters",
)
def decoder_that_no_optimizer_holds(broken: bool) -> Setup:
    """Pictures through a code of eight numbers, whose encoder alone is among what the optimizer holds.

    Seen: only the parameters of the encoder are added to the optimizer. Answer: none; with those of the decoder it
    learns.
    """
    x = digits()[0]
    params = {"encoder": mlp(431, [64, 64, 8], 1.0), "decoder": mlp(432, [8, 64, 64], 1.0)}

    def back(params, x, offsets):
        hidden = []
        code = embedded(params["encoder"], x, hidden, offsets, "tanh")
        return embedded(params["decoder"], code, hidden, offsets, "tanh"), tuple(hidden)

    def loss(params, batch, offsets):
        found, hidden = back(params, batch[0], offsets)
        return ((found - batch[0]) ** 2).mean(), hidden

    spread = float(x.var(0).mean())

    def error(params):
        return ((back(params, x, None)[0] - x) ** 2).mean() / spread

    decoder = optax.set_to_zero() if broken else optax.adam(3e-3)
    groups = {"encoder": "encoder", "decoder": "decoder"}
    optimizer = optax.multi_transform({"encoder": optax.adam(3e-3), "decoder": decoder}, groups)
    return own(params, loss, (x,), optimizer, error, chance=spread, steps=600, batch=64)
