"""The options of a run: the command line, `vgbench.run` and the documentation read them all from here."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from vgbench.errors import explain
from vgbench.measure import PRECISION
from vgbench.spec.registry import Strict

WHAT, HOW, WHERE, KEPT = "What is measured", "How it is measured", "Where it runs", "What is kept"
"""The groups in which the command line's help shows the options."""

_Texts = Annotated[tuple[str, ...], BeforeValidator(lambda value: tuple(value or ()))]
_Paths = Annotated[tuple[Path, ...], BeforeValidator(lambda value: tuple(map(Path, value or ())))]


def _as_path(value: Any) -> Any:
    return Path(value) if isinstance(value, str) else value


def _option(group: str, default: Any, *, metavar: str | None = None, **bounds: Any) -> Any:
    return Field(default=default, json_schema_extra={"group": group, "metavar": metavar}, **bounds)


class RunOptions(Strict):
    """The options of a run, as `vgbench.run` takes them by name and `vgbench run` with hyphens."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    settings: Mapping[str, Sequence[Any]] = _option(WHAT, {}, metavar="FIELD=VALUE[,VALUE...]")
    """Set a field of every case; several values sweep it."""

    only: _Texts = _option(WHAT, (), metavar="NAME")
    """Keep this mitigation, and what it is compared with; repeatable."""

    quick: bool = _option(WHAT, False)
    """Measure the suite's quick version, named SUITE-quick."""

    seeds: int | None = _option(WHAT, None, ge=1, le=1000, metavar="N")
    """Measure the evaluation seeds 0 to N-1 of every cell; those that its record lacks are added to it."""

    decide: bool = _option(WHAT, False)
    """Measure 3 seeds of every cell, and 6, 9 and then 12 of those whose claims are unclear; the intervals of these
    looks are so wide that all of them cover the effect at once with 95 %."""

    shard: str | None = _option(WHAT, None, metavar="I/N")
    """Measure the I-th of N parts, with its costs; `vgbench merge` makes one run of all parts."""

    timeout: float = _option(HOW, 3600.0, ge=0.001, metavar="SECONDS")
    """Time that one measurement may take; pairs that are timed together have it together, then each alone."""

    precision: float = _option(HOW, PRECISION, ge=0.001, le=1)
    """Time a pair until half the 95 % interval of its ratio is at most this share of it, or for 4 seconds."""

    compilations: int | None = _option(HOW, None, ge=1, le=100, metavar="N")
    """Compile and time a pair N times, each in a process of its own; by default once, but 3 times on a GPU, whose
    compiler chooses kernels by timing them."""

    memory_limit: float | None = _option(HOW, None, ge=0.001, le=2**32, metavar="GIB")
    """Memory that a worker process may take (Linux); no limit by default."""

    device: str | None = _option(WHERE, None)
    """cpu, gpu or tpu, with :i for the i-th alone; JAX's default by default. Each device has a worker of its own."""

    executor: str = _option(WHERE, "local")
    """local, or ray for a Ray cluster that runs already (extra `ray`)."""

    address: str | None = _option(WHERE, None)
    """Address of the Ray cluster; by default the one that this host belongs to."""

    out: Annotated[Path | None, BeforeValidator(_as_path)] = _option(KEPT, None, metavar="DIR")
    """Folder for records and report, made if missing; by default runs/SUITE, of a part runs/SUITE-I-of-N."""

    trace: bool = _option(KEPT, False)
    """Keep a trace of five steps of each cell that this run times, taken after the timing, in DEVICE/traces/ID of the
    folder: `xprof --logdir` shows such a folder, and ui.perfetto.dev its .trace.json.gz."""

    retry_failed: bool = _option(KEPT, False)
    """Measure again what ran out of time or memory, crashed, did not compile or was skipped."""

    keep_stale: bool = _option(KEPT, False)
    """Keep, and mark, records of another source, other versions or other flags, instead of measuring them again."""

    reuse: _Paths = _option(KEPT, (), metavar="DIR")
    """Copy results of the same cells and pairs from this run, of any suite, where the same source, versions and flags
    produced them on a like device; repeatable."""

    @property
    def limits(self) -> dict[str, Any]:
        """What a worker's supervisor takes of them."""
        memory = None if self.memory_limit is None else int(self.memory_limit * 2**30)
        timing = {"precision": self.precision, "compilations": self.compilations, "trace": self.trace}
        return {"timeout": self.timeout, **timing, "memory_limit": memory}


def read_options(options: Mapping[str, Any]) -> RunOptions:
    """Check options by name.

    Raises:
        InputError: an option is unknown, of another type or out of its bounds.
    """
    try:
        return RunOptions(**options)
    except ValidationError as error:
        raise explain(error, "option") from None
