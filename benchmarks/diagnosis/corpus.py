"""The labelled corpus: what is built, why it is called so, and what would prove it.

A label says how a run was built. Two halves share no activation, depth or seed; the second has families that the first
has not: convolutional, transformers, recurrent.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import vgbench as vg

Half = Literal["tuning", "held-out"]


@dataclass(frozen=True)
class Fault:
    """What is done to a run beyond its case.

    Attributes:
        random_labels: whether training labels are drawn anew, without any relation to the inputs.
        bias: added to every hidden bias before training.
    """

    random_labels: bool = False
    bias: float = 0.0


@dataclass(frozen=True)
class Build:
    """One configuration: a run, its label, and the intervention that has to make it learn.

    Attributes:
        half: of the corpus.
        label: what the run is.
        case: with one learning rate and one seed.
        fault: what was done to it.
        cure: fields of the case that undo the fault (None: the run itself has to learn).
        cured: the fault under the cure.
    """

    half: Half
    label: str
    case: vg.Case
    fault: Fault = field(default_factory=Fault)
    cure: dict[str, Any] | None = None
    cured: Fault = field(default_factory=Fault)


STEPS = 300
SGD = {"name": "sgd", "momentum": 0.9}
SPREAD = 0.06
"""Gains are spread by so much to both sides, so that no two configurations are alike but for their seed."""


def gained(init: str, gain: float) -> dict[str, Any]:
    return {"name": init, "gain": gain}


def residual(family: str = "mlp") -> dict[str, Any]:
    """The residual path that cures vanishing: it changes neither the layers nor their number."""
    return {"skip": "scaled", "model": {"name": family, "order": "pre_activation"}}


@dataclass(frozen=True, kw_only=True)
class Net:
    """A network that a half is made of.

    Attributes:
        slots: fields of its case.
        good: init that keeps the signal.
        bad: inits that lose it.
        cure: fields that undo the loss, together with the good init.
        learning_rates: the base learning rates.
        optimizer: for them.
        loses: the label of a net that loses the signal.
        layered: whether it is a perceptron, to which everything can be done; of other families vanishing and the
            learning rates.
        keeps: whether the good init keeps the whole signal; where it loses some of it, as tanh does over time and
            attention over blocks, a learning rate that is too small or too large is not all that is wrong.
    """

    slots: dict[str, Any]
    good: dict[str, Any]
    bad: tuple[dict[str, Any], ...]
    cure: dict[str, Any] = field(default_factory=residual)
    learning_rates: tuple[float, ...]
    optimizer: Any = field(default_factory=lambda: SGD)
    loses: str = "vanishing"
    layered: bool = True
    keeps: bool = True


PRE = {"model": {"name": "mlp", "order": "pre_activation"}}
SLOW, WIDE = (0.01, 0.03), (0.01, 0.02, 0.04)
NETS: dict[Half, tuple[Net, ...]] = {
    "tuning": (
        Net(
            slots={"activation": "relu", "depth": 12},
            good=gained("he_normal", 1.0),
            bad=tuple(gained("he_normal", gain) for gain in (0.5, 0.6, 0.7)),
            learning_rates=SLOW,
        ),
        Net(
            slots={"activation": "tanh", "depth": 16},
            good=gained("lecun_normal", 1.1),
            bad=tuple(gained("lecun_normal", gain) for gain in (0.4, 0.5, 0.6)),
            learning_rates=SLOW,
        ),
        Net(
            slots={"activation": "sigmoid", "depth": 10},
            good=gained("orthogonal", 8.0),
            bad=tuple(gained("lecun_normal", gain) for gain in (0.7, 1.0, 1.5)),
            learning_rates=SLOW,
            loses="collapse",
        ),
    ),
    "held-out": (
        Net(
            slots={"activation": {"name": "leaky_relu", "negative_slope": 0.1}, "depth": 18},
            good=gained("he_uniform", 1.0),
            bad=tuple(gained("he_uniform", gain) for gain in (0.45, 0.6)),
            learning_rates=WIDE,
        ),
        Net(
            slots={"activation": "gelu", "depth": 9, **PRE},
            good=gained("he_normal", 1.1),
            bad=tuple(gained("lecun_normal", gain) for gain in (0.5, 0.8)),
            learning_rates=WIDE,
        ),
        Net(
            slots={"activation": "erf", "depth": 20},
            good=gained("glorot_normal", 0.95),
            bad=tuple(gained("glorot_uniform", gain) for gain in (0.4, 0.55)),
            learning_rates=WIDE,
        ),
        Net(
            slots={"activation": "softsign", "depth": 14},
            good=gained("orthogonal", 1.05),
            bad=tuple(gained("orthogonal", gain) for gain in (0.45, 0.6)),
            learning_rates=WIDE,
        ),
        Net(
            slots={"model": "convnet", "activation": "tanh", "depth": 12, "width": 8, "batch_size": 32},
            good=gained("lecun_normal", 1.15),
            bad=(gained("lecun_normal", 0.5),),
            cure=residual("convnet"),
            learning_rates=(0.03,),
            layered=False,
        ),
        Net(
            slots={
                "model": "transformer",
                "activation": "relu",
                "depth": 9,
                "width": 16,
                "batch_size": 32,
                "norm": "none",
                "skip": "none",
            },
            good=gained("glorot_normal", 1.0),
            bad=tuple(gained("glorot_normal", gain) for gain in (0.4, 0.45, 0.5, 0.55, 0.6)),
            cure={"norm": "layer", "skip": "residual"},
            learning_rates=(1e-3,),
            optimizer="adam",
            layered=False,
            keeps=False,
        ),
        Net(
            slots={"model": "recurrent", "cell": "rnn", "activation": "tanh", "depth": 24, "data": "adding"},
            good=gained("orthogonal", 1.0),
            bad=tuple(gained("orthogonal", gain) for gain in (0.2, 0.25, 0.3, 0.35, 0.4)),
            cure={},
            learning_rates=(5e-3,),
            optimizer="adam",
            layered=False,
            keeps=False,
        ),
    ),
}
SEEDS: dict[Half, range] = {"tuning": range(6), "held-out": range(100, 108)}


def builds() -> Iterator[Build]:
    """All configurations of both halves; each has a gain of its own, a learning rate and a seed."""
    for half, nets in NETS.items():
        for net in nets:
            for i, seed in enumerate(seeds := SEEDS[half]):
                factor = 1 + SPREAD * (2 * i / (len(seeds) - 1) - 1)
                for rate in net.learning_rates:
                    yield from _of_net(half, net, seed, rate, factor)


def _of_net(half: Half, net: Net, seed: int, rate: float, factor: float) -> Iterator[Build]:
    good, *bad = (gained(init["name"], init["gain"] * factor) for init in (net.good, *net.bad))
    common = {"width": 24, "batch_size": 64, "steps": STEPS, "tuning_seeds": (), "optimizer": net.optimizer}
    common |= {"data": {"name": "digits", "split_seed": 0}}  # runs with splits of their own would be other programs
    common |= {**net.slots, "seeds": (seed,), "learning_rates": (rate,), "init": good}

    def build(label: str, slots: dict[str, Any], cure: dict[str, Any] | None = None, **faults: Any) -> Build:
        return Build(half, label, vg.Case(**common | slots), Fault(**faults), cure)

    for init in bad:
        yield build(net.loses, {"init": init}, {"init": good, **net.cure})
    yield build("trains", {})
    if net.keeps:
        yield build("learning rate too small", {"learning_rates": (rate * 1e-5,)}, {"learning_rates": (rate,)})
        yield build("learning rate too large", {"learning_rates": (rate * 300,)}, {"learning_rates": (rate,)})
    if net.layered:
        yield from _of_perceptron(net, rate, good, build)


def _of_perceptron(net: Net, rate: float, good: dict[str, Any], build: Callable[..., Build]) -> Iterator[Build]:
    activation, depth = net.slots["activation"], net.slots["depth"]
    yield build("trains", {"optimizer": {"name": "adam", "b1": 0.9}, "learning_rates": (rate / 15,)})
    rectifier = activation in ("relu", "gelu") or isinstance(activation, dict)
    if activation != "sigmoid":  # whose slopes are too small to explode
        for factor in (2.5, 4.0) if rectifier else (5.0, 8.0):
            yield build("exploding", {"init": {**good, "gain": good["gain"] * factor}}, {"init": good})
    yield build("unlearnable", {}, {}, random_labels=True)
    yield build("zero by design", residual() | {"skip": "rezero"})
    yield build(
        "frozen",
        {"gradient_transform": {"name": "frozen", "layers": max(1, depth // 3)}},
        {"gradient_transform": "none"},
    )
    # A twentieth of every weight is taken off at each step.
    decayed = {"name": "adamw", "weight_decay": 0.05 / (rate / 30)}
    yield build(
        "vanishing in training",
        {"optimizer": decayed, "learning_rates": (rate / 30,)},
        {"optimizer": {**decayed, "weight_decay": 1e-4}},
    )
    yield build(
        "underflow", {"gradient_transform": {"name": "half", "loss_scale": 1e-9}}, {"gradient_transform": "none"}
    )
    for bias in (4.0, 7.0):
        if rectifier:
            dying = {"activation": "relu", "init": gained("he_normal", good["gain"])}
            yield build("dead units", dying, {}, bias=-bias)
        else:
            yield build("saturation", {}, {}, bias=bias)
