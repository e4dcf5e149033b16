"""Language models: rates without a warm-up and of other optimizers."""

import optax

from faults.fourth.transformer import language
from faults.problems import cross_entropy
from faults.registry import Setup, sixth
from faults.second.attention import blocks
from faults.second.language import LENGTH, VOCABULARY


def words(seed: int):
    return blocks(seed, 3, VOCABULARY, tokens=VOCABULARY, length=LENGTH)


@sixth(
    "learning rate too large",
    "loss spike",
    kind="rate without a warm-up",
    family="language",
    source="github.com/mosaicml/llm-foundry/issues/232",
    title="loss exploding MPT",
)
def full_rate_from_the_first_step(broken: bool) -> Setup:
    """A language model that begins at its full rate, which is too large for it.

    Seen: the loss explodes early in the run. Answer: a lower rate, a longer warm-up, a stronger weight decay.
    """
    if broken:
        return language(words(20), optax.adamw(1.0, weight_decay=1e-5), loss=cross_entropy)
    schedule = optax.warmup_cosine_decay_schedule(0.0, 5e-3, 60, 400)
    return language(words(20), optax.adamw(schedule, weight_decay=1e-3), loss=cross_entropy)


@sixth(
    "learning rate too small",
    kind="rate of another optimizer",
    family="language",
    source="github.com/OpenLMLab/LOMO/issues/50",
    title="小学习率问题",
)
def rate_of_adam_for_plain_descent(broken: bool) -> Setup:
    """A language model under plain descent with the clipped gradient, at a rate that is usual for Adam.

    Seen: the loss does not fall with a rate of 0.00005. Answer: it is too small; try one of 0.01 or 0.001.
    """
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(5e-5 if broken else 0.3))
    return language(words(21), optimizer, loss=cross_entropy)
