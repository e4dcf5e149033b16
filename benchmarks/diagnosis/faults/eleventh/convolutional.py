"""Convolutional networks: replaced parameters, shapes, two sigmoids, sums without a norm, few pictures."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.convolutional import flat
from faults.fourth.convolutional import seen
from faults.nets import activated, dense, linear
from faults.problems import classification, classified, digits, own, recognised
from faults.registry import Setup, eleventh
from faults.second.convolutional import convolve, filters, normalised
from faults.tenth.convolutional import headed


@eleventh(
    "updates not applied",
    kind="parameters that are replaced",
    family="convolutional",
    source="github.com/openvinotoolkit/nncf/pull/327",
    title="Do not replace parameter during symmetric range init",
)
def parameters_made_anew(broken: bool) -> Setup:
    """Digits by filters whose parameters are made anew when the optimizer has been given the former ones.

    Seen: an initialisation that replaces a parameter as a whole, after the optimizer has received the list, breaks its
    updates. Answer: change the numbers in it, and keep the parameter; merged. Here, all are replaced.
    """

    def apply(params, updates):
        return params if broken else optax.apply_updates(params, updates)

    return classification(headed(1011, [1, 8, 8]), optax.adam(3e-3), net=flat, batch=32, steps=250, apply=apply)


@eleventh(
    "constant answer",
    kind="shapes that are broadcast",
    family="convolutional",
    source="github.com/prob-ml/bliss/pull/1063",
    title="re-fix of old silent error (loss shape broadcast mismatch caused by extra dim of size 1)",
)
def lenses_with_an_axis_too_many(broken: bool) -> Setup:
    """How much of a picture is bent, by filters, whose answer has an axis of one that the truth does not have.

    Seen: after a change shapes do not match by an axis of one, and nothing fails. Answer: squeeze it; merged.
    """
    draw = np.random.default_rng(1013)
    count = 1200
    bend = draw.uniform(-1, 1, size=count)
    grid = np.linspace(-1, 1, 8)
    turned = grid[:, None] + bend[:, None, None] * grid
    x = np.exp(-6 * turned**2) + 0.1 * draw.normal(size=(count, 8, 8))
    x = ((x - x.mean()) / x.std())[..., None].astype(np.float32)
    y = (bend / bend.std()).astype(np.float32)
    params = filters(1013, [1, 8, 8]) | {"out": dense(jax.random.key(1014), 64 * 8, 1, 1.0)}

    def found(params, x, offsets):
        maps, hidden = seen(params, x, offsets)
        return linear(params["out"], maps.reshape(len(x), -1)), hidden

    def loss(params, batch, offsets):
        answer, hidden = found(params, batch[0], offsets)
        return (((answer if broken else answer[:, 0]) - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((found(params, x[900:], None)[0][:, 0] - y[900:]) ** 2).mean() / y[900:].var()

    return own(params, loss, (x[:900], y[:900]), optax.adam(2e-3), error, chance=1.0, steps=300, batch=32)


@eleventh(
    "softmax applied twice",
    kind="sigmoid before a sigmoid",
    family="convolutional",
    source="github.com/itakurah/focal-loss-pytorch/pull/5",
    title="F.binary_cross_entropy_with_logits already applies a sigmoid",
)
def lowest_score_of_a_half(broken: bool) -> Setup:
    """Whether a digit is beyond four, by filters and a focal loss that applies a sigmoid before one that has its own.

    Seen: the first sigmoid is between zero and one, so that the second one gives a half at least. Answer: take the
    first one off.
    """
    x, y, x_other, y_other = digits()
    params = filters(1015, [1, 8, 8]) | {"out": dense(jax.random.key(1016), 64 * 8, 1, 1.0)}

    def score(params, x, offsets):
        found, hidden = flat(params, x, offsets)
        found = found[:, 0]
        return jax.nn.sigmoid(found) if broken else found, hidden

    def loss(params, batch, offsets):
        found, hidden = score(params, batch[0], offsets)
        sure = jnp.where(batch[1] > 4, found, -found)
        return (-(jax.nn.sigmoid(-sure) ** 2) * jax.nn.log_sigmoid(sure)).mean(), hidden

    right = jax.jit(lambda params: ((score(params, x_other, None)[0] > 0) == (y_other > 4)).mean())
    chance = 0.25 * float(np.log(2))
    return classified(params, loss, (x, y), optax.sgd(0.03, 0.9), right, classes=2, chance=chance, batch=32, steps=300)


@eleventh(
    "exploding",
    "first loss too large",
    kind="norm that is left out",
    family="convolutional",
    source="github.com/jay-mahadeokar/pynetbuilder/issues/8",
    title="Should ResNet work without Batch Norm layer?",
)
def sums_without_a_norm(broken: bool) -> Setup:
    """Digits by nine pairs of filters each of which is added to what it reads, with or without a norm behind them.

    Seen: should such a network work without the norm? Answer: not sure it can; it is very important in deep networks,
    and allows for the larger rate.
    """
    params = filters(1017, [1, *(8,) * 19]) | {"out": dense(jax.random.key(1018), 8, 10, 1.0)}

    def net(params, x, offsets):
        hidden = []
        names = sorted(name for name in params if name.startswith("conv"))
        h = convolve(params[names[0]], x.reshape(len(x), 8, 8, 1))
        for one, two in zip(names[1::2], names[2::2], strict=True):
            inside = convolve(params[one], h)
            inside = convolve(params[two], jax.nn.relu(inside if broken else normalised(inside, (0, 1, 2))))
            h = activated("linear", h + (inside if broken else normalised(inside, (0, 1, 2))), hidden, offsets)
        return linear(params["out"], h.mean((1, 2))), tuple(hidden)

    return classification(params, optax.sgd(0.1, 0.9), net=net, batch=16, steps=100)


@eleventh(
    "learned by heart",
    kind="few examples",
    family="convolutional",
    source="github.com/MIC-DKFZ/nnUNet/issues/104",
    title="The Problem of Overfitting",
)
def scans_of_few_patients(broken: bool) -> Setup:
    """What is on noisy pictures of low contrast, by filters, from 24 of them, or from twelve hundred.

    Seen: the network is fitted too closely; are there too few data? Answer: it is normal for them; the only way is more
    data, and more augmentation will not help.
    """
    x, y, x_other, y_other = digits()
    draw = np.random.default_rng(1019)
    x = (0.7 * x + 0.7 * draw.normal(size=x.shape)).astype(np.float32)
    x_other = (0.7 * x_other + 0.7 * draw.normal(size=x_other.shape)).astype(np.float32)
    count = 24 if broken else len(x)
    more = {"classes": 10, "batch": 24, "steps": 300}
    data, others = (x[:count], y[:count]), (x_other, y_other)
    return recognised(headed(1019, [1, 12, 12]), flat, data, others, optax.adam(2e-3), **more)
