"""Small language models: what they see, what is asked of them, and how they begin."""

import jax.numpy as jnp
import numpy as np
import optax

from faults.problems import own
from faults.registry import Setup, second
from faults.second.attention import blocks, causal, linear, normalised, trunk

VOCABULARY, LENGTH = 16, 12
IGNORED = -100


def sentences(count: int = 512):
    """Tokens, each of which mostly follows from the one before, and what comes next; 0 is no word."""
    draw = np.random.default_rng(0)
    follows = 1 + draw.permutation(VOCABULARY - 1)
    tokens = draw.integers(1, VOCABULARY, size=(count, LENGTH + 1))
    for t in range(LENGTH):
        kept = draw.random(count) < 0.8
        tokens[kept, t + 1] = follows[tokens[kept, t] - 1]
    return tokens[:, :-1].astype(np.int32), tokens[:, 1:].astype(np.int32)


def logits(params, tokens, offsets, mask):
    x = params["embed"]["w"][tokens] + params["position"]["w"][: tokens.shape[1]]
    x, points, scores = trunk(params, x, offsets, mask)
    return linear(params["out"], normalised(x)), (*points, *scores)


def model(params, optimizer, data, *, mask=None) -> Setup:
    """A model of sentences; its loss is the mean over all words that are not ignored.

    `error` is its share of wrong answers to what follows the middle, when nothing that follows is there yet.
    """
    mask = causal(LENGTH) if mask is None else mask

    def loss(params, batch, offsets):
        answers, hidden = logits(params, batch[0], offsets, mask)
        counted = batch[1] != IGNORED
        each = optax.softmax_cross_entropy_with_integer_labels(answers, jnp.where(counted, batch[1], 0))
        return (counted * each).sum() / counted.sum(), hidden

    tokens, following = sentences()
    middle = LENGTH // 2
    begun = np.where(np.arange(LENGTH) <= middle, tokens, 0)

    def error(params):
        answer = logits(params, begun, None, mask)[0][:, middle].argmax(-1)
        return (answer != following[:, middle]).mean() / (1 - 1 / (VOCABULARY - 1))

    chance = float(np.log(VOCABULARY - 1))
    return own(params, loss, data, optimizer, error, chance=chance, steps=300, batch=64)


def _params(seed: int, depth: int = 2):
    return blocks(seed, depth, VOCABULARY, tokens=VOCABULARY, length=LENGTH)


@second(
    "the answer is in sight: there is no causal mask",
    kind="mask that hides nothing",
    family="transformer",
    source="github.com/tatp22/linformer-pytorch/issues/25",
    title="Loss goes to 0 when using LinformerLM",
)
def future_in_sight(broken: bool) -> Setup:
    """A language model that sees the words it is asked for, and copies them."""
    everything = jnp.ones((1, LENGTH, LENGTH), bool)
    return model(_params(0), optax.adam(3e-3), sentences(), mask=everything if broken else None)


@second(
    "learning rate too small",
    kind="schedule",
    family="transformer",
    source="github.com/Morizeyao/GPT2-Chinese/issues/60",
    title="gradient_accumulation及warmup_steps参数问题",
)
def warm_up_longer_than_the_run(broken: bool) -> Setup:
    """A warm-up of many more steps than there are."""
    schedule = optax.linear_schedule(0.0, 3e-3, 100_000 if broken else 30)
    return model(_params(1), optax.adam(schedule), sentences())


@second(
    "not-a-number loss",
    "not-a-number gradients",
    kind="mask that hides everything",
    family="transformer",
    source="github.com/pytorch/pytorch/issues/70348",
    title="nan return by nn.CrossEntropyLoss when all the labels are ignore_index in torch 1.11",
)
def no_word_counts(broken: bool) -> Setup:
    """Labels that are all ignored, of which there is no mean."""
    tokens, following = sentences()
    labels = np.full_like(following, IGNORED) if broken else following
    return model(_params(2), optax.adam(3e-3), (tokens, labels))
