"""The suite: a baseline, named mitigations as patches over it, swept axes and a protocol, read from one TOML file."""

import itertools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError, field_validator, model_validator

from vgbench.boundary.paths import check_folder_name
from vgbench.errors import InputError, explain, unknown
from vgbench.spec.case import Case
from vgbench.spec.claim import Claim
from vgbench.spec.registry import Choice, Strict

BASELINE = "baseline"
_LIST_FIELDS = ("learning_rates", "seeds", "tuning_seeds")
_RATE_STEPS = (-1.0, -0.5, 0.0, 0.5, 1.0)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _check_setting(field: str, values: Sequence[Any]) -> None:
    if field not in Case.model_fields:
        raise InputError(unknown("field", field, Case.model_fields))
    if not values and field not in _LIST_FIELDS:
        raise InputError(f"{field}: needs at least one value")


@dataclass(frozen=True)
class Cell:
    """One row of a suite's table.

    Attributes:
        mitigation: its name; `baseline` for the baseline itself.
        axes: the values that its case has on the swept axes, members of slots in words.
        case: what is measured.
        reference: the baseline, or what it is to be compared with instead, at the same values of the axes.
        timed: whether its cost is measured beside the reference's.
    """

    mitigation: str
    axes: Mapping[str, Any]
    case: Case
    reference: Case
    timed: bool = True

    @property
    def label(self) -> str:
        """The cell in words, as progress bars and messages name it."""
        return ", ".join([self.mitigation, *(f"{axis} {value}" for axis, value in self.axes.items())])


class Protocol(Strict):
    """What is the same for all cells of a suite.

    Attributes:
        train_to_depth: deeper cells are not trained.
        time_to_depth: deeper cells are not timed.
        learning_rate_centers: for each gradient transform or optimizer the centre of its learning rates; a transform's
            goes before its optimizer's. Five learning rates are tried, half a decade apart, over two decades around it;
            where there are no tuning seeds to choose by, the centre alone.
    """

    train_to_depth: int | None = Field(default=None, ge=0)
    time_to_depth: int | None = Field(default=None, ge=0)
    learning_rate_centers: dict[str, Annotated[float, Field(gt=0)]] = {}

    def learning_rates(self, gradient_transform: str, optimizer: str, *, tuned: bool) -> tuple[float, ...]:
        """The learning rates to try, to three significant digits."""
        center = self.learning_rate_centers.get(gradient_transform, self.learning_rate_centers.get(optimizer))
        if center is None:
            known = ", ".join(self.learning_rate_centers) or "none"
            raise InputError(
                f"protocol.learning_rate_centers: no centre for optimizer {optimizer!r} (there are: {known})"
            )
        return tuple(float(f"{center * 10**step:.3g}") for step in _RATE_STEPS) if tuned else (center,)


