"""Faults whose cause no finding describes: noise that cannot be negative, and words that see others too early."""

import jax
import optax

from faults.nets import mlp
from faults.problems import own, said_in_turn
from faults.registry import Setup, thirteenth
from faults.second.attention import at_each_word, blocks, causal
from faults.twelfth.diffusion import noise_of, shaken
from faults.twelfth.language import texts


@thirteenth(
    "answers end in a rectifier, whereas noise has both signs",
    kind="noise that cannot be negative",
    family="diffusion",
    source="github.com/duanyiqun/DiffusionDepth/issues/15",
    title="A question about the pred noise.",
)
def noise_that_cannot_be_negative(broken: bool) -> Setup:
    """The noise in curves, by outputs that end in a rectifier, or do not.

    Seen: the noise that is found is never negative, since a rectifier comes last, whereas noise has both signs. Answer:
    it is a good question; a leaky one made no clear difference to the author.
    """
    data = shaken(1461)

    def found(params, batch, offsets):
        answer, hidden = noise_of(params, batch, offsets)
        return jax.nn.relu(answer) if broken else answer, hidden

    def loss(params, batch, offsets):
        answer, hidden = found(params, batch, offsets)
        return ((answer - batch[1]) ** 2).mean(), hidden

    def error(params):
        return loss(params, tuple(each[:800] for each in data), None)[0]

    return own(mlp(1461, [9, 64, 64, 8]), loss, data, optax.adam(3e-3), error, chance=1.0, steps=400, batch=64)


@thirteenth(
    "words see those that they are to foretell, which are not there when a text is written",
    kind="mask that is left out",
    family="language",
    source="github.com/paiml/entrenar/issues/310",
    title="CRITICAL: No causal attention mask — bidirectional attention in autoregressive training",
)
def words_that_see_those_to_be_said(broken: bool) -> Setup:
    """The next word at each place, by a block in which each word sees all others, or those before it.

    Seen: all words see all others while the next ones are learned; the perplexity of texts is fourteen times that of a
    model with a mask. Answer: the report's own: a causal mask; closed.
    """
    _, text = texts(1463, 12, 8)
    params = blocks(1463, 1, 12, tokens=12, length=8)

    def scores(params, text, offsets):
        return at_each_word(params, text, offsets, None if broken else causal(8))

    return said_in_turn(params, text, scores, optax.adam(5e-3), words=12, steps=400)
