"""Small tasks, and runs on them."""

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits

from faults.nets import Hidden, perceptron
from faults.registry import Loss, Setup

CLASSES = 10
TRAIN = 1200


@cache
def digits() -> tuple[Any, Any, Any, Any]:
    """scikit-learn's digits, standardised over all pixels: inputs and labels to train on, and others."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = ((x - x.mean()) / x.std())[order].astype(np.float32), y[order].astype(np.int32)
    return x[:TRAIN], y[:TRAIN], x[TRAIN:], y[TRAIN:]


def cross_entropy(logits: Any, labels: Any) -> Any:
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def squared_error(predictions: Any, targets: Any) -> Any:
    return ((predictions[:, 0] - targets) ** 2).mean()


def classification(
    params: Any,
    optimizer: optax.GradientTransformation,
    *,
    kind: str = "relu",
    net: Callable[[Any, Any, Any], Any] | None = None,
    loss: Callable[[Any, Any], Any] = cross_entropy,
    inputs: Callable[[Any], Any] = lambda x: x,
    labels: Any = None,
    chance: float = float(np.log(CLASSES)),
    steps: int = 200,
    batch: int | None = 128,
    **more: Any,
) -> Setup:
    """Digits, classified by a perceptron or another net; `error` is the share of others that it gets wrong."""
    x, y, x_other, y_other = digits()
    apply = net or (lambda params, x, offsets: perceptron(params, x, offsets, kind))

    def training(params: Any, batch: Any, offsets: Any) -> Any:
        outputs, hidden = apply(params, inputs(batch[0]), offsets)
        return loss(outputs, batch[1]), hidden

    right = jax.jit(lambda params: (apply(params, inputs(x_other), None)[0].argmax(-1) == y_other).mean())

    given = x, y if labels is None else labels
    more |= {"chance": chance, "steps": steps, "batch": batch}
    return classified(params, training, given, optimizer, right, classes=CLASSES, **more)


def curve(seed: int = 0, examples: int = 512, scale: float = 1.0, shift: float = 0.0) -> tuple[Any, Any]:
    """A smooth function of three inputs, of unit variance before scale and shift."""
    x = np.random.default_rng(seed).normal(size=(examples, 3)).astype(np.float32)
    y = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2]
    return x, (scale * y / y.std() + shift).astype(np.float32)


def regression(
    params: Any,
    optimizer: optax.GradientTransformation,
    *,
    data: tuple[Any, Any],
    kind: str = "tanh",
    loss: Callable[[Any, Any], Any] = squared_error,
    net: Callable[[Any, Any, Any], Any] | None = None,
    chance: float | None = None,
    truth: Callable[[Any, Any], Any] | None = None,
    steps: int = 400,
    **more: Any,
) -> Setup:
    """Targets, predicted; `error` is the squared error over the targets' variance."""
    apply = net or (lambda params, x, offsets: perceptron(params, x, offsets, kind))
    x, y = data

    def training(params: Any, batch: Any, offsets: Any) -> Any:
        outputs, hidden = apply(params, batch[0], offsets)
        return loss(outputs, batch[1]), hidden

    wrong = jax.jit(lambda params: (truth or squared_error)(apply(params, x, None)[0], y))
    spread = float(np.var(np.asarray(y, np.float64)))
    return Setup(
        params=params,
        loss=training,
        data=(x, y),
        optimizer=optimizer,
        chance=spread if chance is None else chance,
        error=lambda params: float(wrong(params)) / spread,
        steps=steps,
        **more,
    )


def own(
    params: Any,
    loss: Loss,
    data: tuple[Any, ...],
    optimizer: optax.GradientTransformation,
    error: Callable[[Any], Any],
    **more: Any,
) -> Setup:
    """A run with a loss of its own."""
    jitted = jax.jit(error)
    return Setup(
        params=params,
        loss=loss,
        data=data,
        optimizer=optimizer,
        error=lambda params: float(jnp.asarray(jitted(params))),
        **more,
    )


def classified(
    params: Any,
    loss: Loss,
    data: tuple[Any, ...],
    optimizer: optax.GradientTransformation,
    right: Callable[[Any], Any],
    *,
    classes: int,
    **more: Any,
) -> Setup:
    """The same with answers that are one of some classes; `right` is the share of others that get the right one."""
    guessed = 1 / classes
    judged = {
        "chance": float(np.log(classes)),
        "accuracy": lambda params: float(right(params)),
        "chance_accuracy": guessed,
    }
    return own(params, loss, data, optimizer, lambda params: (1 - right(params)) / (1 - guessed), **judged | more)


def recognised(
    params: Any,
    scores: Callable[[Any, Any, Any], tuple[Any, Hidden]],
    data: tuple[Any, Any],
    others: tuple[Any, Any],
    optimizer: optax.GradientTransformation,
    **more: Any,
) -> Setup:
    """The same by a network of its own: `scores` gives those of some inputs, and what it has inside; `others` judge."""
    x, y = others

    def loss(params: Any, batch: Any, offsets: Any) -> Any:
        found, hidden = scores(params, batch[0], offsets)
        return cross_entropy(found, batch[1]), hidden

    right = jax.jit(lambda params: (scores(params, x, None)[0].argmax(-1) == y).mean())
    return classified(params, loss, data, optimizer, right, **more)


def said_in_turn(
    params: Any,
    text: Any,
    scores: Callable[[Any, Any, Any], tuple[Any, Hidden]],
    optimizer: optax.GradientTransformation,
    *,
    words: int,
    steps: int,
) -> Setup:
    """The next word at each place of 1600 texts; of others each is to be said before those behind it are there."""
    places = np.arange(text.shape[1] - 1)

    def loss(params: Any, batch: Any, offsets: Any) -> Any:
        found, hidden = scores(params, batch[0][:, :-1], offsets)
        return cross_entropy(found, batch[0][:, 1:]), hidden

    def right(params: Any) -> Any:
        known = text[1600:, :-1]
        found = [scores(params, jnp.where(places <= t, known, 0), None)[0][:, t] for t in places]
        return (jnp.stack(found, axis=1).argmax(-1) == text[1600:, 1:]).mean()

    more = {"classes": words, "batch": 32, "steps": steps}
    return classified(params, loss, (text[:1600],), optimizer, jax.jit(right), **more)


def reconstruction(
    params: Any, optimizer: optax.GradientTransformation, *, x: Any, kind: str, steps: int, batch: int = 128
) -> Setup:
    """Inputs that a perceptron gives back through fewer numbers; `error` is the squared error over their variance."""

    def loss(params: Any, batch: Any, offsets: Any) -> Any:
        back, hidden = perceptron(params, batch[0], offsets, kind)
        return ((back - batch[0]) ** 2).mean(), hidden

    def error(params: Any) -> Any:
        return ((perceptron(params, x, None, kind)[0] - x) ** 2).mean() / x.var(0).mean()

    return own(params, loss, (x,), optimizer, error, chance=float(x.var(0).mean()), steps=steps, batch=batch)
