"""Perceptrons: weights, rates, decay, schedules, masks."""

import jax
import jax.numpy as jnp
import optax

from faults.nets import mlp, perceptron
from faults.problems import classification, digits
from faults.registry import Setup, fault

WIDE = [64, 64, 64, 64, 10]


def _unit(x):
    """Pixels between 0 and 1."""
    return x * 0.376 + 0.305


@fault(
    "exploding",
    "first loss too large",
    family="feed-forward",
    source="e-com-net 1281957349447188480",
    shown=True,
)
def normal_one_init(broken: bool) -> Setup:
    """Weights drawn with standard deviation 1 under ReLU."""
    sizes = [64, 128, 128, 128, 10]
    params = mlp(0, sizes)
    std = 1.0 if broken else 0.1
    keys = jax.random.split(jax.random.key(5), len(params))
    for key, layer in zip(keys, params.values(), strict=True):
        layer["w"] = std * jax.random.truncated_normal(key, -2, 2, layer["w"].shape)
    return classification(params, optax.sgd(0.05), inputs=_unit, batch=None)


@fault(
    "units that died",
    "learning rate too large",
    family="feed-forward",
    source="discuss.pytorch.org 43814",
    shown=True,
)
def killing_rate(broken: bool) -> Setup:
    """A learning rate that kills the units."""
    return classification(mlp(0, WIDE), optax.adam(0.3 if broken else 1e-3), inputs=_unit)


@fault("learning rate too large", family="feed-forward", source="rajveermalviya/language-modeling #3", shown=True)
def rate_of_sgd_for_adam(broken: bool) -> Setup:
    """Adam with the learning rate of 1 that SGD had."""
    return classification(mlp(0, [64, 64, 64, 10], 1.0), optax.adam(1.0 if broken else 1e-3), kind="tanh")


@fault(
    "vanishing",
    "collapse",
    family="feed-forward",
    source="theneuralbase.com keras/vanishing-gradients-activation-choice",
)
def deep_sigmoid(broken: bool) -> Setup:
    """Ten layers of sigmoids; ReLU trains."""
    params = mlp(0, [64] + [48] * 10 + [10], 1.0 if broken else 2.0)
    return classification(params, optax.sgd(0.05, 0.9), kind="sigmoid" if broken else "relu")


@fault("vanishing", "collapse", family="feed-forward", source="guevara/read-it-later #10754")
def small_init(broken: bool) -> Setup:
    """Weights that are drawn far too small."""
    return classification(mlp(0, [64] + [48] * 8 + [10], 0.05 if broken else 1.0), optax.sgd(0.05, 0.9), kind="tanh")


@fault("dead units", family="feed-forward", source="topoin.info/dying-relu-causes-and-solutions-leaky-relu")
def negative_bias(broken: bool) -> Setup:
    """Biases so negative that no unit ever works."""
    return classification(mlp(0, WIDE, bias=-12.0 if broken else 0.0), optax.sgd(0.05, 0.9))


@fault("gradients exactly zero", family="feed-forward", source="stats.stackexchange.com 294332")
def zero_weights(broken: bool) -> Setup:
    """All weights zero."""
    params = mlp(0, [64, 32, 32, 10])
    return classification(jax.tree.map(jnp.zeros_like, params) if broken else params, optax.sgd(0.1, 0.9))


@fault(
    "saturation",
    "exploding",
    "first loss too large",
    family="feed-forward",
    source="breno.bearblog.dev/the-weights-in-a-study-on-fixing-the-saturated-function",
)
def saturated_tanh(broken: bool) -> Setup:
    """Weights of standard deviation 2 under tanh: units lie at one and minus one."""
    params = mlp(0, [64, 64, 64, 64, 64, 64, 10], 4000.0 if broken else 1.0)
    return classification(params, optax.sgd(0.01, 0.9), kind="tanh", steps=150)


@fault("learning rate too small", family="feed-forward", source="isp1tze/MAProj #3")
def tiny_rate(broken: bool) -> Setup:
    """A rate far too small for the number of steps."""
    return classification(mlp(0, WIDE), optax.adam(1e-6 if broken else 1e-3))


