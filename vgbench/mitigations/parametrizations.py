"""Parametrizations: how scales and learning rates follow the width and the depth, by group of parameters.

Everything is relative to a base: a network of the base's width and depth is the standard one, and a wider or deeper one
is changed so that a step changes its outputs as much, at the same learning rate. With m_N the width and m_L the number
of blocks, both over the base's, and e the depth's exponent:

    parameters               initial std     learning rate            epsilon of Adam    weight decay
    input layer              -               -                        m_N^-1             -
    matrices of blocks       fan-in's own    m_N^-1 m_L^(e-1)         m_N^-1 m_L^-e      m_N
    other numbers of blocks  -               m_L^(e-1)                m_N^-1 m_L^-e      -
    output layer's matrix    m_N^(-1/2)      m_N^-1                   -                  m_N
    its other numbers        -               -                        m_N^-1             -

Branches are multiplied by m_L^-e and attention scores by m_N^(-1/2) (that is 1 / d in place of 1 / sqrt(d)). The
initial std of the output layer is beside that of its fan-in, in place of the multiplier of its outputs in the paper,
which is the same after Lemma J.1 of Yang et al. 2022. Source: table 1 of Dey et al. 2025.
"""

from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import jax
import optax
from jax import Array
from pydantic import Field

from vgbench.mitigations.initializers import FIXED_STD
from vgbench.mitigations.norms import WEIGHT_NORMS
from vgbench.spec.registry import INITIALIZERS, PARAMETRIZATIONS, Choice

_OPTIMIZERS = ("adam", "adamw", "adamax", "nadam", "amsgrad", "radam", "lion", "sign_sgd")
"""Those whose step has the size of the learning rate, however large the gradient: what the rules are of."""
_MODELS = ("mlp", "convnet", "transformer", "causal_lm")
_BaseWidth = Annotated[int, Field(ge=1)]
_BaseDepth = Annotated[int, Field(ge=2)]


class Factors(NamedTuple):
    """What multiplies the learning rate, Adam's epsilon and the weight decay of a group of parameters."""

    learning_rate: float = 1.0
    epsilon: float = 1.0
    weight_decay: float = 1.0


@dataclass(frozen=True)
class Parametrization:
    """The size of a network relative to the base, and how the depth counts.

    Attributes:
        width: m_N.
        depth: m_L.
        exponent: e.
    """

    width: float = 1.0
    depth: float = 1.0
    exponent: float = 1.0

    @property
    def branch(self) -> float:
        """What multiplies a branch."""
        return self.depth**-self.exponent

    @property
    def shrunk(self) -> float:
        """What multiplies attention scores, and the initial weights of the output layer."""
        return self.width**-0.5

    def factors(self, part: str, *, matrix: bool) -> Factors:
        """Those of a group: the matrices, or all else, of `input_layer`, `blocks` or `output_layer`."""
        if part == "blocks":
            rate, epsilon = self.depth ** (self.exponent - 1), self.branch / self.width
            return Factors(rate / self.width, epsilon, self.width) if matrix else Factors(rate, epsilon)
        if part == "output_layer" and matrix:
            return Factors(1 / self.width, weight_decay=self.width)
        return Factors(epsilon=1 / self.width)


class Size(NamedTuple):
    """Width and depth of a network."""

    width: int
    depth: int


def _unfit(case: Any) -> str | None:
    """Why the rules do not hold for the case's members."""
    if case.model.name not in _MODELS:
        return f"its rules are of model {', '.join(_MODELS)}, not of {case.model.name!r}"
    if case.optimizer.name not in _OPTIMIZERS:
        return f"its rules are of optimizer {', '.join(_OPTIMIZERS)}, not of {case.optimizer.name!r}"
    if case.init.name in FIXED_STD or INITIALIZERS[case.init.name].data_dependent:
        return f"init {case.init.name!r} does not follow the fan-in"
    if case.init.name.startswith("glorot") and case.model.name in ("mlp", "convnet"):
        return f"init {case.init.name!r} makes the input layer's weights smaller with the width: choose lecun or he"
    if case.norm.name in WEIGHT_NORMS:
        return f"norm {case.norm.name!r} learns the lengths of weights apart, of which there is no rule"
    if case.skip.name == "dense" or getattr(case.model, "tied", False):
        return f"there is no rule of {'a tied table' if case.skip.name != 'dense' else 'layers of unequal width'}"
    return None


