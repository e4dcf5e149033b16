"""Several residual streams in place of one: a branch reads a mixture of them, and they are mixed between branches.

A signal of n streams has an axis more, [..., n, width]. Of hyper-connections the input layer's signal is copied to all
of them, and the output layer reads their mean.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float
from pydantic import Field

from vgbench.mitigations.site import Site
from vgbench.mitigations.skips import Skip, Stream
from vgbench.spec.registry import SKIPS, Choice

Many = Float[Array, "*batch streams width"]
Spread = Annotated[float, Field(ge=0)]
Streams = Annotated[int, Field(ge=2, le=64)]
SINKHORN_ITERATIONS = 20
"""As in Xie et al. 2025."""


class ManyStreams(nnx.Module):
    """A skip of several streams."""

    @abstractmethod
    def read(self, h: Many) -> Stream:
        """What the branch reads."""

    @abstractmethod
    def __call__(self, h: Many, branch: Stream) -> Many:
        """The streams after the branch."""


class Mixed(ManyStreams):
    """Streams that are read, mixed and written with weights that do not depend on them."""

    @abstractmethod
    def weights(self) -> tuple[Float[Array, "streams"], Float[Array, "streams streams"], Float[Array, "streams"]]:
        """How much a branch reads of each stream, how streams are mixed, and how much each takes of a branch."""

    def read(self, h: Many) -> Stream:
        """What the branch reads."""
        reading, _, _ = self.weights()
        return jnp.einsum("n,...nw->...w", reading.astype(h.dtype), h)

    def __call__(self, h: Many, branch: Stream) -> Many:
        """Mix the streams and add the branch to each."""
        _, mixing, writing = (each.astype(h.dtype) for each in self.weights())
        return jnp.einsum("mn,...nw->...mw", mixing, h) + writing[:, None] * branch[..., None, :]


class HyperConnections(Mixed):
    """Learned weights without a constraint; at first branches read one stream each, in turn."""

    def __init__(self, site: Site, streams: int, spread: float) -> None:
        noise = spread * streams**-0.5 * jax.random.normal(site.rngs.params(), (streams, streams), jnp.float32)
        self.reading = nnx.Param(jax.nn.one_hot(site.skips_before % streams, streams, dtype=jnp.float32))
        # Flat, since it is none of the layer's weight matrices.
        self.mixing = nnx.Param((jnp.eye(streams, dtype=jnp.float32) + noise).ravel())
        self.writing = nnx.Param(jnp.ones(streams, jnp.float32))

    def weights(self) -> tuple[Float[Array, "streams"], Float[Array, "streams streams"], Float[Array, "streams"]]:
        """The parameters as they are."""
        streams = len(self.reading[...])
        return self.reading[...], self.mixing[...].reshape(streams, streams), self.writing[...]


class ManifoldConstrained(Mixed):
    """Mixing by a doubly stochastic matrix, reading by sigmoids and writing by twice a sigmoid of learned numbers."""

    def __init__(self, site: Site, streams: int, spread: float) -> None:
        noise = spread * jax.random.normal(site.rngs.params(), (streams, streams), jnp.float32)
        self.reading = nnx.Param(jnp.full(streams, -jnp.log(streams - 1.0), jnp.float32))  # a sigmoid of 1 / streams
        self.mixing = nnx.Param((jnp.eye(streams, dtype=jnp.float32) + noise).ravel())
        self.writing = nnx.Param(jnp.zeros(streams, jnp.float32))

    def weights(self) -> tuple[Float[Array, "streams"], Float[Array, "streams streams"], Float[Array, "streams"]]:
        """The parameters as the constraint maps them."""
        streams = len(self.reading[...])
        mixing = doubly_stochastic(self.mixing[...].reshape(streams, streams))
        return jax.nn.sigmoid(self.reading[...]), mixing, 2 * jax.nn.sigmoid(self.writing[...])


def doubly_stochastic(logits: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """The matrix exp(logits) with rows and columns scaled until all sum to 1 (Sinkhorn & Knopp 1967)."""

    def scaled(logits: Array, _: None) -> tuple[Array, None]:
        logits = logits - jax.nn.logsumexp(logits, axis=0, keepdims=True)
        return logits - jax.nn.logsumexp(logits, axis=1, keepdims=True), None

    return jnp.exp(jax.lax.scan(scaled, logits, None, SINKHORN_ITERATIONS)[0])


def not_joined_alone(case: Any) -> str | None:
    """Why streams cannot be joined as they are in the case, or None where they can."""
    order = getattr(case.model, "order", None)
    if order in ("pre_activation", "before_addition", "norm_after_activation", "pre_norm", "peri_norm"):
        return None
    return (
        f"its streams are joined without a norm or an activation: not with model {case.model.name!r}, order {order!r}"
    )


@SKIPS.register(source="Zhu et al. 2024", refuses=not_joined_alone)
def hyper_connections(site: Site, *, streams: Streams = 4, spread: Spread = 0.0) -> Skip:
    """Hyper-connections with static weights: n streams, of which branches read one each and which learn to mix.

    `spread` over the root of n is the standard deviation of what is added to the initial mixing matrix, the identity.
    """
    return HyperConnections(site, streams, spread)


@SKIPS.register(source="Xie et al. 2025", refuses=not_joined_alone)
def constrained_hyper_connections(site: Site, *, streams: Streams = 4, spread: Spread = 0.0) -> Skip:
    """Hyper-connections whose mixing matrix is doubly stochastic, so that no product of them can grow.

    `spread` is the standard deviation of what is added to the initial logits of the mixing matrix.
    """
    return ManifoldConstrained(site, streams, spread)


def copied(h: Stream, streams: int) -> Many:
    """The signal in all streams."""
    return jnp.broadcast_to(h[..., None, :], (*h.shape[:-1], streams, h.shape[-1]))


def joined(h: Many) -> Stream:
    """The mean of all streams."""
    return h.mean(axis=-2)


class Ends(NamedTuple):
    """How a signal gets into streams and out of them again.

    Attributes:
        enter: (what the input layer gives, number of streams) to the streams.
        leave: (site of the output layer, number of streams) to what maps streams to that layer's input.
        signal: what measurements read of the streams of any layer.
    """

    enter: Callable[[Stream, int], Many]
    leave: Callable[[Site, int], Callable[[Many], Stream]]
    signal: Callable[[Many], Stream]


ENDS: dict[str, Ends] = {}
"""Those of skips, by their names, that have others than `COPIES`."""
COPIES = Ends(copied, lambda site, streams: joined, joined)


def ends_of(choice: Choice) -> Ends:
    """Those of a skip with several streams."""
    return ENDS.get(choice.name, COPIES)


def streams_of(choice: Choice) -> int:
    """How many streams a skip has."""
    return choice.options().get("streams", 1)


def read(skip: Skip, h: Float[Array, "..."]) -> Float[Array, "..."]:
    """What a branch reads of the stream, or the streams."""
    return skip.read(h) if isinstance(skip, ManyStreams) else h