class Suite(Strict):
    """A set of cases that answer one question.

    Attributes:
        name: the file's stem.
        title: one line.
        question: what the suite answers.
        references: the papers that it draws on.
        minutes: how long it takes on two CPU cores, as its author estimates.
        baseline: fields of the case that every mitigation patches.
        mitigations: for each name the fields that it changes.
        beside: for each mitigation that is not to be compared with the baseline, the one that it is compared with.
        sweep: for each field the values that it takes; every combination is measured.
        protocol: how cells are trained.
        claims: what the records are to decide about.
        quick: the settings that narrow the suite to its quick version; a value alone stands for a list of one.
    """

    name: str
    title: str
    question: str
    references: Annotated[tuple[str, ...], Field(strict=False)] = ()  # TOML knows lists only
    minutes: float | None = Field(default=None, gt=0)
    baseline: dict[str, Any]
    mitigations: dict[str, dict[str, Any]] = {}
    beside: dict[str, str] = {}
    sweep: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}
    protocol: Protocol = Protocol()
    claims: Annotated[tuple[Claim, ...], Field(strict=False)] = ()
    quick: dict[str, Annotated[list[Any], BeforeValidator(_as_list)]] = {}
    _file: Path | None = PrivateAttr(default=None)

    @property
    def file(self) -> Path | None:
        """The file that it was read from, where it was."""
        return self._file

    @field_validator("name")
    @classmethod
    def _name_of_a_folder(cls, value: str) -> str:
        return check_folder_name(value)  # of `runs/NAME` and of what is published

    @field_validator("mitigations")
    @classmethod
    def _no_second_baseline(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        if BASELINE in value:
            raise ValueError(f"{BASELINE!r} is the name of the baseline itself; call the mitigation something else")
        return value

    @model_validator(mode="after")
    def _known_companions(self) -> "Suite":
        for name in (*self.beside, *self.beside.values()):
            if name not in self.mitigations:
                raise ValueError(f"beside: {unknown('mitigation', name, self.mitigations)}")
        return self

    @model_validator(mode="after")
    def _known_cells(self) -> "Suite":
        known = {"mitigation": [BASELINE, *self.mitigations], "swept axis": list(self.sweep)}
        for number, claim in enumerate(self.claims):
            for kind, name in claim.named():
                if name not in known[kind]:
                    raise ValueError(f"claims.{number}: {unknown(kind, name, known[kind])}")
        return self

    @field_validator("quick")
    @classmethod
    def _known_settings(cls, value: dict[str, list[Any]]) -> dict[str, list[Any]]:
        for field, values in value.items():
            _check_setting(field, values)
        return value

    def cells(self) -> tuple[Cell, ...]:
        """All cells, the baseline of each combination of axes first; cases that are equal appear once.

        Raises:
            InputError: a field is unknown, or a value or combination is impossible; names the place.
        """
        cells: dict[str, Cell] = {}
        limit = self.protocol.time_to_depth
        for values in itertools.product(*self.sweep.values()):
            axes = dict(zip(self.sweep, values, strict=True))
            baseline = self._case(BASELINE, axes)
            for mitigation in (BASELINE, *self.mitigations):
                case = self._case(mitigation, axes)
                shown = {axis: _in_words(getattr(case, axis)) for axis in axes}
                other = self.beside.get(mitigation)
                reference = self._case(other, axes) if other else baseline
                timed = limit is None or case.depth <= limit
                cells.setdefault(case.cell_id, Cell(mitigation, shown, case, reference, timed))
        return tuple(cells.values())

    def _case(self, mitigation: str, axes: dict[str, Any]) -> Case:
        patch = self.mitigations.get(mitigation, {})
        place = f"suite {self.name!r}, mitigation {mitigation!r}" if patch else f"suite {self.name!r}, {BASELINE}"
        fields = {**self.baseline, **axes, **patch}
        try:
            case = Case(**{"learning_rates": (1.0,), **fields})
            limit = self.protocol.train_to_depth
            if case.steps == 0 or (limit is not None and case.depth > limit):
                return Case(**{**fields, "steps": 0, "learning_rates": (), "tuning_seeds": ()})
            if "learning_rates" in fields:
                return case
            tuned = bool(case.tuning_seeds)
            learning_rates = self.protocol.learning_rates(
                case.gradient_transform.name, case.optimizer.name, tuned=tuned
            )
            return Case(**{**fields, "learning_rates": learning_rates})
        except ValidationError as error:
            raise explain(error, place) from None

    def select(self, settings: Mapping[str, Sequence[Any]] | None = None, only: Sequence[str] = ()) -> "Suite":
        """Narrow the suite: set fields to other values, keep some mitigations (and the baseline).

        Args:
            settings: values for each field; several values make (or replace) a swept axis.
            only: names of mitigations to keep, with what they stand beside; all if empty.

        Raises:
            InputError: an unknown field or mitigation.
        """
        baseline, sweep = dict(self.baseline), dict(self.sweep)
        for field, values in (settings or {}).items():
            _check_setting(field, values)
            if field in _LIST_FIELDS:
                baseline[field] = list(values)
            elif field in sweep or len(values) > 1:
                sweep[field] = list(values)
            else:
                baseline[field] = values[0]
        for name in only:
            if name not in self.mitigations and name != BASELINE:
                raise InputError(unknown("mitigation", name, [BASELINE, *self.mitigations]))
        wanted = {*only, *(self.beside.get(name, name) for name in only)}
        kept = {name: patch for name, patch in self.mitigations.items() if not only or name in wanted}
        beside = {name: other for name, other in self.beside.items() if name in kept}
        changed = {"baseline": baseline, "sweep": sweep, "mitigations": kept, "beside": beside}
        return self.model_copy(update=changed)

    def quick_version(self) -> "Suite":
        """The suite narrowed by its table `[quick]`, named `NAME-quick`.

        What the table sets goes before what a mitigation does, but for mitigations that are not to be trained.

        Raises:
            InputError: it has no such table.
        """
        if not self.quick:
            example = "depth = [4, 16] and steps = 100"
            raise InputError(
                f"suite {self.name!r} has no quick version: add a table [quick] of settings, e.g. {example}"
            )
        narrowed = {
            name: {
                field: value
                for field, value in patch.items()
                if field not in self.quick or (field, value) == ("steps", 0)
            }
            for name, patch in self.mitigations.items()
        }
        changed = {"name": f"{self.name}-quick", "minutes": None, "quick": {}, "mitigations": narrowed}
        return self.select(self.quick).model_copy(update=changed)


def _in_words(value: Any) -> Any:
    return str(value) if isinstance(value, Choice) else value


def _built_in() -> dict[str, Traversable]:
    folder = resources.files("vgbench.spec") / "suites"
    return {file.name.removesuffix(".toml"): file for file in folder.iterdir() if file.name.endswith(".toml")}


def built_in_suites() -> tuple[Suite, ...]:
    """The suites that come with vgbench, by name."""
    files = sorted(_built_in().items())
    return tuple(_parse(name, file.read_bytes(), f"suite {name!r}", file) for name, file in files)


def read_suite(name_or_path: str | Path) -> Suite:
    """Read a suite by its name, or from a TOML file.

    Raises:
        InputError: no such suite, or a file that is no suite; names the file and the field.
    """
    path, known = Path(name_or_path), _built_in()
    if str(name_or_path) in known:
        file = known[str(name_or_path)]
        return _parse(str(name_or_path), file.read_bytes(), f"suite {str(name_or_path)!r}", file)
    if path.suffix != ".toml":
        raise InputError(f"{unknown('suite', name_or_path, known)}, or give the path of a .toml file")
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot read this suite: {getattr(error, 'strerror', None) or error}") from None
    return _parse(path.stem, content, str(path), path)


def _parse(name: str, content: bytes, place: str, file: Traversable) -> Suite:
    try:
        table = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place}: not valid TOML: {error}") from None
    try:
        suite = Suite(name=name, **table)
    except ValidationError as error:
        raise explain(error, place) from None
    except TypeError:
        raise InputError(f"{place}: the name of a suite is that of its file; remove the field 'name'") from None
    suite._file = file if isinstance(file, Path) else None  # none where it lies inside an archive
    return suite
