"""More convolutional networks: few pictures."""

import jax
import numpy as np
import optax

from faults.nets import activated, dense, linear
from faults.problems import recognised
from faults.registry import Setup, tenth
from faults.second.convolutional import convolve, filters


@tenth(
    "learned by heart",
    kind="too few examples",
    family="convolutional",
    source="github.com/keras-team/keras/issues/8471",
    title="Training loss decrases (accuracy increase) while validation loss increases (accuracy decrease)",
)
def wrenches_of_few_pictures(broken: bool) -> Setup:
    """At which of six places a wrench lies, from noisy pictures, of which there are 36, or as many as are made.

    Seen: the loss in training falls, and that in validation rises, with some 250 pictures. Answer: of readers: too few
    pictures; more of them, by augmentation.
    """
    draw = np.random.default_rng(921)
    count = 36 if broken else 6000

    def pictures(count):
        place = draw.integers(6, size=count).astype(np.int32)
        x = draw.normal(size=(count, 10, 10))
        for i, at in enumerate(place):
            top = draw.integers(0, 7)
            x[i, top : top + 3, at + 2] += 1.6 * draw.uniform(0.7, 1.3)
            x[i, top, at + 1 : at + 4] += 1.6
        return x[..., None].astype(np.float32), place

    x, place = pictures(count)
    others = pictures(600)
    params = filters(921, [1, 12]) | {"middle": dense(jax.random.key(922), 10 * 10 * 12, 48)}
    params["out"] = dense(jax.random.key(923), 48, 6, 1.0)

    def scores(params, x, offsets):
        hidden = []
        h = activated("relu", convolve(params["conv00"], x), hidden, offsets)
        h = activated("relu", linear(params["middle"], h.reshape(len(x), -1)), hidden, offsets)
        return linear(params["out"], h), tuple(hidden)

    return recognised(params, scores, (x, place), others, optax.adam(1e-3), classes=6, batch=32, steps=300)