def _unfit_in_depth(case: Any) -> str | None:
    if case.skip.name != "residual" or case.skip.learned or case.model.order in ("post_norm", "post_activation"):
        return 'it scales what is added to the residual stream: needs skip = "residual", nothing learned or after it'
    return _unfit(case)


@PARAMETRIZATIONS.register(source="the initialiser's and the optimizer's own scales")
def standard(size: Size) -> Parametrization:
    """Standard parametrization: one learning rate for all, and scales that follow the fan-in alone."""
    return Parametrization()


@PARAMETRIZATIONS.register(source="Yang et al. 2022, Tensor programs V", refuses=_unfit)
def mup(size: Size, *, base_width: _BaseWidth = 64) -> Parametrization:
    """Maximal update parametrization: each layer's output changes as much a step at any width."""
    return Parametrization(size.width / base_width)


def _deep(size: Size, base_width: int, base_depth: int, exponent: float) -> Parametrization:
    return Parametrization(size.width / base_width, max(size.depth - 1, 1) / (base_depth - 1), exponent)


@PARAMETRIZATIONS.register(source="Yang, Yu, Zhu & Hayou 2024, Tensor programs VI", refuses=_unfit_in_depth)
def depth_mup(size: Size, *, base_width: _BaseWidth = 64, base_depth: _BaseDepth = 16) -> Parametrization:
    """Depth-muP: the same, and branches and learning rate over the root of the number of blocks."""
    return _deep(size, base_width, base_depth, 0.5)


@PARAMETRIZATIONS.register(source="Dey et al. 2025, Don't be lazy", refuses=_unfit_in_depth)
def completep(size: Size, *, base_width: _BaseWidth = 64, base_depth: _BaseDepth = 16) -> Parametrization:
    """CompleteP: maximal update, with branches over the number of blocks and the learning rate as it is."""
    return _deep(size, base_width, base_depth, 1.0)


def parametrization_of(case: Any) -> Parametrization:
    """That of a case."""
    return PARAMETRIZATIONS.build(case.parametrization, Size(case.width, case.depth))


def skip_in(case: Any) -> Choice:
    """The case's skip with the multiplier of its branches."""
    branch = parametrization_of(case).branch
    return case.skip if branch == 1 else case.skip.model_copy(update={"scale": case.skip.scale * branch})


def by_group(case: Any, make: Any, rate: float | Array, *, stacked: bool) -> optax.GradientTransformation:
    """The case's optimizer with the factors of every group.

    Args:
        case: its parametrization and its optimizer.
        make: from the choice of an optimizer to its transformation at the learning rate.
        rate: the learning rate.
        stacked: whether the arrays of all blocks are stacked along a leading axis.
    """
    parametrization, choice = parametrization_of(case), case.optimizer
    if parametrization == Parametrization():
        return make(choice)
    decay = choice.options().get("weight_decay", 0.0)
    plain = choice.model_copy(update={"weight_decay": 0.0}) if decay else choice

    def factors(path: tuple[Any, ...], leaf: Array) -> Factors:
        part = path[0].key
        return parametrization.factors(part, matrix=leaf.ndim - (stacked and part == "blocks") > 1)

    def amplified(path: tuple[Any, ...], gradient: Array) -> Array:
        return gradient / factors(path, gradient).epsilon  # as Adam with its epsilon times the factor

    def slowed(path: tuple[Any, ...], update: Array, param: Array) -> Array:
        of = factors(path, update)
        return of.learning_rate * (update - rate * decay * of.weight_decay * param)

    before = optax.stateless(lambda gradients, _: jax.tree.map_with_path(amplified, gradients))
    after = optax.stateless(lambda updates, params: jax.tree.map_with_path(slowed, updates, params))
    return optax.chain(before, make(plain), after)
