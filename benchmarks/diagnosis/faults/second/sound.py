"""Runs that are in order and look odd: nothing is wrong with them.

The one that is called broken is the odd one. The other is the same run carried on, where the first was cut short, or
made in the usual way.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp, perceptron
from faults.problems import classification, classified, cross_entropy, curve, own
from faults.registry import Setup, second
from faults.second.adversarial import duel
from faults.second.transformer import row_params, rows

NOTHING = "nothing wrong"
WIDE = [64, 48, 48, 10]


@second(
    NOTHING,
    kind="loss with a floor",
    family="feed-forward",
    source="github.com/lxztju/pytorch_classification/issues/9",
    title="label smoothing loss问题",
    sound=True,
)
def smoothed_labels(broken: bool) -> Setup:
    """Smoothed labels, whose loss stops far above zero with every answer right."""

    def loss(logits, labels):
        soft = optax.smooth_labels(jax.nn.one_hot(labels, 10), 0.4 if broken else 0.0)
        return optax.softmax_cross_entropy(logits, soft).mean()

    return classification(mlp(0, WIDE), optax.adam(3e-3), loss=loss, steps=300)


@second(
    NOTHING,
    kind="warm-up",
    family="transformer",
    source="github.com/EleutherAI/gpt-neox/issues/1373",
    title="step1 models are always the same as step0 models",
    sound=True,
)
def first_steps_of_a_warm_up(broken: bool) -> Setup:
    """The first 20 of 100 steps of warm-up, of which the very first moves nothing."""
    optimizer = optax.adam(optax.linear_schedule(0.0, 3e-3, 100))
    return classification(row_params(0, 2), optimizer, net=rows(), batch=64, steps=20 if broken else 300)


@second(
    NOTHING,
    kind="branches that begin at zero",
    family="feed-forward",
    source="github.com/SocialComplexityLab/life2vec/issues/9",
    title="Rezero Parameter",
    sound=True,
)
def branches_times_zero(broken: bool) -> Setup:
    """The first steps of residual branches times a number that begins at zero: their weights get no gradient yet."""
    depth = 8
    params = mlp(1, [64] + [48] * (depth + 1) + [10])
    params = params | {"alpha": {"w": jnp.zeros(depth)}}

    def net(params, x, offsets):
        hidden = []
        x = activated("relu", linear(params["layer00"], x), hidden, offsets)
        for i in range(depth):
            branch = activated("relu", linear(params[f"layer{i + 1:02d}"], x), hidden, offsets)
            x = x + params["alpha"]["w"][i] * branch
        return linear(params[f"layer{depth + 1:02d}"], x), tuple(hidden)

    return classification(params, optax.adam(1e-3), net=net, steps=10 if broken else 200)


@second(
    NOTHING,
    kind="low rank from zero",
    family="feed-forward",
    source="github.com/microsoft/LoRA/issues/59",
    title="How to optimize B, which is the all zero matrix in the Lora method?",
    sound=True,
)
def one_factor_of_zeros(broken: bool) -> Setup:
    """A low-rank layer, one factor of which begins at zero, so that the other one gets no gradient at step 0."""
    params = mlp(2, [64, 48, 48, 10])
    params["layer01"] = {"w": params["layer01"]["w"][:, :16], "b": jnp.zeros(48)}
    up = 0.0 if broken else 0.2
    params["up"] = {"w": up * jax.random.normal(jax.random.key(3), (16, 48))}

    def net(params, x, offsets):
        hidden = []
        x = activated("relu", linear(params["layer00"], x), hidden, offsets)
        z = x @ params["layer01"]["w"] @ params["up"]["w"] + params["layer01"]["b"]
        return linear(params["layer02"], x + activated("tanh", z, hidden, offsets)), tuple(hidden)

    return classification(params, optax.adam(3e-3), net=net)


@second(
    NOTHING,
    kind="plateau",
    family="feed-forward",
    source="github.com/state-spaces/mamba/issues/61",
    title="Loss curve cliffs on synthetic data Induction Heads task - is this expected?",
    sound=True,
)
def plateau_before_a_cliff(broken: bool) -> Setup:
    """A parity, whose loss stays at that of a guess for long and then falls at once."""
    bits = np.random.default_rng(0).choice([-1.0, 1.0], size=(4096, 14)).astype(np.float32)
    odd = (bits[:, :3].prod(1) > 0).astype(np.int32)

    def loss(params, batch, offsets):
        logits, hidden = perceptron(params, batch[0], offsets)
        return cross_entropy(logits, batch[1]), hidden

    right = jax.jit(lambda params: (perceptron(params, bits[3072:], None)[0].argmax(-1) == odd[3072:]).mean())
    return classified(
        mlp(4, [14, 64, 2]),
        loss,
        (bits[:3072], odd[:3072]),
        optax.sgd(0.1 if broken else 0.4),
        right,
        classes=2,
        steps=2500,
        batch=128,
    )


@second(
    NOTHING,
    kind="noise",
    family="feed-forward",
    source="github.com/vitoralbiero/img2pose/issues/46",
    title="Spikes in training curve",
    sound=True,
)
def batches_of_four(broken: bool) -> Setup:
    """A loss of four examples at a time, which jumps up and down while everything is learned."""
    return classification(mlp(5, WIDE), optax.sgd(0.02, 0.5), batch=4 if broken else 128, steps=800 if broken else 400)


@second(
    NOTHING,
    kind="balance",
    family="adversarial",
    source="github.com/SHI-Labs/StyleNAT/issues/11",
    title="discriminator loss",
    sound=True,
)
def critic_that_cannot_tell(broken: bool) -> Setup:
    """A critic at the loss of a guess, since the generator is good."""
    return duel(cut=False, near=broken)


@second(
    NOTHING,
    kind="loss below zero",
    family="likelihood",
    source="github.com/roggirg/AutoBots/issues/7",
    title="Question about negative loss",
    sound=True,
)
def density_above_one(broken: bool) -> Setup:
    """A Gaussian likelihood of small numbers, whose loss is below zero."""
    x, y = curve(6)
    y = y * (0.2 if broken else 1.0)

    def loss(params, batch, offsets):
        out, hidden = perceptron(params, batch[0], offsets, "tanh")
        deviation = jax.nn.softplus(out[:, 1]) + 1e-2
        return (0.5 * ((batch[1] - out[:, 0]) / deviation) ** 2 + jnp.log(deviation)).mean(), hidden

    def error(params):
        return ((perceptron(params, x, None, "tanh")[0][:, 0] - y) ** 2).mean() / y.var()

    chance = 0.5 + float(np.log(y.std()))
    params = mlp(6, [3, 48, 48, 2], 1.0)
    return own(params, loss, (x, y), optax.adam(3e-3), error, chance=chance, steps=500, batch=128)


@second(
    NOTHING,
    kind="layers that rest",
    family="feed-forward",
    source="github.com/facebookresearch/detr/issues/431",
    title="Why not finetune backbone lower layer",
    sound=True,
)
def backbone_at_rest(broken: bool) -> Setup:
    """Layers that are held still on purpose, under a head that learns."""
    params = mlp(7, WIDE)
    if not broken:
        return classification(params, optax.adam(3e-3))
    labels = {name: "head" if name == "layer02" else "rest" for name in params}
    rest = optax.multi_transform({"head": optax.adam(1e-2), "rest": optax.set_to_zero()}, labels)
    return classification(params, rest)


@second(
    NOTHING,
    kind="small gradients",
    family="feed-forward",
    source="github.com/nerfstudio-project/nerfacc/issues/100",
    title="Purpose of Gradient Scaling",
    sound=True,
)
def gradients_of_a_millionth(broken: bool) -> Setup:
    """A loss times a millionth under Adam, which does not care."""
    scale = 1e-6 if broken else 1.0

    def loss(logits, labels):
        return scale * cross_entropy(logits, labels)

    optimizer = optax.adam(3e-3, eps=1e-14 if broken else 1e-8)
    return classification(mlp(8, WIDE), optimizer, loss=loss, chance=scale * float(np.log(10)))


@second(
    NOTHING,
    kind="finished",
    family="regression",
    source="github.com/thtrieu/darkflow/issues/975",
    title="darkflow training stop",
    sound=True,
)
def nothing_left_to_learn(broken: bool) -> Setup:
    """A run that goes on from where it is exact: the loss is flat, and the gradients are next to nothing."""
    x = curve(7)[0]
    teacher = mlp(9, [3, 24, 1], 1.0)
    y = np.asarray(perceptron(teacher, x, None, "tanh")[0][:, 0])
    draw = jax.random.split(jax.random.key(10), 4)
    leaves, tree = jax.tree.flatten(teacher)
    near = [leaf + 1e-4 * jax.random.normal(key, leaf.shape) for key, leaf in zip(draw, leaves, strict=True)]
    params = jax.tree.unflatten(tree, near) if broken else mlp(11, [3, 24, 1], 1.0)

    def loss(params, batch, offsets):
        out, hidden = perceptron(params, batch[0], offsets, "tanh")
        return ((out[:, 0] - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((perceptron(params, x, None, "tanh")[0][:, 0] - y) ** 2).mean() / y.var()

    return own(params, loss, (x, y), optax.sgd(0.1, 0.9), error, chance=float(y.var()), steps=400)
