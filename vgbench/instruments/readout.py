"""What is read of every tap and parameter after a pass: small arrays on the device, rows of numbers on the host.

Arrays of one shape are read together, since the time to compile goes with the number of operations.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from vgbench.boundary.run_file import Module
from vgbench.instruments.cuts import MIXED, Plan, Signature
from vgbench.instruments.explicit import any_sharding
from vgbench.instruments.moments import Moments, moments
from vgbench.instruments.passes import Signals, Site, Traced
from vgbench.instruments.probe import ScaledNorm, log10_norms, scaled_norm, smallest_number
from vgbench.instruments.spectrum import Spectrum, spectrum

LOG2 = float(np.log10(2.0))


class TapArrays(NamedTuple):
    """What is read of some taps of one shape, with a leading axis for them and their iterations.

    Attributes:
        signal: norm of dL/dh, divided as the plan says.
        spectrum: of dL/dh, divided so; None where it is not asked for.
        forward: of h.
    """

    signal: ScaledNorm
    spectrum: Spectrum | None
    forward: Moments


@dataclass(frozen=True)
class Row:
    """A tap, or one iteration of it.

    Attributes:
        name: with the number of the layer or iteration.
        module: what a run file says of it.
        kind: "tap" or "output".
        size: numbers in it.
        spectrum: of dL/dh as it is, undivided; None where it was not asked for.
    """

    name: str
    module: Module
    kind: Literal["output", "tap"]
    size: int
    spectrum: Spectrum | None


def read_taps(found: Traced, passed: Signals, *, spectra: bool) -> list[TapArrays]:
    """Read all taps, those of one kind together."""
    items = []
    for site, signal, (arrays, _, z) in zip(found.sites, passed.taps, passed.values, strict=True):
        tree = signal, arrays[0], arrays[0] if z is None else z
        items.append(jax.tree.map(partial(_rows_first, len(site.lengths)), tree))

    def one(members: Sequence[int], tree: Any) -> TapArrays:
        signal, h, z = tree
        site = found.sites[members[0]]
        slope = None if site.activation is None else site.activation.slope(z)

        def read(signal: Any, h: Any, slope: Any) -> TapArrays:
            forward = moments(h, slope, site.mark.scores)
            return TapArrays(scaled_norm(signal), spectrum(signal) if spectra else None, forward)

        return any_sharding(read)(signal, h, slope)

    return together([_kind(i, site) for i, site in enumerate(found.sites)], items, one)


def together(
    keys: Sequence[Hashable], items: Sequence[Any], function: Callable[[Sequence[int], Any], Any]
) -> list[Any]:
    """A function over the rows of all items, those of one key in one call, mapped over their leading axis."""
    return [
        jax.vmap(partial(function, members))(
            jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *(items[i] for i in members))
        )
        for members in _groups(keys)
    ]


def apart(keys: Sequence[Hashable], rows: Sequence[int], results: Sequence[Any]) -> list[Any]:
    """For each item what `together` made of its rows, which are so many."""
    found: dict[int, Any] = {}
    for members, result in zip(_groups(keys), results, strict=True):
        first = 0
        for i in members:
            found[i] = jax.tree.map(lambda leaf, a=first, b=first + rows[i]: leaf[a:b], result)
            first += rows[i]
    return [found[i] for i in range(len(keys))]


def _groups(keys: Sequence[Hashable]) -> list[list[int]]:
    groups: dict[Hashable, list[int]] = {}
    for i, key in enumerate(keys):
        groups.setdefault(key, []).append(i)
    return [*groups.values()]


def _kind(i: int, site: Site) -> Hashable:
    activation = site.activation and (site.activation.name or i)
    return site.shapes, tuple(map(str, site.dtypes)), activation, site.mark.scores


def _rows_first(axes: int, array: Array) -> Array:
    """With one leading axis for the iterations of all loops."""
    return array.reshape(-1, *array.shape[axes:])


def all_rows(
    found: Traced, plans: Sequence[Plan], reads: Sequence[tuple[Any, Any]], layers: Sequence[Any]
) -> tuple[list[Row], set[str]]:
    """The rows of every tap on the host, and the names of those that the first plan mixes and the second one knows.

    Args:
        found: the traced loss.
        plans: of `Traced.plans`.
        reads: for each plan the results of `read_taps` and the exponents that were divided at its cuts.
        layers: as `tap_rows` has them.
    """
    first, *more = (tap_rows(found, how, *read, layers) for how, read in zip(plans, reads, strict=True))
    mixed = {row.name for row in first if row.module.signal is None}
    plain = {row.name: row for rows in more for row in rows}
    return [plain.get(row.name, row) if row.name in mixed else row for row in first], mixed


def tap_rows(
    found: Traced, how: Plan, results: Sequence[TapArrays], exponents: Mapping[int, Any], layers: Sequence[Any]
) -> list[Row]:
    """The rows of every tap on the host, in the order of the forward pass; `signal` is None where the pass mixes it.

    Args:
        found: the traced loss.
        how: the plan of the pass.
        results: of `read_taps`, on the host.
        exponents: that were divided at the cuts, on the host.
        layers: for each tap the numbers of its layers, on the host; None without.
    """
    keys = [_kind(i, site) for i, site in enumerate(found.sites)]
    counts = [int(np.prod(site.lengths, dtype=int)) for site in found.sites]
    rows: list[Row] = []
    for i, arrays in enumerate(apart(keys, counts, results)):
        site, signature = found.sites[i], how.taps[i]
        divided = np.broadcast_to(how.exponents(signature, exponents), counts[i])
        own = [
            _row(site, name, jax.tree.map(lambda leaf, j=j: leaf[j], arrays), int(divided[j]), signature)
            for j, name in enumerate(_names(site, counts[i], layers[i]))
        ]
        rows += own if site.mark.module or site.mark.layered or len(own) == 1 else [_joined(own)]
    return _unique(rows)


def _names(site: Site, count: int, layers: Any) -> list[str]:
    name = site.mark.name
    if site.mark.layered:
        return [f"{name}[{int(layer)}]" for layer in np.ravel(layers)]
    return [f"{name}[{i}]" for i in range(count)] if site.mark.module and site.lengths else [name] * count


def _row(site: Site, name: str, arrays: TapArrays, divided: int, signature: Signature) -> Row:
    size = sum(int(np.prod(shape)) for shape in site.shapes)
    first, forward = int(np.prod(site.shapes[0])), arrays.forward
    examples = site.shapes[0][0] if site.shapes[0] else 1
    known = signature is not None and signature != MIXED
    module = Module(
        signal=float(log10_norms(*map(np.asarray, arrays.signal)) + divided * LOG2) if signature != MIXED else None,
        exact_to=max(map(log10_smallest, site.dtypes)) + divided * LOG2 if known else None,
        scale=_log10_mean(forward.size, first),
        spread=_log10_mean(forward.spread, first),
        largest=float(forward.largest),
        mean=float(forward.mean),
        kurtosis=float(forward.kurtosis),
        zero=float(forward.zero),
        activation=site.activation and site.activation.name,
        dead=_number(forward.dead),
        saturated=_number(forward.saturated),
        distance=_log10(float(forward.distance) / (examples - 1)) if examples > 1 else None,
        largest_logit=_number(forward.largest_logit),
        entropy=None if forward.entropy is None else tuple(map(float, forward.entropy)),
    )
    found = None if arrays.spectrum is None else shifted(arrays.spectrum, divided)
    return Row(name, module, "output" if site.mark.module else "tap", size, found)


def log10_smallest(dtype: Any) -> float:
    """log10 of the smallest number of a dtype that does not read as zero."""
    return float(np.log10(smallest_number(dtype)))


def shifted(found: Spectrum, exponent: int) -> Spectrum:
    """The spectrum of the same numbers times a power of two; what leaves the range at its lower end counts as zero."""
    counts, squares = np.asarray(found.counts, np.float64), np.asarray(found.squares, np.float64)
    if exponent == 0:
        return Spectrum(counts, squares)
    inner, bins = np.arange(1, len(counts) - 1), len(counts)
    to = np.clip(inner + exponent, 0, bins - 2)
    new = [np.zeros(bins), np.zeros(bins)]
    for made, old in zip(new, (counts, squares), strict=True):
        np.add.at(made, to, np.where((to == 0) & (old is squares), 0, old[1:-1]))
        made[[0, -1]] += old[[0, -1]]
    return Spectrum(*new)


def narrowed(found: Spectrum) -> Spectrum:
    """A spectrum of float64 in the bins of float32: what is below those counts as zero, what is above as not finite."""
    bins, first = 256, (found.counts.shape[-1] - 256) // 2
    if not first:
        return found
    counts, squares = (np.array(each[first : first + bins], np.float64) for each in found)
    counts[0] = found.counts[: first + 1].sum()
    counts[-1] = squares[-1] = found.counts[first + bins - 1 :].sum()
    squares[0] = 0
    return Spectrum(counts, squares)


def _joined(rows: Sequence[Row]) -> Row:
    """All rows under one name as one: norms of all together, shares and means on average, the largest of all."""

    def of(name: str) -> np.ndarray:
        return np.asarray([np.nan if (each := getattr(row.module, name)) is None else each for row in rows], float)

    def mean(name: str) -> float | None:
        return None if np.isnan(of(name)).all() else float(np.mean(of(name)))

    numbers = sum(row.size for row in rows)
    spectra = [row.spectrum for row in rows if row.spectrum is not None]
    module = replace(
        rows[0].module,
        signal=None if rows[0].module.signal is None else float(log10_sum(of("signal"))),
        exact_to=None if rows[0].module.exact_to is None else float(of("exact_to").max()),
        scale=float(log10_sum(of("scale")) - np.log10(len(rows)) / 2),
        spread=float(log10_sum(of("spread")) - np.log10(len(rows)) / 2),
        largest=float(of("largest").max()),
        **{name: mean(name) for name in ("mean", "kurtosis", "zero", "dead", "saturated", "distance", "largest_logit")},
    )
    together_ = jax.tree.map(lambda *each: sum(each), *spectra) if spectra else None
    return Row(rows[0].name, module, rows[0].kind, numbers, together_)


def log10_sum(norms: np.ndarray) -> np.ndarray:
    """log10 of the norm of what has these log10 norms, apart from each other."""
    largest = np.max(norms, axis=0)
    if not np.isfinite(largest):
        return np.asarray(largest)
    return np.asarray(largest + np.log10(np.sum(10.0 ** (2 * (norms - largest)), axis=0)) / 2)


def _unique(rows: Sequence[Row]) -> list[Row]:
    """Taps of one name joined; a module's further calls numbered from 2."""
    same: dict[str, list[Row]] = {}
    for row in rows:
        same.setdefault(row.name, []).append(row)
    made, met = [], Counter[str]()
    for row in rows:
        met[row.name] += 1
        if row.kind == "output":
            made.append(row if met[row.name] == 1 else replace(row, name=f"{row.name}#{met[row.name]}"))
        elif met[row.name] == 1:
            made.append(row if len(same[row.name]) == 1 else _joined(same[row.name]))
    return made


def _log10_mean(norm: ScaledNorm, numbers: int) -> float:
    return float(log10_norms(*map(np.asarray, norm)) - np.log10(numbers) / 2)


def _log10(value: float) -> float:
    with np.errstate(divide="ignore"):
        return float(np.log10(value))


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