@fault("learning rate too small", family="feed-forward", source="tegg89/SRCNN-Tensorflow #24")
def tiny_rate_of_sgd(broken: bool) -> Setup:
    """The same of SGD, where the loss drops by a few per cent."""
    return classification(mlp(0, WIDE), optax.sgd(3e-4 if broken else 0.1))


@fault("vanishing in training", family="feed-forward", source="BVLC/caffe #1396")
def heavy_decay(broken: bool) -> Setup:
    """A weight decay of a half, by which all weights become zero."""
    return classification(mlp(0, WIDE), optax.chain(optax.add_decayed_weights(0.5 if broken else 5e-4), optax.sgd(0.1)))


@fault("learning rate too large", family="feed-forward", source="swz30/MPRNet #29")
def momentum_and_rate(broken: bool) -> Setup:
    """A rate that momentum makes too large."""
    return classification(mlp(0, WIDE), optax.sgd(1.0 if broken else 0.02, 0.95))


@fault("learning rate too small", family="feed-forward", source="jaehyunnn/ViTPose_pytorch #20")
def decayed_to_nothing(broken: bool) -> Setup:
    """A decay that is applied at every step: the learning rate is nothing soon after the start."""
    return classification(
        mlp(0, WIDE, 1.0), optax.adam(optax.exponential_decay(1e-3, 1, 0.5 if broken else 0.999)), kind="tanh"
    )


@fault("frozen", family="feed-forward", source="Lightning-AI/pytorch-lightning #11112")
def frozen_encoder(broken: bool) -> Setup:
    """An encoder of few units that gets no gradient."""

    def net(params, x, offsets):
        h, _ = perceptron({name: params[name] for name in ("layer00", "layer01")}, x, None, "tanh")
        h = jax.lax.stop_gradient(h) if broken else h
        return perceptron({name: params[name] for name in ("layer02", "layer03")}, h, offsets, "tanh")

    return classification(mlp(0, [64, 16, 3, 32, 10], 1.0), optax.adam(1e-2), net=net, steps=300)


@fault("gradients exactly zero", family="feed-forward", source="jax-ml/jax #2097")
def loss_of_labels(broken: bool) -> Setup:
    """A loss that compares the labels with themselves."""

    def loss(logits, labels):
        scores = jax.nn.one_hot(labels, 10) if broken else logits
        return optax.softmax_cross_entropy_with_integer_labels(scores, labels).mean()

    return classification(mlp(0, WIDE), optax.adam(1e-3), loss=loss)


@fault("updates point uphill", family="feed-forward", source="nothinglo/Deep-Photo-Enhancer #57")
def wrong_sign(broken: bool) -> Setup:
    """The loss is raised in place of lowered."""
    sign = optax.scale(-1.0 if broken else 1.0)
    return classification(mlp(0, WIDE), optax.chain(optax.sgd(0.003, 0.9), sign), steps=100)


@fault("gradients exactly zero", family="feed-forward", source="google-deepmind/dm-haiku #442")
def argmax_in_loss(broken: bool) -> Setup:
    """The loss counts wrong answers by argmax."""

    def loss(logits, labels):
        if broken:
            return (logits.argmax(-1) != labels).astype(jnp.float32).mean() + 0 * logits.sum()
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    return classification(mlp(0, WIDE), optax.adam(1e-3), loss=loss, chance=0.9 if broken else 2.302585)


@fault("learning rate too large", family="feed-forward", source="open-mmlab/mmrotate #356")
def rate_for_larger_batches(broken: bool) -> Setup:
    """A learning rate that was scaled up with the batch, and further than the network bears."""
    return classification(mlp(3, [64, 96, 96, 10]), optax.sgd(6.4 if broken else 0.1), batch=256)


@fault(
    "constant answer",
    "learned by heart",
    family="feed-forward",
    source="codegenes.net keras training-and-loss-not-changing",
)
def labels_out_of_step(broken: bool) -> Setup:
    """Labels that were shuffled and inputs that were not."""
    _, y, *_ = digits()
    labels = jax.random.permutation(jax.random.key(4), y) if broken else y
    return classification(mlp(0, [64, 24, 24, 10]), optax.sgd(0.02, 0.9), labels=labels, steps=150)
