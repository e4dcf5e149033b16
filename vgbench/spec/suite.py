"""The suite: a baseline, named mitigations as patches over it, swept axes and a protocol, read from one TOML file."""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError, field_validator, model_validator

from vgbench.boundary.paths import check_folder_name
from vgbench.errors import InputError, explain, unknown
from vgbench.spec.axes import check_axes, check_setting, combinations, with_settings
from vgbench.spec.case import Case
from vgbench.spec.claim import Claim
from vgbench.spec.label import label
from vgbench.spec.protocol import Protocol
from vgbench.spec.registry import Choice, Strict

BASELINE = "baseline"


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@dataclass(frozen=True)
class Cell:
    """One row of a suite's table.

    Attributes:
        mitigation: the name of its mitigation or baseline.
        axes: the values of its case on the swept axes, with slots as text.
        case: what is measured.
        reference: the baseline that it is compared with, at the same values of the axes.
        timed: whether its cost is measured together with the reference's.
    """

    mitigation: str
    axes: Mapping[str, Any]
    case: Case
    reference: Case
    timed: bool = True

    @property
    def label(self) -> str:
        """The cell's name in progress bars and messages."""
        return label([self.mitigation], self.axes)


class Suite(Strict):
    """A set of cases that answer one question.

    Attributes:
        name: the name of its file without `.toml`.
        title: one line.
        question: the question that the suite answers.
        references: the papers on which it is based.
        minutes: the author's estimate of its duration on two CPU cores.
        needs: what must be installed besides vgbench, with the command that does it.
        baseline: the fields of the case that mitigations change unless they name another baseline.
        baselines: for each further baseline the fields in which it differs from `baseline`; it is its own reference.
        mitigations: for each name the fields that it changes in its reference. The key `on` names the reference:
            `baseline` (the default) or one of `baselines`.
        sweep: for each field its values; every combination is measured.
        zip: the same for fields that go together: the first values of all, the second of all, and so on.
        protocol: how cells are trained and timed.
        claims: the claims that the records decide.
        quick: the settings of the quick version; a single value stands for a list of one.
    """

    name: str
    title: str
    question: str
    references: Annotated[tuple[str, ...], Field(strict=False)] = ()  # TOML knows lists only
    minutes: float | None = Field(default=None, gt=0)
    needs: str | None = None
    baseline: dict[str, Any]
    baselines: dict[str, dict[str, Any]] = {}
    mitigations: dict[str, dict[str, Any]] = {}
    sweep: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}
    zip: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}
    protocol: Protocol = Protocol()
    claims: Annotated[tuple[Claim, ...], Field(strict=False)] = ()
    quick: dict[str, Annotated[list[Any], BeforeValidator(_as_list)]] = {}
    _file: Path | None = PrivateAttr(default=None)

    @property
    def file(self) -> Path | None:
        """The file that the suite was read from; None if it was not read from one."""
        return self._file

    @field_validator("name")
    @classmethod
    def _name_of_a_folder(cls, value: str) -> str:
        return check_folder_name(value)  # `runs/NAME` and `results/NAME` are folders

    @model_validator(mode="before")
    @classmethod
    def _refuse_beside(cls, data: Any) -> Any:
        if isinstance(data, dict) and "beside" in data:
            raise ValueError('beside: write a table [baselines.NAME] of fields instead, and on = "NAME" in mitigations')
        return data

    @model_validator(mode="after")
    def _names_differ(self) -> "Suite":
        twice = sorted({BASELINE, *self.baselines} & self.mitigations.keys() | {BASELINE} & self.baselines.keys())
        if twice:
            raise ValueError(f"two baselines or mitigations have the name {twice[0]!r}")
        return self

    @model_validator(mode="after")
    def _known_references(self) -> "Suite":
        for name, patch in self.mitigations.items():
            on = patch.get("on", BASELINE)
            if on not in self._references:
                raise ValueError(f"mitigations.{name}.on: {unknown('baseline', on, self._references)}")
        return self

    @model_validator(mode="after")
    def _axes_go_together(self) -> "Suite":
        check_axes(self.sweep, self.zip)
        return self

    @model_validator(mode="after")
    def _known_cells(self) -> "Suite":
        known = {"mitigation": self.names, "swept axis": [*self.zip, *self.sweep]}
        for number, claim in enumerate(self.claims):
            for kind, name in claim.named():
                if name not in known[kind]:
                    raise ValueError(f"claims.{number}: {unknown(kind, name, known[kind])}")
        return self

    @field_validator("quick")
    @classmethod
    def _known_settings(cls, value: dict[str, list[Any]]) -> dict[str, list[Any]]:
        for field, values in value.items():
            check_setting(field, values)
        return value

    @property
    def _references(self) -> tuple[str, ...]:
        return BASELINE, *self.baselines

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the rows: the baselines, then the mitigations."""
        return *self._references, *self.mitigations

    def reference_of(self, name: str) -> str:
        """The baseline that a mitigation changes and is compared with; for a baseline, itself."""
        return self.mitigations.get(name, {"on": name}).get("on", BASELINE)

    def cells(self) -> tuple[Cell, ...]:
        """All cells, for each combination of axes with the baselines first; equal cases appear once.

        Raises:
            InputError: a field is unknown, or a value or combination is invalid; the message names the place.
        """
        cells: dict[tuple[Any, ...], Cell] = {}
        limit = self.protocol.time_to_depth
        for axes in combinations(self.sweep, self.zip):
            references = {name: self._case(name, axes) for name in self._references}
            for name in self.names:
                case = references.get(name) or self._case(name, axes)
                shown = {axis: _in_words(getattr(case, axis)) for axis in axes}
                timed = limit is None or case.depth <= limit
                cell = Cell(name, shown, case, references[self.reference_of(name)], timed)
                cells.setdefault((case.cell_id, case.seeds), cell)
        return tuple(cells.values())

    def _case(self, name: str, axes: dict[str, Any]) -> Case:
        reference = self.reference_of(name)
        kind = "mitigation" if name in self.mitigations else "baseline"
        place = f"suite {self.name!r}, {kind if name == BASELINE else f'{kind} {name!r}'}"
        patch = {field: value for field, value in self.mitigations.get(name, {}).items() if field != "on"}
        fields = {**self.baseline, **axes, **self.baselines.get(reference, {}), **patch}
        try:
            case = Case(**{"learning_rates": (1.0,), **fields})
            limit = self.protocol.train_to_depth
            if case.steps == 0 or (limit is not None and case.depth > limit):
                case = case.model_copy(update={"steps": 0, "tuning_seeds": ()})
            if not (case.steps or case.coordinate_steps):
                return case.model_copy(update={"learning_rates": ()})
            if "learning_rates" in fields:
                return case
            names = name, case.gradient_transform.name, case.optimizer.name
            rates = self.protocol.learning_rates(*names, tuned=bool(case.tuning_seeds))
            return case.model_copy(update={"learning_rates": rates})
        except ValidationError as error:
            raise explain(error, place) from None

    def select(self, settings: Mapping[str, Sequence[Any]] | None = None, only: Sequence[str] = ()) -> "Suite":
        """Narrow the suite: set fields to other values, and keep some mitigations with their baselines.

        Args:
            settings: values for each field; several values make (or replace) a swept axis, and those of an axis of
                `zip` replace it there.
            only: names of mitigations and baselines to keep; all if empty. `baseline` is always kept.

        Raises:
            InputError: a field or mitigation is unknown, or axes that go together differ in the number of values.
        """
        changed = with_settings(self.baseline, self.sweep, self.zip, settings or {})
        for name in only:
            if name not in self.names:
                raise InputError(unknown("mitigation", name, self.names))
        kept = {*only, *map(self.reference_of, only)} or {*self.names}
        for table, patches in (("baselines", self.baselines), ("mitigations", self.mitigations)):
            changed[table] = {name: patch for name, patch in patches.items() if name in kept}
        return self.model_copy(update=changed)

    def quick_version(self) -> "Suite":
        """The suite narrowed by its table `[quick]`, named `NAME-quick`.

        The table overrides the fields of baselines and mitigations, except `steps = 0`.

        Raises:
            InputError: the suite has no such table.
        """
        if not self.quick:
            example = "depth = [4, 16] and steps = 100"
            raise InputError(
                f"suite {self.name!r} has no quick version: add a table [quick] of settings, e.g. {example}"
            )
        changed = {"name": f"{self.name}-quick", "minutes": None, "quick": {}}
        return self.select(self.quick).without_own(self.quick).model_copy(update=changed)

    def without_own(self, fields: Collection[str]) -> "Suite":
        """The suite where baselines and mitigations set none of these fields for themselves, except `steps = 0`."""

        def kept(field: str, value: Any) -> bool:
            return field not in fields or (field, value) == ("steps", 0)

        def narrowed(patches: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
            return {name: {k: v for k, v in patch.items() if kept(k, v)} for name, patch in patches.items()}

        changed = {"baselines": narrowed(self.baselines), "mitigations": narrowed(self.mitigations)}
        return self.model_copy(update=changed)


def _in_words(value: Any) -> Any:
    return str(value) if isinstance(value, Choice) else value


def _built_in() -> dict[str, Traversable]:
    folder = resources.files("vgbench.spec") / "suites"
    return {file.name.removesuffix(".toml"): file for file in folder.iterdir() if file.name.endswith(".toml")}


def built_in_suites() -> tuple[Suite, ...]:
    """The suites that come with vgbench, ordered by name."""
    files = sorted(_built_in().items())
    return tuple(_parse(name, file.read_bytes(), f"suite {name!r}", file) for name, file in files)


def read_suite(name_or_path: str | Path) -> Suite:
    """Read a built-in suite by its name, or a suite from a TOML file.

    Raises:
        InputError: there is no such suite, or the file is not a valid suite; the message names the file and the field.
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
        raise InputError(f"{place}: a suite is named after its file; remove the field 'name'") from None
    suite._file = file if isinstance(file, Path) else None  # None if vgbench is imported from an archive
    return suite
