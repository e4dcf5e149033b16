"""More runs that are in order and look odd: a policy, a law, and pictures as they are."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp, perceptron
from faults.problems import classification, own
from faults.registry import Setup, tenth
from faults.second.convolutional import convolve, normalised
from faults.tenth.convolutional import headed
from faults.tenth.sound import NOTHING


@tenth(
    NOTHING,
    kind="loss of nothing for what is wrong",
    family="policy gradient",
    source="github.com/yanweiyue/GDesigner/issues/1",
    title="A question about the loss",
    sound=True,
)
def wrong_answers_that_cost_nothing(broken: bool) -> Setup:
    """What to do at a sight, by minus the logarithm of what was tried times its reward, which is zero or one.

    Seen: the loss is zero if the answer is wrong, and above zero if it is right; should it not be the other way round?
    Answer: it estimates the slope of the expected reward; making it small makes the reward large.
    """
    draw = np.random.default_rng(913)
    x = draw.normal(size=(3000, 5)).astype(np.float32)
    best = (x @ draw.normal(size=(5, 4))).argmax(1)
    tried = draw.integers(4, size=3000).astype(np.int32)
    reward = (tried == best).astype(np.float32)

    def loss(params, batch, offsets):
        scores, hidden = perceptron(params, batch[0], offsets, "tanh")
        log = jnp.take_along_axis(jax.nn.log_softmax(scores), batch[1][:, None], 1)[:, 0]
        return (-log * batch[2]).mean(), hidden

    def error(params):
        return (perceptron(params, x, None, "tanh")[0].argmax(1) != best).mean() / 0.75

    steps = 300 if broken else 600
    data = (x, tried, reward)
    return own(mlp(913, [5, 32, 32, 4], 1.0), loss, data, optax.adam(3e-3), error, steps=steps, batch=64)


@tenth(
    NOTHING,
    kind="small weight of a law",
    family="physics-informed",
    source="github.com/benmoseley/harmonic-oscillator-pinn/issues/3",
    title="Question about loss2",
    sound=True,
)
def law_that_counts_a_thousandth(broken: bool) -> Setup:
    """A damped swing, known in its first part alone, and a law whose squares count for less than a thousandth.

    Seen: the law's loss is multiplied by 1e-4; why that number? Answer: of a reader: it stands for the unit; the law
    may be divided by its largest coefficient instead, so that both losses have the same one.
    """
    t = np.linspace(0, 1, 60, dtype=np.float32)
    damp, stiff = 1.0, 49.0
    speed = (stiff - damp**2) ** 0.5
    truth = (np.exp(-damp * t) * np.cos(speed * t)).astype(np.float32)

    def value(params, t):
        return perceptron(params, t[None, None], None, "tanh")[0][0, 0]

    slopes = jax.vmap(jax.grad(value, 1), (None, 0))
    bends = jax.vmap(jax.grad(jax.grad(value, 1), 1), (None, 0))

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0][:, None], offsets, "tanh")
        law = bends(params, batch[0]) + 2 * damp * slopes(params, batch[0]) + stiff * found[:, 0]
        cost = 4e-4 * (law**2).mean() if broken else ((law / stiff) ** 2).mean()
        return ((found[:30:3, 0] - truth[:30:3]) ** 2).mean() + cost, hidden

    def error(params):
        return ((perceptron(params, t[:, None], None, "tanh")[0][:, 0] - truth) ** 2).mean() / truth.var()

    return own(mlp(915, [1, 32, 32, 32, 1], 1.0), loss, (t,), optax.adam(5e-3), error, steps=800)


@tenth(
    NOTHING,
    kind="pictures up to 255 before a norm",
    family="convolutional",
    source="github.com/Idein/chainer-pose-proposal-net/issues/9",
    title="about image process",
    sound=True,
)
def pixels_that_a_norm_takes_care_of(broken: bool) -> Setup:
    """Digits with pixels up to 255, by filters each of which has a norm behind it.

    Seen: pixels are not divided by 255; is there a strategy behind it? Answer: no special reason; the network gives
    what is wanted, and batch normalization may take care of it.
    """
    params = headed(917, [1, 8, 8])

    def net(params, x, offsets):
        hidden, h = [], x.reshape(len(x), 8, 8, 1)
        for name in ("conv00", "conv01"):
            h = activated("relu", normalised(convolve(params[name], h), (0, 1, 2)), hidden, offsets)
        return linear(params["out"], h.reshape(len(x), -1)), tuple(hidden)

    def pixels(x):
        share = 0.305 + 0.376 * x
        return 255 * share if broken else share

    return classification(params, optax.sgd(0.02, 0.9), net=net, inputs=pixels, batch=32, steps=300)
