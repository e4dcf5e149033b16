"""Faults whose cause no finding describes: a mask that hides nothing, labels of a test in another order, shares for
coordinates, a sum that forgets its input."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.eighth.transformer import marked
from faults.fourth.convolutional import seen
from faults.nets import Kind, activated, linear
from faults.problems import classified, digits, own, recognised, said_in_turn
from faults.registry import Setup, twelfth
from faults.second.attention import WIDTH, at_each_word, blocks, causal, normalised
from faults.tenth.convolutional import headed
from faults.twelfth.language import texts
from faults.twelfth.recurrent import cells, states


@twelfth(
    "scores that are to be hidden are set to about zero, so that words see those that are to be foretold",
    kind="mask that hides nothing",
    family="transformer",
    source="github.com/hyunwoongko/transformer/issues/10",
    title="Masked attention",
)
def scores_hidden_by_a_small_number(broken: bool) -> Setup:
    """The next word at each place, by a block whose hidden scores are minus 1e-12, or minus infinity.

    Seen: what is masked is set to minus a small number, and should be minus infinity. Answer: that is right; fixed.
    """
    _, text = texts(1261, 16, 8)
    params = blocks(1261, 1, 16, tokens=16, length=8)

    def scores(params, text, offsets):
        return at_each_word(params, text, offsets, causal(8), -1e-12 if broken else -jnp.inf)

    return said_in_turn(params, text, scores, optax.adam(5e-3), words=16, steps=400)


@twelfth(
    "pictures of the test are shuffled, and are compared with labels that are not",
    kind="test that is shuffled",
    family="convolutional",
    source="github.com/ck37/coral-ordinal/issues/6",
    title="bug in Colab notebook's MNIST example",
)
def test_in_another_order(broken: bool) -> Setup:
    """Digits by filters, as the one of nine thresholds that is not passed, tested in another order than its labels.

    Seen: the accuracy is that of chance. Answer: the report's own: no shuffling of the test; thanks, fixed.
    """
    x, y, x_other, y_other = digits()
    params = headed(1263, [1, 8, 8])
    order = np.random.default_rng(1263).permutation(len(x_other))
    x_test = x_other[order] if broken else x_other

    def scores(params, x, offsets):
        maps, hidden = seen(params, x.reshape(len(x), 8, 8, 1), offsets)
        return linear(params["out"], maps.reshape(len(x), -1))[:, :9], hidden

    def loss(params, batch, offsets):
        found, hidden = scores(params, batch[0], offsets)
        passed = (batch[1][:, None] > np.arange(9)).astype(jnp.float32)
        return optax.sigmoid_binary_cross_entropy(found, passed).sum(1).mean(), hidden

    right = jax.jit(lambda params: ((scores(params, x_test, None)[0] > 0).sum(1) == y_other).mean())
    chance = float(sum(-(q * np.log(q) + (1 - q) * np.log(1 - q)) for q in np.arange(1, 10) / 10))
    more = {"classes": 10, "batch": 32, "steps": 250, "chance": chance}
    return classified(params, loss, (x, y), optax.adam(5e-3), right, **more)


@twelfth(
    "answers are shares that sum to one, where each of two coordinates may have any value",
    kind="shares in the place of coordinates",
    family="recurrent",
    source="github.com/keras-team/keras/issues/1987",
    title="Extremely high loss value for each epoch, not increasing in accuracy.",
)
def places_as_shares(broken: bool) -> Setup:
    """Where an animal goes next, from ten places before, by a recurrent network with a softmax at its end or without.

    Seen: places are around 40, and answers around 0.4; the loss hardly falls. Answer: none; two layers end in a
    softmax, which cannot give such numbers. Here, places are standardised.
    """
    draw = np.random.default_rng(1265)
    drift = draw.normal(size=(1200, 1, 2))
    path = np.cumsum(drift + 0.3 * draw.normal(size=(1200, 11, 2)), axis=1)
    path = ((path - path.mean((0, 1))) / path[:, -1].std(0)).astype(np.float32)
    x, y = 2 * path[:, :-1], path[:, -1]
    params = cells(1265, 2, 24, 2)

    def found(params, x, offsets):
        all_states, hidden = states(params, x, offsets)
        answer = linear(params["readout"], all_states[-1])
        return jax.nn.softmax(answer) if broken else answer, hidden

    def loss(params, batch, offsets):
        answer, hidden = found(params, batch[0], offsets)
        return ((answer - batch[1]) ** 2).mean(), hidden

    def error(params):
        return ((found(params, x[900:], None)[0] - y[900:]) ** 2).mean() / y[900:].var()

    more = {"chance": 1.0, "steps": 300, "batch": 32, "timed": True}
    return own(params, loss, (x[:900], y[:900]), optax.adam(5e-3), error, **more)


@twelfth(
    "what each word was is lost, since attention's result is added to itself, and not to what attention has read",
    kind="sum of a part with itself",
    family="transformer",
    source="github.com/kyegomez/BitNet/issues/32",
    title="[BUG] residual connection wrong?",
)
def attention_added_to_itself(broken: bool) -> Setup:
    """The marks of words by four blocks, in which what attention gives is added to itself, or to what it reads.

    Seen: the sum behind attention is one of its result with itself, which seems to be no residual connection. Answer:
    fixed.
    """
    text, marks = marked(1241, 12, 4)
    params = blocks(1241, 4, 4, tokens=12, length=8)

    def scores(params, text, offsets):
        points, scored = [], []
        x = params["embed"]["w"][text] + params["position"]["w"]
        for name in sorted(name for name in params if name.startswith("block")):
            p, h = params[name], normalised(x)
            near = jnp.einsum("nth,nsh->nts", linear(p["q"], h), linear(p["k"], h)) / WIDTH**0.5
            scored.append((Kind("scores"), near, near))
            said = linear(p["proj"], jax.nn.softmax(near) @ linear(p["v"], h))
            x = said + said if broken else x + said
            x = x + linear(p["down"], jax.nn.relu(linear(p["up"], normalised(x))))
            x = activated("linear", x, points, offsets)
        return linear(params["out"], normalised(x)), (*points, *scored)

    data, others = (text[:1200], marks[:1200]), (text[1200:], marks[1200:])
    return recognised(params, scores, data, others, optax.adam(1e-3), classes=4, batch=32, steps=250)
