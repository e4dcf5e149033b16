"""Generators and critics: a critic that is sure, one mode of four, and a classifier beside a critic."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import mlp
from faults.problems import cross_entropy, digits, own
from faults.registry import Setup, eighth
from faults.seventh.adversarial import paced, rivals


@eighth(
    "saturated loss",
    "vanishing",
    kind="critic that is sure",
    family="adversarial",
    source="github.com/onejiin/CycleGAN-VC2/issues/5",
    title="Discriminator Loss is 0.000",
)
def critic_with_a_loss_of_nothing(broken: bool) -> Setup:
    """A generator of voices by squares of probabilities, against a critic that learns far faster, and is soon sure.

    Seen: the loss of the discriminator is 0.000. Answer: it can always tell what is false, so that learning does not
    proceed; set the learning rates appropriately.
    """

    def squares(true, false, shown):
        return (jax.nn.softplus(-true) + jax.nn.softplus(false) + (jax.nn.sigmoid(shown) - 1) ** 2).mean()

    rates = {"critic": optax.adam(0.02 if broken else 1e-3, b1=0.5), "generator": optax.sgd(0.01)}
    optimizer = optax.multi_transform(rates, {"critic": "critic", "generator": "generator"})
    return rivals(401, squares, optimizer, place=10.0, steps=700, batch=64)


@eighth(
    "collapse",
    kind="one mode of many",
    family="adversarial",
    source="github.com/wiseodd/generative-models/issues/14",
    title="generation of vanilla_gan at the end are all 1-s",
)
def digits_that_are_all_ones(broken: bool) -> Setup:
    """A generator that gives the same for any noise, with logistic losses, or with a critic that is clipped.

    Seen: at the end all pictures are ones. Answer: the mode collapse, a distribution without a width; the Wasserstein
    distance is one of the works that solve it.
    """

    def judge(true, false, shown):
        if broken:
            return (jax.nn.softplus(-true) + jax.nn.softplus(false) + jax.nn.softplus(-shown)).mean()
        return false.mean() - true.mean() - shown.mean()

    def apply(params, updates):
        params = optax.apply_updates(params, updates)
        if broken:
            return params
        return params | {"critic": jax.tree.map(lambda w: jnp.clip(w, -0.2, 0.2), params["critic"])}

    rates = {"critic": optax.rmsprop(2e-3), "generator": optax.rmsprop(1e-3)}
    usual = optax.multi_transform(rates, {"critic": "critic", "generator": "generator"})
    optimizer = paced(2e-4, 2e-2) if broken else usual
    return rivals(403, judge, optimizer, place=1.0, apply=apply, steps=1000, batch=64)


@eighth(
    "softmax applied twice",
    kind="softmax before a softmax",
    family="adversarial",
    source="github.com/NaJaeMin92/pytorch-DANN/issues/7",
    title="Regarding softmax layer",
)
def digits_of_another_domain(broken: bool) -> Setup:
    """Digits, whose features shall not tell of which of two domains they are; both heads end with a softmax.

    Seen: the softmax makes the model hard to train. Answer: it is redundant, since the loss has one; it was removed.
    """
    x, y, x_other, y_other = digits()
    draw = np.random.default_rng(405)
    domain = draw.integers(2, size=len(x)).astype(np.int32)
    x = (x * np.where(domain, 0.7, 1.0)[:, None] + 0.3 * domain[:, None]).astype(np.float32)
    params = {"features": mlp(405, [64, 48, 24]), "classes": mlp(406, [24, 10]), "critic": mlp(407, [24, 24, 2])}

    def against(z):
        """The same forwards, and the other way backwards."""
        return -0.1 * z + jax.lax.stop_gradient(1.1 * z)

    def last(scores):
        return jax.nn.softmax(scores) if broken else scores

    def loss(params, batch, offsets):
        hidden = []
        z = embedded(params["features"], batch[0], hidden, offsets)
        said = embedded(params["classes"], z, hidden, offsets)
        from_where = embedded(params["critic"], against(z), hidden, offsets)
        both = cross_entropy(last(said), batch[1]) + 0.3 * cross_entropy(last(from_where), batch[2])
        return both, tuple(hidden)

    def error(params):
        said = embedded(params["classes"], embedded(params["features"], x_other, [], None), [], None)
        return cross_entropy(last(said), y_other) / np.log(10)

    chance = float(np.log(10) + 0.3 * np.log(2))
    return own(params, loss, (x, y, domain), optax.sgd(0.03, 0.9), error, chance=chance, steps=400, batch=64)
