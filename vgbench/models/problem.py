"""The learning problem of a network: the sizes of its input and output, the loss and what answers are judged by."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Integer, Shaped

OfBatch = Callable[[Float[Array, "batch *answers outputs"], Shaped[Array, "batch *answers"]], Float[Array, ""]]


def cross_entropy(
    logits: Float[Array, "batch *answers classes"], labels: Int[Array, "batch *answers"]
) -> Float[Array, ""]:
    """Mean softmax cross-entropy in nats."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def accuracy(logits: Float[Array, "batch *answers classes"], labels: Int[Array, "batch *answers"]) -> Float[Array, ""]:
    """Share of answers whose largest logit is the label's; one with a non-finite logit counts as wrong."""
    correct = (jnp.argmax(logits, axis=-1) == labels) & jnp.isfinite(logits).all(axis=-1)
    return jnp.mean(correct, dtype=jnp.float32)


def most_frequent(labels: Int[np.ndarray, "examples *answers"]) -> float:
    """Share of the most frequent label: the accuracy of the best constant answer, at each place of its own."""
    places = labels.reshape(len(labels), -1).T
    return float(np.mean([np.bincount(place).max() for place in places]) / len(labels))


def bits(logits: Float[Array, "batch *answers classes"], labels: Int[Array, "batch *answers"]) -> Float[Array, ""]:
    """Mean softmax cross-entropy in bits; infinite where it is not finite."""
    nats = cross_entropy(logits.astype(jnp.float32), labels)
    return jnp.where(jnp.isfinite(nats), nats / math.log(2), jnp.inf)


@dataclass(frozen=True)
class Frequencies:
    """What the best answer without any context gets: the entropy of the labels' frequencies.

    Attributes:
        entropy: of the training split, bits.
    """

    entropy: float

    @classmethod
    def of(cls, labels: Integer[np.ndarray, "labels"]) -> "Frequencies":
        """The frequencies of these labels."""
        counts = np.bincount(labels)
        shares = counts[counts > 0] / len(labels)
        return cls(float(-(shares * np.log2(shares)).sum()))

    def __call__(self, labels: Int[np.ndarray, "examples *answers"]) -> float:
        """The same whatever it is held against."""
        return self.entropy


def squared_error(
    predictions: Float[Array, "batch *answers 1"], targets: Float[Array, "batch *answers"]
) -> Float[Array, ""]:
    """Mean squared error."""
    return jnp.mean(jnp.square(predictions[..., 0] - targets))


@dataclass(frozen=True)
class Within:
    """Accuracy of predictions: the share that are off by less than `tolerance`; one that is not finite is wrong."""

    tolerance: float

    def __call__(
        self, predictions: Float[Array, "batch *answers 1"], targets: Float[Array, "batch *answers"]
    ) -> Float[Array, ""]:
        """Accuracy on a batch."""
        return jnp.mean(jnp.abs(predictions[..., 0] - targets) < self.tolerance, dtype=jnp.float32)

    def constant(self, targets: Float[np.ndarray, "examples"]) -> float:
        """Accuracy of the best constant prediction: the largest share of targets within an interval."""
        ordered = np.sort(targets)
        within = np.searchsorted(ordered, ordered + 2 * self.tolerance) - np.arange(len(ordered))
        return float(within.max() / len(ordered))


class Objective(NamedTuple):
    """The loss of answers, and what they are judged by.

    Attributes:
        loss: that training minimises, a mean over the batch.
        metric: of the answers to held-out examples, the one that the data source is registered with; never NaN.
        chance: the metric of the best constant answer to all of these.
    """

    loss: OfBatch
    metric: OfBatch
    chance: Callable[[Shaped[np.ndarray, "examples *answers"]], float]


CLASSIFICATION = Objective(cross_entropy, accuracy, most_frequent)


class Problem(NamedTuple):
    """The learning problem that a data set poses.

    Attributes:
        features: numbers of one example.
        outputs: numbers of one answer: logits of the classes, or 1 for a prediction.
        objective: the loss of answers, and what they are judged by.
        answers: at how many of the last time steps there is a target; 1 but for sequences.
        vocabulary: how many tokens there are, where an example is made of their numbers; 0 for other data.
    """

    features: int
    outputs: int
    objective: Objective = CLASSIFICATION
    answers: int = 1
    vocabulary: int = 0

    def last_loss(self, outputs: Float[Array, "..."], y: Shaped[Array, "..."]) -> Float[Array, ""]:
        """The loss of the last answer alone, from which every gradient has the same path."""
        return self.objective.loss(outputs, y) if self.answers == 1 else self.objective.loss(outputs[:, -1], y[:, -1])
