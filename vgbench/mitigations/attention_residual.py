"""Attention residuals: a branch reads a softmax over what the branches before it have written, in place of their sum.

Of n streams the first holds the input layer's signal, and each other one the sum of a group of successive branches. A
branch weighs those that hold something by exp(q^T RMSNorm(v)), with a learned q of its own that starts at 0, so that it
reads their mean at first; so does the output layer. With as many groups as branches this is the paper's full form.
Source: Kimi Team 2026, Attention residuals.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from vgbench.instruments.probe import wide
from vgbench.mitigations.site import Site
from vgbench.mitigations.skips import Skip, Stream
from vgbench.mitigations.streams import ENDS, Ends, Many, ManyStreams, Streams, not_joined_alone
from vgbench.spec.registry import SKIPS


class Reading(nnx.Module):
    """The softmax over the streams that hold something at a site."""

    def __init__(self, site: Site, streams: int) -> None:
        filled = 1 + -(-site.skips_before // group_size(site, streams))
        self.query = nnx.Param(jnp.zeros(site.width, jnp.float32))
        self.norm = nnx.RMSNorm(site.width, use_fast_variance=False, rngs=site.rngs)
        self.filled = nnx.Variable(jnp.arange(streams) < filled)

    def __call__(self, h: Many) -> Stream:
        """What is read of them."""
        logits = wide(jnp.einsum("...nw,w->...n", self.norm(h), self.query[...].astype(h.dtype)))
        weights = jax.nn.softmax(jnp.where(self.filled[...], logits, -jnp.inf)).astype(h.dtype)
        return jnp.einsum("...n,...nw->...w", weights, h)


class AttentionResidual(ManyStreams):
    """A branch that reads by attention, and adds to the stream of its group."""

    def __init__(self, site: Site, streams: int) -> None:
        self.reading = Reading(site, streams)
        group = 1 + site.skips_before // group_size(site, streams)
        self.group = nnx.Variable(jax.nn.one_hot(group, streams, dtype=jnp.float32))

    def read(self, h: Many) -> Stream:
        """The softmax over the streams."""
        return self.reading(h)

    def __call__(self, h: Many, branch: Stream) -> Many:
        """Add the branch to its group."""
        return h + self.group[...].astype(h.dtype)[:, None] * branch[..., None, :]


def group_size(site: Site, streams: int) -> int:
    """How many branches a group adds up."""
    return -(-site.skips // (streams - 1))


def first_of(h: Stream, streams: int) -> Many:
    """The signal in the first stream, the others empty."""
    empty = jnp.zeros((*h.shape[:-1], streams - 1, h.shape[-1]), h.dtype)
    return jnp.concatenate([h[..., None, :], empty], axis=-2)


def total(h: Many) -> Float[Array, "*batch width"]:
    """The sum of all streams, which a residual network would hold."""
    return h.sum(axis=-2)


@SKIPS.register(source="Kimi Team 2026, Attention residuals", refuses=not_joined_alone)
def attention_residual(site: Site, *, streams: Streams = 9) -> Skip:
    """Attention residual: a learned softmax over earlier branches' outputs, summed in `streams` - 1 groups."""
    return AttentionResidual(site, streams)


ENDS["attention_residual"] = Ends(enter=first_of, leave=Reading, signal=total)
