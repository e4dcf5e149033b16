"""The program of a coordinate check: steps of training, and the size of what each changes at every place."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float64

from vgbench.instruments.graph import run
from vgbench.instruments.passes import Traced
from vgbench.instruments.probe import ScaledNorm, scaled_norm, wide

Outputs = dict[str, list[Array]]
QUANTITIES = {
    "size": "of the output",
    "change": "of the output's difference from that at initialisation",
    "update": "of its difference from that before the last step",
    "own": "of the part of the change that the module's own weights make on the inputs of now",
    "inputs": "of the part that its inputs make with the weights at initialisation",
}
"""The root mean squares that are measured of every module's output; change = own + inputs, as vectors."""
Run: TypeAlias = dict[str, Float64[np.ndarray, "steps quantities"]]
"""The root mean squares at every place, by name, of one model in training."""


def loss_of(found: Traced, parameters: Sequence[Array], data: Sequence[Array]) -> Array:
    """The traced loss of these parameters on what else it reads."""
    return run(found.closed, [*parameters, *data], _kept)[0][0]


def measured_steps(
    found: Traced,
    names: Sequence[str],
    data: Sequence[Array],
    start: Any,
    advance: Callable[[Any, Array], Any],
    parameters_of: Callable[[Any], Sequence[Array]],
    steps: int,
) -> dict[str, ScaledNorm]:
    """Train for some steps and measure, before the first and after each, the outputs at every place on the same data.

    Args:
        found: the traced loss.
        names: of its parameters.
        data: what else it reads where outputs are measured.
        start: the state of training before the first step.
        advance: (state, number of the step) -> the state after that step.
        parameters_of: the parameters in a state, in the order of `names`.
        steps: how many to take.

    Returns:
        Norms of what `QUANTITIES` names, [steps + 1, quantities], at every place.
    """
    measured = partial(_measured, found, names, data, parameters_of(start))

    def step(states: Any, i: Array) -> Any:
        before, now = states
        return (now, advance(now, i)), measured(parameters_of(before), parameters_of(now))

    # One step more than is measured, so that the measurement is compiled once.
    return jax.lax.scan(step, (start, start), jnp.arange(steps + 1))[1]


def root_mean_squares(found: Traced, norms: dict[str, ScaledNorm]) -> Run:
    """Root mean squares from the norms at every place, in the order of the forward pass."""
    places = dict.fromkeys(site.mark.name for site in found.sites)  # jax sorts the keys of dicts
    return {name: _rms(found, name, norms[name]) for name in places}


def _rms(found: Traced, name: str, norms: ScaledNorm) -> np.ndarray:
    sites = [site for site in found.sites if site.mark.name == name]
    numbers = sum(int(np.prod((*site.lengths, *shape))) for site in sites for shape in site.shapes)
    return np.ldexp(norms.mantissa.astype(np.float64), norms.exponent.astype(np.int64)) / np.sqrt(numbers)


def _kept(tap: int, eqn: Any, operands: Any, given: Any, read: Any) -> Any:
    arrays = operands[:-1] if eqn.params["mark"].layered else operands
    return arrays, arrays


def _measured(
    found: Traced,
    names: Sequence[str],
    data: Sequence[Array],
    initial: Sequence[Array],
    before: Sequence[Array],
    now: Sequence[Array],
) -> dict[str, ScaledNorm]:
    """Norms of the quantities at every place, with the weights as they are now."""

    def outputs(parameters: Sequence[Array]) -> Outputs:
        places: Outputs = {}
        for site, arrays in zip(found.sites, run(found.closed, [*parameters, *data], _kept)[1], strict=True):
            places.setdefault(site.mark.name, []).extend(map(wide, arrays))
        return places

    first, last, output = outputs(initial), outputs(before), outputs(now)
    own = jnp.asarray([[_owns(place, name) for name in names] for place in output])

    def divided(given: tuple[Array, Array]) -> tuple[ScaledNorm, ScaledNorm]:
        """Of the place of this number: what its own weights, and what its inputs changed."""
        number, at_first = given
        mixed = outputs([jnp.where(at_first[i], *pair) for i, pair in enumerate(zip(initial, now, strict=True))])
        parts = [(_apart(output[place], mixed[place]), _apart(mixed[place], first[place])) for place in output]
        return jax.tree.map(lambda *each: jnp.stack(each)[number], *parts)

    parts = jax.lax.map(divided, (jnp.arange(len(own)), own))
    return {
        place: jax.tree.map(
            lambda *each: jnp.stack(each),
            scaled_norm(output[place]),
            _apart(output[place], first[place]),
            _apart(output[place], last[place]),
            *jax.tree.map(lambda each, i=i: each[i], parts),
        )
        for i, place in enumerate(output)
    }


def _apart(one: list[Array], other: list[Array]) -> ScaledNorm:
    return scaled_norm([a - b for a, b in zip(one, other, strict=True)])


def _owns(place: str, parameter: str) -> bool:
    """Whether a parameter is below a module, by their paths; Linen's begin with the name of a collection."""
    path = parameter.removeprefix("params.")
    return path.startswith((f"{place}.", f"{place}/"))
