"""Embeddings that are learned by comparison: a picture beside itself, and two views without a norm."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.fifth.contrastive import embedded
from faults.nets import linear, mlp, perceptron
from faults.problems import digits, own
from faults.registry import Setup, ninth
from faults.second.attention import normalised
from faults.second.contrastive import unit
from faults.third.contrastive import views


def guessed(projected):
    """The loss of two views of which each is guessed from the other, while the one that is guessed stands still."""

    def loss(params, batch, offsets):
        hidden = []
        one, two = (projected(params, view, hidden, offsets) for view in batch)
        guesses = [unit(linear(params["guess"]["layer00"], z)) for z in (one, two)]
        still = [unit(jax.lax.stop_gradient(z)) for z in (two, one)]
        return -sum((a * b).sum(1).mean() for a, b in zip(guesses, still, strict=True)) / 2, tuple(hidden)

    return loss


@ninth(
    "not-a-number gradients",
    "not-a-number loss",
    kind="slope at zero",
    family="contrastive",
    source="github.com/adambielski/siamese-triplet/issues/18",
    title="Siamese loss problem",
)
def picture_beside_itself(broken: bool) -> Setup:
    """Pairs of pictures that are drawn together or apart by their distance, and a pair of one and the same picture.

    Seen: derivatives are suddenly NaN in some iteration, because a distance is zero. Answer: the epsilon was added.
    """
    x, y, x_other, y_other = digits()
    draw = np.random.default_rng(611)
    one, two = draw.integers(len(x), size=(2, 4000))
    alike = draw.random(4000) < 0.5
    for i in np.flatnonzero(alike):
        two[i] = draw.choice(np.flatnonzero(y == y[one[i]]))
    one[one == two] = 0
    two[1234] = one[1234]
    same = (y[one] == y[two]).astype(np.float32)
    x = jnp.asarray(x)

    def loss(params, batch, offsets):
        hidden = []
        first, second = (embedded(params, x[each], hidden, offsets, "tanh") for each in batch[:2])
        far = jnp.sqrt(((first - second) ** 2).sum(1) + (0.0 if broken else 1e-9))
        return (batch[2] * far**2 + (1 - batch[2]) * jax.nn.relu(2.0 - far) ** 2).mean(), tuple(hidden)

    def error(params):
        known, asked = (perceptron(params, each, None, "tanh")[0] for each in (x[:600], x_other))
        far = ((asked[:, None] - known) ** 2).sum(-1)
        return (jnp.asarray(y)[far.argmin(1)] != y_other).mean() / 0.9

    data = (one.astype(np.int32), two.astype(np.int32), same)
    return own(mlp(611, [64, 48, 16], 1.0), loss, data, optax.adam(2e-3), error, steps=300, batch=64)


@ninth(
    "collapse",
    kind="norm that is left out",
    family="contrastive",
    source="github.com/lucidrains/byol-pytorch/pull/79",
    title="fix:simsiam",
)
def projector_of_another_method(broken: bool) -> Setup:
    """Two views of a picture without negatives, whose projector normalises over the batch or does not.

    Seen: the implementation fails to learn representations. Answer: the method has another projector, with a norm
    behind each layer, which does the trick on the report's curves; it was discussed, and closed.
    """
    first, second = views(612)
    x_other = digits()[2]
    params = {"encoder": mlp(612, [64, 64, 48, 16]), "guess": mlp(613, [16, 16], 1.0)}

    def between(z):
        return z if broken else normalised(z, 0)

    def projected(params, x, hidden, offsets):
        return between(embedded(params["encoder"], x, hidden, offsets, between=between))

    def error(params):
        z = unit(projected(params, x_other, [], None))
        return (z @ z.T).mean()

    return own(params, guessed(projected), (first, second), optax.sgd(0.05, 0.9), error, steps=300, batch=128)
