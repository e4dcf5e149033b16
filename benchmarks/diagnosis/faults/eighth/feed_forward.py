"""Perceptrons: small weights, a clipped softmax, layers in a list, rates, an unlucky draw."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import mlp, perceptron
from faults.problems import classification, classified, cross_entropy, own
from faults.registry import Setup, eighth


@eighth(
    "vanishing",
    kind="initialisation",
    family="feed-forward",
    source="github.com/SilasMarvin/dnns-from-scratch-in-zig/pull/7",
    title="Use He weight initialization.",
)
def layers_that_are_drawn_too_small(broken: bool) -> Setup:
    """Seven hidden layers of rectifiers, whose weights are drawn the smaller for no reason.

    Seen: gradients vanish at only five layers. Answer: the initialisation of He, which allows for thirty; merged.
    """
    params = mlp(301, [64, *(48,) * 7, 10], 0.1 if broken else 2.0)
    return classification(params, optax.sgd(0.03, 0.5), batch=64, steps=400)


@eighth(
    "saturated loss",
    "gradients exactly zero",
    "first loss too large",
    kind="clip behind a softmax",
    family="feed-forward",
    source="github.com/AITIAL/OpenWhiz/pull/50",
    title="Clamp owProbabilityLayer's softmax output to avoid gradient collapse",
)
def answers_that_are_wrong_and_sure(broken: bool) -> Setup:
    """Classes by a softmax, whose logarithm is clipped; what is wrong and sure of it lies below the clip's edge.

    Seen: a sure mistake falls below the epsilon of the loss, and training silently stalls at one half. Answer: the
    softmax itself is kept above it, so that the two cancel, and 99 of 100 are right.
    """
    params = mlp(302, [64, 48, 10])
    params["layer01"]["w"] = 150.0 * params["layer01"]["w"]

    def loss(scores, labels):
        log = jax.nn.log_softmax(scores)
        if broken:
            log = jnp.log(jnp.clip(jax.nn.softmax(scores), 1e-7, 1.0))
        return -jnp.take_along_axis(log, labels[:, None], 1).mean()

    return classification(params, optax.sgd(0.003), loss=loss, batch=64, steps=400)


@eighth(
    "frozen",
    kind="layers that are not registered",
    family="feed-forward",
    source="github.com/pytorch/pytorch/issues/715",
    title="Module: parameters are not included if the module is initialized in a list",
)
def layers_in_a_list(broken: bool) -> Setup:
    """Narrow hidden layers that are kept in a plain list, and a classifier that the optimizer alone can find.

    Seen: the parameters of the layers in the list are not among those of the model. Answer: a list of modules.
    """
    params = mlp(303, [64, 8, 3, 10], 1.0)
    hidden = optax.set_to_zero() if broken else optax.adam(1e-2)
    groups = {name: "classifier" if name == "layer02" else "hidden" for name in params}
    optimizer = optax.multi_transform({"classifier": optax.adam(1e-2), "hidden": hidden}, groups)
    return classification(params, optimizer, kind="tanh", batch=64, steps=400)


@eighth(
    "learning rate too large",
    kind="rate",
    family="feed-forward",
    source="github.com/microbit-foundation/cctd-ml-machine/issues/548",
    title="Test if we should reduce learning rate",
)
def movements_of_ten_kinds(broken: bool) -> Setup:
    """Which of ten movements was made, from a few noisy numbers of each, by a small network at a large rate.

    Seen: above five classes the models became rapidly worse. Answer: a lower rate, which resolved it.
    """
    draw = np.random.default_rng(304)
    kinds = draw.normal(size=(10, 24))
    label = draw.integers(10, size=1600).astype(np.int32)
    x = (kinds[label] + 1.4 * draw.normal(size=(1600, 24))).astype(np.float32)

    def loss(params, batch, offsets):
        scores, hidden = perceptron(params, batch[0], offsets)
        return cross_entropy(scores, batch[1]), hidden

    right = jax.jit(lambda params: (perceptron(params, x[1200:], None)[0].argmax(-1) == label[1200:]).mean())
    optimizer = optax.sgd(0.6 if broken else 0.03, 0.9)
    data = (x[:1200], label[:1200])
    return classified(mlp(304, [24, 32, 10]), loss, data, optimizer, right, classes=10, batch=16, steps=250)


@eighth(
    "softmax applied twice",
    kind="softmax before a softmax",
    family="feed-forward",
    source="github.com/MicrosoftDocs/ml-basics/issues/48",
    title="The torch deep learning model should not use softmax last layer + CrossEntropyLoss",
)
def penguins_of_three_species(broken: bool) -> Setup:
    """The species of a penguin, from four measures that overlap, by a network with a softmax at its end; what it costs.

    Seen: a softmax is the last layer before the cross-entropy. Answer: the loss expects scores; it was fixed.
    """
    draw = np.random.default_rng(305)
    species = draw.integers(3, size=900).astype(np.int32)
    x = (1.5 * draw.normal(size=(3, 4))[species] + 1.3 * draw.normal(size=(900, 4))).astype(np.float32)

    def loss(params, batch, offsets):
        scores, hidden = perceptron(params, batch[0], offsets)
        return cross_entropy(jax.nn.softmax(scores) if broken else scores, batch[1]), hidden

    chance = float(np.log(3))

    def error(params):
        return loss(params, (x, species), None)[0] / chance

    params = mlp(305, [4, 10, 10, 3])
    return own(params, loss, (x, species), optax.adam(5e-3), error, chance=chance, batch=32, steps=400)


@eighth(
    "dead units",
    "gradients exactly zero",
    kind="an unlucky draw",
    family="feed-forward",
    source="github.com/allenai/allennlp-as-a-library-example/issues/8",
    title="Tests are failing",
)
def three_units_that_are_never_reached(broken: bool) -> Setup:
    """Where a paper was published, from the words of its title, by a layer of three rectifiers that are all silent.

    Seen: a test fails. Answer: by the draw all that reaches the rectifiers is negative, so that the gradient is zero;
    it is an issue since the network is so small. Sigmoids instead.
    """
    draw = np.random.default_rng(306)
    venue = draw.integers(3, size=1200).astype(np.int32)
    likely = draw.dirichlet(np.ones(20), size=3)
    counts = np.stack([draw.multinomial(200, likely[each]) for each in venue])
    x = np.log1p(counts).astype(np.float32)

    def drawn(seed):
        return mlp(seed, [20, 3, 3], 1.0)

    silent = (seed for seed in range(1000) if float((x @ drawn(seed)["layer00"]["w"]).max()) < 0)
    kind = "relu" if broken else "sigmoid"

    def loss(params, batch, offsets):
        scores, hidden = perceptron(params, batch[0], offsets, kind)
        return cross_entropy(scores, batch[1]), hidden

    right = jax.jit(lambda params: (perceptron(params, x[900:], None, kind)[0].argmax(-1) == venue[900:]).mean())
    data = (x[:900], venue[:900])
    return classified(drawn(next(silent)), loss, data, optax.adam(1e-2), right, classes=3, batch=32, steps=400)
