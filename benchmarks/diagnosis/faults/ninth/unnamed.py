"""Faults whose cause no finding names."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import Kind, dense, linear, mlp, perceptron
from faults.problems import own
from faults.registry import Setup, ninth
from faults.sixth.recurrent import leaky


@ninth(
    "what is found is compared with the noisy input, and not with what it was made of",
    kind="wrong target",
    family="diffusion",
    source="github.com/irom-princeton/dppo/issues/14",
    title="A question about the argument in mse_loss",
)
def actions_that_stay_noisy(broken: bool) -> Setup:
    """Curves that are to be freed of much noise, by a loss that asks for the noisy ones.

    Seen: the loss is between what is reconstructed and the noisy input. Answer: a bug, from the time when the target
    was changed; fixed.
    """
    draw = np.random.default_rng(671)
    rate, phase = draw.uniform(0.4, 0.8, size=(2, 6000, 1))
    clean = (np.sqrt(2) * np.sin(rate * np.arange(12) + 6 * phase)).astype(np.float32)
    level = draw.uniform(0.6, 0.95, size=(6000, 1))
    noisy = (np.sqrt(1 - level**2) * clean + level * draw.normal(size=clean.shape)).astype(np.float32)
    inputs = np.concatenate([noisy, level], axis=1).astype(np.float32)

    def loss(params, batch, offsets):
        found, hidden = perceptron(params, batch[0], offsets, "relu")
        return ((found - (batch[0][:, :12] if broken else batch[1])) ** 2).mean(), hidden

    def error(params):
        return ((perceptron(params, inputs[:600], None, "relu")[0] - clean[:600]) ** 2).mean() / clean.var()

    params = mlp(671, [13, 96, 96, 12])
    return own(params, loss, (inputs, clean), optax.adam(2e-3), error, chance=1.0, steps=700, batch=64)


@ninth(
    "numbers of several moments and channels are mixed by a change of shape without a permutation",
    kind="shape without a permutation",
    family="recurrent",
    source="github.com/vitrioil/Speech-Separation/issues/4",
    title="Reshaping issue",
)
def voices_whose_axes_are_mixed(broken: bool) -> Setup:
    """The envelope of a voice at each of sixteen moments, from six channels, which are read as they lie in memory.

    Seen: the view without a permutation mixes the data. Answer: right; it was put right where the code is kept now.
    """
    draw = np.random.default_rng(672)
    x = draw.normal(size=(1200, 6, 16)).astype(np.float32)
    y = np.tanh(x[:, 0] - x[:, 1]) + 0.5 * np.roll(x[:, 2], 1, 1)
    y = (y / y.std()).astype(np.float32)
    keys = jax.random.split(jax.random.key(672), 2)
    params = {"cell": dense(keys[0], 6 + 24, 24, 1.0), "out": dense(keys[1], 24 + 6, 1, 1.0)}

    def heard(params, x, offsets):
        now = x.reshape(len(x), 16, 6) if broken else x.swapaxes(1, 2)

        def step(h, inputs):
            frame, shift = inputs
            h = jnp.tanh(linear(params["cell"], jnp.concatenate([frame, h], axis=1))) + shift
            return h, h

        shift = jnp.zeros((16, len(x), 24)) if offsets is None else offsets[0]
        frames = now.swapaxes(0, 1)
        states = jax.lax.scan(step, jnp.zeros((len(x), 24)), (frames, shift))[1]
        found = linear(params["out"], jnp.concatenate([states, frames], axis=2))[..., 0].T
        return found, ((Kind("linear"), states, states),)

    def loss(params, batch, offsets):
        found, hidden = heard(params, batch[0], offsets)
        return ((found - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((heard(params, x[900:], None)[0] - y[900:]) ** 2).mean() / y.var()

    more = {"chance": 1.0, "steps": 300, "batch": 32, "timed": True}
    return own(params, loss, (x[:900], y[:900]), optax.adam(5e-3), error, **more)


@ninth(
    "the logarithm of the likelihood is made small, where it should be made large",
    kind="sign of the objective",
    family="recurrent",
    source="github.com/kmkurn/pytorch-crf/issues/27",
    title="Multiply -1 before loss.backward()?",
)
def likelihood_of_tags_as_a_loss(broken: bool) -> Setup:
    """The tags of eight words by a chain over them, whose layer gives a likelihood, which is minimised as it is.

    Seen: it is asked whether what the layer gives has to be multiplied by minus one. Answer: it gives the logarithm of
    the likelihood, so that it has to be.
    """
    draw = np.random.default_rng(673)
    tags = 4
    text = draw.integers(12, size=(1200, 8)).astype(np.int32)
    rule = draw.integers(tags, size=(12, 3))
    tag = rule[text, np.roll(text, 1, 1) % 3].astype(np.int32)
    words = np.eye(12, dtype=np.float32)[text]
    params = leaky(673, 12, tags) | {"between": {"w": jnp.zeros((tags, tags))}}
    params["readout"] = dense(jax.random.key(674), 24, tags, 1.0)

    def scored(params, words, offsets):
        def step(h, inputs):
            now, shift = inputs
            z = jnp.tanh(linear(params["cell"], jnp.concatenate([now, h], axis=1)))
            return 0.3 * h + z + shift, 0.3 * h + z + shift

        units = params["cell"]["b"].shape[0]
        shift = jnp.zeros((8, len(words), units)) if offsets is None else offsets[0]
        states = jax.lax.scan(step, jnp.zeros((len(words), units)), (words.swapaxes(0, 1), shift))[1]
        return linear(params["readout"], states), ((Kind("linear"), states, states),)

    def loss(params, batch, offsets):
        scores, hidden = scored(params, batch[0], offsets)
        between = params["between"]["w"]

        def step(total, now):
            return jax.nn.logsumexp(total[:, :, None] + between, axis=1) + now, None

        total = jax.nn.logsumexp(jax.lax.scan(step, scores[0], scores[1:])[0], axis=1)
        own_scores = jnp.take_along_axis(scores, batch[1].T[..., None], 2)[..., 0].sum(0)
        path = own_scores + between[batch[1][:, :-1], batch[1][:, 1:]].sum(1)
        likely = (path - total).mean()
        return (likely if broken else -likely), hidden

    def error(params):
        found = scored(params, words[900:], None)[0].argmax(-1).T
        return (found != tag[900:]).mean() / (1 - 1 / tags)

    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-2))
    return own(params, loss, (words[:900], tag[:900]), optimizer, error, steps=300, batch=32, timed=True)
