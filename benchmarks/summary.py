"""The table of all these programs' results: `python benchmarks/summary.py results/speed` writes README.md there."""

import json
import sys
from pathlib import Path
from typing import Any

PARTS = {
    "torch": ("Against PyTorch", "against_torch.py", "PyTorch's time of a step over vgbench's"),
    "nnx": ("Against Flax NNX", "against_nnx.py", "the script's time over vgbench's, compiling and all steps together"),
    "limit": ("Against the limit", "limit.py", "vgbench's time of a step over that of the hand-written one"),
    "instrumentation": (
        "Instrumentation",
        "instrumentation.py",
        "time of training with records over training that judges its last state alone, by steps and seeds",
    ),
    "watching": (
        "Recording",
        "watching.py",
        "time of a step that `vgbench.Recorder.scan` or `vgbench.watch` records every tenth time in a scan, over that"
        " of one that is not recorded",
    ),
    "sweep": ("A whole sweep", "sweep.py", "time one by one over vgbench's"),
    "overhead": (
        "Overhead",
        "overhead.py",
        "milliseconds of a cell that compiles nothing, and of them those that its steps do not take",
    ),
    "scale": ("Scale", "scale.py", "seconds of a training step and of a gradient profile"),
    "page_faults": ("Page faults", "page_faults.py", "CPU time of a layer in training by the steps in a program"),
}

REASONS = {
    "torch": "The rows of products alone show what share of a difference is due to matrix products. XLA multiplies"
    " signals and weights with YNNPACK. It gets the gradient by the weights, whose first factor lies the other way,"
    " from Eigen, which is slower. vgbench also saves the dispatch of single operations, whose share falls with width.",
    "limit": "Where the aim is missed: at 200 x 128 a step that is scanned takes 11 % longer than the limit, which is"
    " unrolled, without any norms, and 4 % more with them; scans that take 2, 4 or 8 layers a turn are slower still. At"
    " 10 x 64 the training loop exceeds the limit by what recording takes (see Instrumentation).",
    "instrumentation": "Found by leaving parts out at 50 x 128, in CPU time: a snapshot takes 17 ms, of which sums of"
    " squares take 4 and histograms 2, and most of the rest its forward pass and its two backward ones; the answers to"
    " the validation examples take 3 ms, and 25 steps 140.",
    "watching": "Where the aim is missed: found by leaving parts out at 16 x 128, the rounds of the scan take 2 %, and"
    " most of the rest is that norms read gradient, weights and update once more, 3 MB that caches no longer hold.",
    "sweep": "Neither side reads compiled programs from disk. Where the aim is missed: these cells differ in what they"
    " compute, not in init, rate or seed alone, so that nearly each compiles programs of its own, in most of vgbench's"
    " time as well. Of a pair both sides take as many rounds; vgbench saves the start of a process, and the reference's"
    " compilation and samples, which the pairs of a place share in one round-robin. Suites whose cells share programs"
    " gain more (see Overhead).",
    "overhead": "Where the aim is missed: found by profile, of the time around the worker 4 ms pass until the record is"
    " safe on the disk, and packing it takes 4.",
    "scale": "The aim is 20 %. Programs of a single step would miss it through page faults, which the next section"
    " counts. In programs of many steps the rest is caches: Adam's update alone, which reads and writes weights and"
    " moments, takes longer where they are 197 MB (1,000 x 128) than where they are 10 (50 x 128).",
    "page_faults": "Every call of a program allocates its scratch memory anew, and glibc takes what is larger than"
    " 32 MiB from the system each time, which clears it page by page. A program of many steps pays that once, and then"
    " a layer costs nearly the same at every depth.",
}
"""Why an aim is missed, shown under the table."""


def summary(found: dict[str, dict[str, Any]]) -> str:
    """A section for each program whose result is there."""
    first = next(iter(found.values()))["provenance"]
    versions = {**first["packages"], **{k: v for each in found.values() for k, v in each["packages"].items()}}
    origins = {(each["provenance"]["cpu"], each["provenance"]["commit"]) for each in found.values()}
    head = "# How fast vgbench itself is\n\nRatios are medians over interleaved rounds with 95 % bootstrap intervals."
    lines = [head, "Batches of 128 digits, Adam, ReLU, float32. Raw samples lie beside this file. Measured on:", ""]
    lines += [f"- {cpu}, commit {commit}" for cpu, commit in sorted(origins, key=str)]
    lines += ["", f"with Python {first['python']}, " + ", ".join(f"{k} {v}" for k, v in versions.items()) + "."]
    for name, content in found.items():
        title, program, words = PARTS[name]
        lines += ["", f"## {title}", "", f"`benchmarks/{program}`: {words}.", "", content["table"]]
        if name in REASONS:
            lines += ["", REASONS[name]]
        if name == "scale":
            step, rest = (content["uneven"][part] for part in ("step", "rest"))
            lines += ["", f"Between depth 50 and 1,000 the cost of a layer differs by {step:.0%},"]
            lines += [f"and by {rest:.0%} without Adam's update."]
            for deep in content["deep_profiles"]:
                network = f"{deep['depth']:,} layers of {deep['width']} units"
                lines += [f"A profile of {network} takes {deep['seconds']:.0f} s"]
                lines += [f"and {deep['peak_gib']:.2f} GiB of memory at its peak, Python and all."]
    return "\n".join(lines) + "\n"


def main(folder: str) -> None:
    """Read what is there and write the table."""
    paths = {name: Path(folder, f"{name}.json") for name in PARTS}
    found = {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}
    Path(folder, "README.md").write_text(summary(found))


if __name__ == "__main__":
    main(sys.argv[1])
