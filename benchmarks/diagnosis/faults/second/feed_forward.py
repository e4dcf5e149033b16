"""Perceptrons: units, gates, labels and data."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp, perceptron
from faults.problems import classification, classified, digits, own
from faults.registry import Setup, second


@second(
    "all units of a layer are copies of one",
    kind="initialisation",
    family="feed-forward",
    source="github.com/soumith/net2net.torch/issues/3",
    title="Addition of noise to break symmetry",
)
def replicated_units(broken: bool) -> Setup:
    """A network that was widened by copies of one unit, without noise: all copies stay the same."""
    params = mlp(0, [64, 48, 48, 10], 1.0)
    if broken:
        for name, layer in params.items():
            inputs = 1 if name == "layer00" else 48
            rows = layer["w"] if name == "layer00" else jnp.broadcast_to(layer["w"][:1], layer["w"].shape)
            columns = rows if name == "layer02" else jnp.broadcast_to(rows[:, :1], rows.shape)
            layer["w"] = columns / inputs**0.5
    return classification(params, optax.adam(1e-3), kind="tanh", steps=300)


@second(
    "constant answer",
    kind="labels in the wrong form",
    family="feed-forward",
    source="github.com/bfortuner/ml-glossary/pull/113",
    title="Fix: loss_functions.py --> Hinge Loss",
)
def hinge_of_zero(broken: bool) -> Setup:
    """A hinge loss for labels of -1 and 1, given 0 and 1: an example of class 0 costs 1 whatever is answered."""
    x, y, x_other, y_other = digits()
    above, above_other = (y >= 5).astype(np.float32), y_other >= 5
    target = above if broken else 2 * above - 1

    def loss(params, batch, offsets):
        score, hidden = perceptron(params, batch[0], offsets, "tanh")
        return jax.nn.relu(1 - batch[1] * score[:, 0]).mean(), hidden

    def error(params):
        return 2 * ((perceptron(params, x_other, None, "tanh")[0][:, 0] > 0) != above_other).mean()

    chance = float(1 - above.mean()) if broken else float(2 * min(above.mean(), 1 - above.mean()))
    params = mlp(1, [64, 48, 48, 1], 1.0)
    return own(params, loss, (x, target), optax.adam(3e-3), error, chance=chance, steps=300, batch=64)


@second(
    "learning rate too small",
    kind="scale of a loss",
    family="feed-forward",
    source="github.com/IntelLabs/distiller/issues/122",
    title="no T*T in distillation loss",
)
def lukewarm_distillation(broken: bool) -> Setup:
    """A student of soft answers at temperature 20, whose loss lacks the factor of 20 squared."""
    x, y, x_other, y_other = digits()
    noise = np.random.default_rng(0).normal(size=(len(y), 10))
    teacher = (8 * np.eye(10)[y] + noise).astype(np.float32)
    heat, factor = 20.0, 1.0 if broken else 400.0
    soft = np.asarray(jax.nn.softmax(teacher / heat))

    def loss(params, batch, offsets):
        logits, hidden = perceptron(params, batch[0], offsets)
        return factor * optax.kl_divergence(jax.nn.log_softmax(logits / heat), batch[1]).mean(), hidden

    right = jax.jit(lambda params: (perceptron(params, x_other, None)[0].argmax(-1) == y_other).mean())
    chance = factor * float((soft * np.log(soft / soft.mean(0))).sum(1).mean())
    return classified(
        mlp(2, [64, 48, 48, 10]),
        loss,
        (x, soft),
        optax.sgd(0.03, 0.9),
        right,
        classes=10,
        chance=chance,
        batch=128,
    )


@second(
    "gradients exactly zero",
    "dead units",
    kind="rectifier before a softmax",
    family="feed-forward",
    source="github.com/mrchor/HiNet/issues/1",
    title="Why using relu before softmax?",
)
def silent_gate(broken: bool) -> Setup:
    """A gate that reads an embedding of zeros through a rectifier: neither is ever moved, and experts are averaged."""
    x, y, x_other, y_other = digits()
    domain, domain_other = (np.random.default_rng(i).integers(3, size=len(each)) for i, each in enumerate((y, y_other)))
    answer, answer_other = (y + 3 * domain) % 10, (y_other + 3 * domain_other) % 10
    params = {f"expert{i}": mlp(i, [64, 32, 10]) for i in range(3)}
    params["embedding"] = {"w": jnp.zeros((3, 8))}
    params["gate"] = {"w": 0.5 * jax.random.normal(jax.random.key(9), (8, 3))}

    def forward(params, x, domain, offsets):
        hidden = []
        z = params["embedding"]["w"][domain] @ params["gate"]["w"]
        shares = jax.nn.softmax(activated("relu" if broken else "linear", z, hidden, offsets))
        answers = []
        for i in range(3):
            first, last = (params[f"expert{i}"][name] for name in ("layer00", "layer01"))
            answers.append(linear(last, activated("relu", linear(first, x), hidden, offsets)))
        return jnp.einsum("ne,enk->nk", shares, jnp.stack(answers)), tuple(hidden)

    def loss(params, batch, offsets):
        logits, hidden = forward(params, batch[0], batch[2], offsets)
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean(), hidden

    right = jax.jit(lambda params: (forward(params, x_other, domain_other, None)[0].argmax(-1) == answer_other).mean())
    return classified(
        params,
        loss,
        (x, answer.astype(np.int32), domain.astype(np.int32)),
        optax.adam(5e-3),
        right,
        classes=10,
        steps=400,
        batch=128,
    )


@second(
    "gradients exactly zero",
    kind="a step without a slope",
    family="feed-forward",
    source="github.com/MatthieuCourbariaux/BinaryConnect/issues/7",
    title="How could you calculate the derivative respect to binary weights(-1, +1)?",
)
def signs_of_weights(broken: bool) -> Setup:
    """Weights that are rounded to their signs, whose slope is zero; the straight-through estimator passes it on."""
    params = mlp(3, [64, 96, 10], 1.0)

    def sign(w):
        rounded = jnp.sign(w) / len(w) ** 0.5
        return rounded if broken else w + jax.lax.stop_gradient(rounded - w)

    def net(params, x, offsets):
        hidden = []
        h = activated("tanh", x @ sign(params["layer00"]["w"]), hidden, offsets)
        return h @ sign(params["layer01"]["w"]) + params["layer01"]["b"], tuple(hidden)

    return classification(params, optax.adam(3e-3), net=net)


@second(
    "learned by heart",
    kind="too few examples",
    family="feed-forward",
    source="github.com/lm-sys/FastChat/issues/2025",
    title="training loss curve looks like stairs",
)
def a_handful_of_examples(broken: bool) -> Setup:
    """So few examples that the network remembers them all, and knows nothing of others."""
    draw = np.random.default_rng(0)
    bits = draw.choice([-1.0, 1.0], size=(4096, 12)).astype(np.float32)
    odd = (bits[:, 0] * bits[:, 1] * bits[:, 2] > 0).astype(np.int32)
    count = 48 if broken else 2048
    others, answers = bits[2048:], odd[2048:]

    def loss(params, batch, offsets):
        logits, hidden = perceptron(params, batch[0], offsets)
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean(), hidden

    right = jax.jit(lambda params: (perceptron(params, others, None)[0].argmax(-1) == answers).mean())
    return classified(
        mlp(4, [12, 64, 64, 2]),
        loss,
        (bits[:count], odd[:count]),
        optax.adam(3e-3),
        right,
        classes=2,
        steps=400,
        batch=48,
    )
