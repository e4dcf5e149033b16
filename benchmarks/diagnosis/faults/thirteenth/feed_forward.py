"""Perceptrons: derivatives of zero, steps below half precision, pixels up to 255, logistic units fed with prices."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from faults.nets import activated, linear, mlp
from faults.problems import classification, curve, digits, regression
from faults.registry import Setup, thirteenth


@thirteenth(
    "gradients exactly zero",
    kind="derivative of zero",
    family="feed-forward",
    source="github.com/vivin/DigitRecognizingNeuralNetwork/issues/1",
    title="Wrong derivative at Linear- and ThresholdActivationStrategy",
)
def derivative_that_is_zero(broken: bool) -> Setup:
    """A function of three numbers, whose last unit is linear, and has a derivative of zero or of one.

    Seen: the derivative of a linear activation is given as 0, so that back-propagation always cancels the error.
    Answer: it should be 1; right.
    """

    def net(params, x, offsets):
        hidden = []
        for name in ("layer00", "layer01"):
            x = activated("tanh", linear(params[name], x), hidden, offsets)
        last = linear(params["layer02"], x)
        last = jax.lax.stop_gradient(last) if broken else last
        return activated("linear", last, hidden, offsets), tuple(hidden)

    params = mlp(1301, [3, 32, 32, 1], 1.0)
    return regression(params, optax.sgd(0.05, 0.9), data=curve(1301, 600), net=net, steps=400, batch=64)


@thirteenth(
    "updates lost to rounding",
    kind="ramp in half precision",
    family="feed-forward",
    source="github.com/kyegomez/SingLoRA/issues/6",
    title="[BUG] ramp up steps cause vanishing updates in bf16",
)
def ramp_in_half_precision(broken: bool) -> Setup:
    """Digits by weights of bfloat16, whose steps are ramped up over eight thousand of them, or are whole at once.

    Seen: with bf16 and a ramp the updates become too small, and the model collapses. Answer: the report's own: without
    the ramp it is stable, or its least factor has to be above what is rounded off.
    """
    params = mlp(1303, [64, 48, 48, 10], 1.0, dtype=jnp.bfloat16)
    params = jax.tree.map(lambda w: w + jnp.asarray(0.0625, w.dtype) * jnp.sign(w), params)
    rate = optax.linear_schedule(0.0, 4e-3, 8000) if broken else 4e-3
    return classification(params, optax.adam(rate), steps=400, batch=64)


@thirteenth(
    "far from unit scale",
    "first loss too large",
    "units that died",
    kind="pixels as bytes",
    family="feed-forward",
    source="github.com/PacktPublishing/What-s-New-in-TensorFlow-2.0/pull/2",
    title="Scale input values by 255",
)
def pixels_as_bytes(broken: bool) -> Setup:
    """Digits by two layers of rectifiers, from pixels up to 255, or from those divided by 255.

    Seen: inputs are not scaled. Answer: divide them by 255; open.
    """
    low, high = digits()[0].min(), digits()[0].max()

    def inputs(x):
        share = (x - low) / (high - low)
        return 255 * share if broken else share

    params = mlp(1305, [64, 48, 48, 10])
    return classification(params, optax.sgd(0.1, 0.9), inputs=inputs, steps=300, batch=64)


@thirteenth(
    "saturation",
    "far from unit scale",
    kind="inputs that are not normalised",
    family="feed-forward",
    source="github.com/cazala/synaptic/issues/25",
    title="Normalization, De-Normalization?",
)
def houses_as_they_are_listed(broken: bool) -> Setup:
    """What a house is worth, by two layers of logistic units, from its area, its age and its distance, or those scaled.

    Seen: whether inputs have to be normalised before. Answer: yes; logistic units need them in the range of one.
    """
    draw = np.random.default_rng(1307)
    _, y = curve(1307, 800)
    scaled = np.random.default_rng(1307).normal(size=(800, 3))
    listed = scaled * np.array([300.0, 100.0, 60.0]) + np.array([3000.0, 1500.0, 900.0])
    y = np.sin(1.5 * scaled[:, 0]) + scaled[:, 1] * scaled[:, 2] + 0.1 * draw.normal(size=800)
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    x = (listed if broken else scaled).astype(np.float32)
    params = mlp(1307, [3, 48, 32, 1], 8.0)
    return regression(params, optax.adam(1e-2), data=(x, y), kind="sigmoid", steps=400, batch=64)
