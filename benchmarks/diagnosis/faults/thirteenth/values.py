"""What states are worth: layers of two units, an answer that cannot be negative, and a rate of a half."""

import numpy as np
import optax

from faults.nets import mlp
from faults.problems import regression
from faults.registry import Setup, thirteenth
from faults.twelfth.regression import rectified


@thirteenth(
    "dead units",
    "gradients exactly zero",
    kind="layers that are too narrow",
    family="value regression",
    source="github.com/will-maclean/sb3-burn/pull/38",
    title="DQN Training issues",
)
def worth_by_a_single_rectifier(broken: bool) -> Setup:
    """What a state of a small test is worth, by rectifiers or logistic units, one or two a layer, drawn without luck.

    Seen: in the small tests nothing is learned. Answer: with rectifiers and a hidden size of one, training can be
    impossible; logistic units are more stable in small networks; merged.
    """
    draw = np.random.default_rng(1371)
    state = draw.uniform(0, 1, size=(800, 3)).astype(np.float32)
    worth = np.tanh(3 * (state.sum(1) - 1.5))
    worth = ((worth - worth.mean()) / worth.std()).astype(np.float32)
    params = mlp(1371, [3, 2, 1, 1], 2.0)
    params["layer00"]["w"] = -abs(params["layer00"]["w"])
    kind = "relu" if broken else "sigmoid"
    return regression(params, optax.adam(2e-2), data=(state, worth), kind=kind, steps=500, batch=64)


@thirteenth(
    "units that died",
    "gradients exactly zero",
    kind="rectified answer",
    family="value regression",
    source="github.com/openai/baselines/issues/331",
    title="policies of PPO2 contains relu as activation function in pi and vf",
)
def worths_below_nothing(broken: bool) -> Setup:
    """What states are worth that mostly cost something, by a network whose answer is rectified by default, or not.

    Seen: the answers for value and policy are rectified by default, so that a negative value is always zero. Answer:
    none there; another algorithm of the same project has removed the rectifier.
    """
    draw = np.random.default_rng(1373)
    state = draw.normal(size=(2000, 4)).astype(np.float32)
    worth = (-2.5 + np.tanh(state[:, 0] + state[:, 1]) + 0.5 * np.sin(2 * state[:, 2])).astype(np.float32)
    params = mlp(1373, [4, 48, 48, 1])
    params["layer02"]["b"] = params["layer02"]["b"] + 1.0

    net = rectified if broken else None
    return regression(params, optax.adam(2e-3), data=(state, worth), net=net, kind="relu", steps=500, batch=64)


@thirteenth(
    "learning rate too large",
    "units that died",
    kind="rate",
    family="value regression",
    source="github.com/chauncygu/Multi-Agent-Constrained-Policy-Optimisation/issues/5",
    title="grad norm explosion!",
)
def critic_with_a_rate_of_a_half(broken: bool) -> Setup:
    """What states are worth for several agents, by a critic with a rate of a half, or of a two-hundredth.

    Seen: with a large rate of the critic, 0.5, the norm of the gradients goes to infinity. Answer: try to clip it; the
    report asks whether the rate is out of any sensible range. Here, it is smaller.
    """
    draw = np.random.default_rng(1375)
    state = draw.normal(size=(2000, 6)).astype(np.float32)
    worth = np.tanh(state[:, 0] - state[:, 1]) + 0.5 * state[:, 2] * state[:, 3] + 0.3 * state[:, 4]
    worth = ((worth - worth.mean()) / worth.std()).astype(np.float32)
    optimizer = optax.adam(0.5 if broken else 0.005)
    return regression(mlp(1375, [6, 64, 64, 1]), optimizer, data=(state, worth), kind="relu", steps=400, batch=64)
