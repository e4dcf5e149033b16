"""The labelled corpus: what is built, why it is called so, and what would prove it.

A label says how a run was built. Two halves share no activation, depth or seed; the second has families of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import vgbench as vg

Half = Literal["tuning", "held-out"]
VANISHING = ("vanishing", "collapse", "vanishing in training")
"""Labels that count as vanishing: of scale, with the information as well, and later on."""
UNCOUNTED = ("saturation",)
"""Neither vanishing nor not: the gradient does vanish there, for a reason with a name of its own."""


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
        case: with one rate and one seed.
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
SCALE = {"skip": "scaled", "model": {"name": "mlp", "order": "pre_activation"}}
"""The residual path that cures vanishing: it changes neither the layers nor their number."""


def _case(**slots: Any) -> vg.Case:
    common = {"width": 24, "batch_size": 64, "steps": STEPS, "tuning_seeds": (), "optimizer": SGD}
    return vg.Case(**common | slots)


def gained(init: str, gain: float) -> dict[str, Any]:
    return {"name": init, "gain": gain}


@dataclass(frozen=True)
class _Half:
    """What a half is made of: (activation, depth, init that keeps the signal, init that loses it)."""

    name: Half
    nets: tuple[tuple[Any, int, Any, tuple[Any, ...]], ...]
    seeds: range
    rates: tuple[float, ...]
    pre: bool


_HALVES = (
    _Half(
        "tuning",
        (
            ("relu", 12, gained("he_normal", 1.0), tuple(gained("he_normal", g) for g in (0.5, 0.6, 0.7))),
            ("tanh", 16, gained("lecun_normal", 1.1), tuple(gained("lecun_normal", g) for g in (0.4, 0.5, 0.6))),
            ("sigmoid", 10, gained("orthogonal", 8.0), tuple(gained("lecun_normal", g) for g in (0.7, 1.0, 1.5))),
        ),
        range(0, 6),
        (0.01, 0.03),
        False,
    ),
    _Half(
        "held-out",
        (
            (
                {"name": "leaky_relu", "negative_slope": 0.1},
                18,
                gained("he_uniform", 1.0),
                tuple(gained("he_uniform", g) for g in (0.45, 0.6)),
            ),
            ("gelu", 9, gained("he_normal", 1.1), tuple(gained("lecun_normal", g) for g in (0.5, 0.8))),
            ("erf", 20, gained("glorot_normal", 0.95), tuple(gained("glorot_uniform", g) for g in (0.4, 0.55))),
            ("softsign", 14, gained("orthogonal", 1.05), tuple(gained("orthogonal", g) for g in (0.45, 0.6))),
        ),
        range(100, 108),
        (0.01, 0.02, 0.04),
        True,
    ),
)


def builds() -> Iterator[Build]:
    """All configurations of both halves."""
    for half in _HALVES:
        for activation, depth, good, bad in half.nets:
            order = {"model": {"name": "mlp", "order": "pre_activation"}} if half.pre and depth % 2 else {}
            for seed in half.seeds:
                for rate in half.rates:
                    net = {"activation": activation, "depth": depth, "seeds": (seed,), "rates": (rate,), **order}
                    yield from _of_net(half, net, good, bad)


def _of_net(half: _Half, net: dict[str, Any], good: Any, bad: tuple[Any, ...]) -> Iterator[Build]:
    (rate,), depth = net["rates"], net["depth"]
    sound = {**net, "init": good}

    def build(label: str, slots: dict[str, Any], cure: dict[str, Any] | None = None, **faults: Any) -> Build:
        return Build(half.name, label, _case(**slots), Fault(**faults), cure)

    for init in bad:
        label = "collapse" if net["activation"] == "sigmoid" else "vanishing"
        yield build(label, {**net, "init": init}, {"init": good, **SCALE})
    yield build("trains", sound)
    yield build("trains", {**sound, "optimizer": {"name": "adam", "b1": 0.9}, "rates": (rate / 15,)})
    yield build("rate too small", {**sound, "rates": (rate * 1e-5,)}, {"rates": (rate,)})
    yield build("rate too large", {**sound, "rates": (rate * 300,)}, {"rates": (rate,)})
    rectifier = net["activation"] in ("relu", "gelu") or isinstance(net["activation"], dict)
    if net["activation"] != "sigmoid":  # whose slopes are too small to explode
        yield build(
            "exploding", {**net, "init": {**good, "gain": good["gain"] * (2.5 if rectifier else 5)}}, {"init": good}
        )
    yield build("unlearnable", sound, {}, random_labels=True)
    yield build("zero by design", {**sound, "skip": "rezero", **(SCALE | {"skip": "rezero"})})
    yield build(
        "frozen", {**sound, "transform": {"name": "frozen", "layers": max(1, depth // 3)}}, {"transform": "none"}
    )
    # A twentieth of every weight is taken off at each step.
    decayed = {"name": "adamw", "weight_decay": 0.05 / (rate / 30)}
    yield build(
        "vanishing in training",
        {**sound, "optimizer": decayed, "rates": (rate / 30,)},
        {"optimizer": {**decayed, "weight_decay": 1e-4}},
    )
    yield build("underflow", {**sound, "transform": {"name": "half", "loss_scale": 1e-9}}, {"transform": "none"})
    for bias in (4.0, 7.0):
        if rectifier:
            yield build("dead units", {**sound, "activation": "relu", "init": gained("he_normal", 1.0)}, {}, bias=-bias)
        else:
            yield build("saturation", sound, {}, bias=bias)
