"""What other packages get for the same cases: `python benchmarks/peers.py results/peers` writes README.md there.

`peers_torch.py` and `peers_tangents.py` write the JSON files that it is made from.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

PARTS = {
    "torch": (
        "PyTorch's hooks",
        "Gradient norms at initialisation: dL/dh_l and dL/dW_l of the same weights and the same batch. PyTorch computes"
        " in float32 with its own modules, and hooks read its gradients; vgbench's are those of the probe. *in range*"
        " counts the norms that are at least 1e-30 in PyTorch: below that, entries get too small for float32, and plain"
        " backpropagation loses them, while the probe does not.",
    ),
    "tangents": (
        "Neural Tangents' kernels",
        "Predictions from the case alone, for networks of infinite width and 50 layers: the factor by which each block"
        " multiplies the squared norm of the gradient on its way back, which is the slope of the neural tangent kernel"
        " after the block over the one before it. *off* is the largest relative error of each package's factors, by a"
        " third computation: Gauss-Legendre panels on both sides of zero, fine at every scale. Neural Tangents has"
        " formulas for linear, (leaky) ReLU, erf and GELU, otherwise a quadrature of 200 nodes, too coarse for kinks"
        " and for large variances; vgbench interpolates between 401 variances up to 1e8 and goes on from there.",
    ),
}
"""Title, and what is compared."""
CLOSE = 1e-5
"""Relative difference up to which numbers agree."""


@dataclass(frozen=True)
class Agreement:
    """Numbers of one case that two packages compute.

    Attributes:
        case: its columns in the table.
        ours: log10 of vgbench's numbers.
        theirs: log10 of the peer's; -inf where it reads zero.
        lowest: log10 of the smallest number of the peer that counts as in range.
        third: log10 of the same numbers by a third computation; empty where there is none.
    """

    case: Mapping[str, str | int]
    ours: Sequence[float]
    theirs: Sequence[float]
    lowest: float = -30.0
    third: Sequence[float] = ()

    @property
    def in_range(self) -> int:
        """How many of the peer's numbers are in range."""
        return int(np.count_nonzero(self._kept))

    @property
    def difference(self) -> float:
        """The largest relative difference of the numbers in range."""
        return self._apart(self.ours, self.theirs)

    @property
    def off(self) -> tuple[float, float] | None:
        """The largest relative errors of vgbench and of the peer by the third computation."""
        return (self._apart(self.ours, self.third), self._apart(self.theirs, self.third)) if self.third else None

    def _apart(self, these: Sequence[float], those: Sequence[float]) -> float:
        apart = np.asarray(these)[self._kept] - np.asarray(those)[self._kept]
        return float(np.abs(10.0**apart - 1).max())

    @property
    def _kept(self) -> np.ndarray:
        return np.asarray(self.theirs) >= self.lowest


def content(agreements: Sequence[Agreement]) -> dict[str, Any]:
    """What a program writes of its agreements; JSON has no infinity, which is None."""
    return {
        "agreements": [
            {**asdict(each), "theirs": [value if np.isfinite(value) else None for value in each.theirs]}
            for each in agreements
        ]
    }


def read(written: Mapping[str, Any]) -> list[Agreement]:
    """The agreements of a file."""
    return [
        Agreement(**{**each, "theirs": [-np.inf if value is None else value for value in each["theirs"]]})
        for each in written["agreements"]
    ]


def table(agreements: Sequence[Agreement]) -> str:
    """The agreements as Markdown."""
    third = ["vgbench off", "peer off"] if agreements[0].third else []
    lines = [[*agreements[0].case, "in range", "largest relative difference", *third]]
    lines.append(["---"] * len(lines[0]))
    for each in agreements:
        off = [f"{error:.0e}" for error in each.off or ()]
        shown = f"{each.in_range} of {len(each.theirs)}", f"{each.difference:.0e}", *off
        lines.append([*map(str, each.case.values()), *shown])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(found: Mapping[str, Mapping[str, Any]]) -> str:
    """A section for each program whose result is there."""
    parts = [
        "# The numbers of other packages",
        "The programs that wrote these files are in `benchmarks/`; none of the numbers depends on time.",
    ]
    for name, written in found.items():
        title, words = PARTS[name]
        agreements, origin = read(written), written["provenance"]
        versions = {**origin["packages"], **written["packages"]}
        apart = np.asarray([each.difference for each in agreements])
        parts += [
            f"## {title}",
            words,
            f"In range, {np.count_nonzero(apart <= CLOSE)} of {len(apart)} comparisons agree to {CLOSE:.0e}, and the"
            f" largest relative difference is {apart.max():.1e}.",
            table(agreements),
            f"`benchmarks/peers_{name}.py`, commit {origin['commit']}, Python {origin['python']}, "
            + ", ".join(f"{package} {version}" for package, version in versions.items())
            + ".",
        ]
    return "\n\n".join(parts) + "\n"


def main(folder: str) -> None:
    """Write the page of a folder."""
    paths = {name: Path(folder) / f"{name}.json" for name in PARTS}
    found = {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}
    (Path(folder) / "README.md").write_text(page(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
