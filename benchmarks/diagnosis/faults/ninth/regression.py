"""Predictions of numbers: loads, answers beyond the range of a unit, all pairs, a model that is copied."""

import numpy as np
import optax

from faults.nets import activated, linear, mlp
from faults.problems import regression
from faults.registry import Setup, ninth


@ninth(
    "far from unit scale",
    "first loss too large",
    kind="scale of the targets",
    family="regression",
    source="github.com/PaddlePaddle/Paddle/issues/36276",
    title="给数据集标准化时，label什么情况下需要做标准化",  # noqa: RUF001
)
def loads_of_a_building(broken: bool) -> Setup:
    """Tomorrow's load of a building in kilowatts, from standardised measures of today.

    Seen: the loss is outrageous and does not converge where the labels are not standardised. Answer: none but the
    report's own: with standardised labels it converges soon.
    """
    draw = np.random.default_rng(511)
    x = draw.normal(size=(1000, 6)).astype(np.float32)
    load = np.sin(x[:, 0]) + 0.5 * x[:, 1] * x[:, 2] + 0.5 * x[:, 3]
    load = 2600 + 700 * load / load.std()
    y = (load if broken else (load - load.mean()) / load.std()).astype(np.float32)
    more = {"kind": "relu", "steps": 400, "batch": 32}
    return regression(mlp(511, [6, 32, 32, 1]), optax.adam(2e-3), data=(x, y), **more)


@ninth(
    "saturation",
    "far from unit scale",
    kind="answers beyond the range of a unit",
    family="regression",
    source="github.com/accord-net/framework/issues/146",
    title="Assistance with Neural Network Implementation",
)
def answers_beyond_a_bipolar_sigmoid(broken: bool) -> Setup:
    """Numbers of up to fifteen, by a network whose answers go through a bipolar sigmoid, and cannot exceed one.

    Seen: the implementation does not work. Answer: normalise the outputs to the interval of the activation.
    """
    draw = np.random.default_rng(512)
    x = draw.normal(size=(800, 4)).astype(np.float32)
    y = x[:, 0] + np.sin(2 * x[:, 1]) - 0.5 * x[:, 2] * x[:, 3]
    y = (y - y.mean()) / np.abs(y).max()
    y = (15 * y if broken else 0.9 * y).astype(np.float32)

    def net(params, x, offsets):
        hidden = []
        h = activated("tanh", linear(params["layer00"], x), hidden, offsets)
        return activated("tanh", linear(params["layer01"], h), hidden, offsets), tuple(hidden)

    more = {"net": net, "steps": 500, "batch": 32}
    return regression(mlp(512, [4, 24, 1], 1.0), optax.adam(1e-2), data=(x, y), **more)


@ninth(
    "constant answer",
    kind="shapes that are broadcast",
    family="regression",
    source="github.com/pytorch/pytorch/issues/19699",
    title="Different loss value based on shape",
)
def answers_with_an_axis_of_one(broken: bool) -> Setup:
    """A number from eight others, whose answers are [n, 1], where true values are [n].

    Seen: the loss of [n, 1] and [n] is another one than that of [n, 1] and [n, 1], and no error is raised. Answer: none
    but the report's own: the true values are reshaped.
    """
    draw = np.random.default_rng(513)
    x = draw.normal(size=(1000, 8)).astype(np.float32)
    y = x @ draw.normal(size=8) + np.maximum(x[:, 0] * x[:, 1], 0)
    y = ((y - y.mean()) / y.std()).astype(np.float32)

    def squared(found, wanted):
        return ((found - (wanted if broken else wanted[:, None])) ** 2).mean()

    def truth(found, wanted):
        return ((found[:, 0] - wanted) ** 2).mean()

    more = {"kind": "relu", "loss": squared, "truth": truth, "steps": 300, "batch": 64}
    return regression(mlp(513, [8, 48, 48, 1]), optax.adam(3e-3), data=(x, y), **more)


@ninth(
    "updates not applied",
    kind="copy that is trained",
    family="regression",
    source="github.com/intel/ipex-llm/issues/395",
    title="Optimizer.optimize need to update the input model when it's done",
)
def model_whose_copy_is_trained(broken: bool) -> Setup:
    """A number from three, by a model that is given to an optimizer, which trains copies of it on other machines.

    Seen: the distributed optimizer does not update the weights of the model that it was given. Answer: it should, when
    it is done.
    """
    draw = np.random.default_rng(514)
    x = draw.normal(size=(800, 3)).astype(np.float32)
    y = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2]
    y = (y / y.std()).astype(np.float32)

    def apply(params, updates):
        return params if broken else optax.apply_updates(params, updates)

    more = {"apply": apply, "steps": 400, "batch": 64}
    return regression(mlp(514, [3, 48, 48, 1], 1.0), optax.adam(5e-3), data=(x, y), **more)
