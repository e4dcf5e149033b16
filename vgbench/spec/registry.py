"""Registries: the named members of every slot of a case, each a function whose keyword-only parameters are its options.

A member is chosen by name (`norm = "batch"`) or with options (`norm = {name = "batch", momentum = 0.99}`).
Either way the choice becomes a frozen, validated object that holds every option, defaults included.
"""

import inspect
import reprlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator

from vgbench.errors import InputError, UnknownError, explain, unknown
from vgbench.spec.metric import ACCURACY, Metric
from vgbench.spec.plugins import Package, Plugins

F = TypeVar("F", bound=Callable[..., Any])

Positive = Annotated[float, Field(gt=0)]
"""The type of an option that is a number greater than 0."""

Scope = Literal["element", "layer", "global"]
"""The numbers that an update of one number depends on: that number alone, its layer's array, or the whole tree."""


RENAMED = (
    ("rates", "learning_rates"),
    ("transform", "gradient_transform"),
    ("layers", "block_execution"),
    ("rate_centers", "learning_rate_centers"),
    ("readout", "pooling"),
    ("beside", "reference"),
    ("beside_at", "reference_at"),
)
"""Former names of fields, each with the current one."""


class Strict(BaseModel):
    """Frozen, strictly typed data: no coercion, and an unknown field is an error that names the known ones."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_fields(cls, data: Any) -> Any:
        if isinstance(data, dict):
            for name in data:
                if name not in cls.model_fields:
                    today = [new for old, new in RENAMED if old == name and new in cls.model_fields]
                    if today:
                        raise ValueError(f"field {name!r} is called {today[0]!r} now")
                    raise ValueError(unknown("field", name, cls.model_fields))
        return data


class Choice(Strict):
    """A chosen member of a slot with all its options, which are fields of a subclass made for that member."""

    name: str

    def options(self) -> dict[str, Any]:
        """The options without the name, as keyword arguments of the member's function."""
        return {field: getattr(self, field) for field in type(self).model_fields if field != "name"}

    def __str__(self) -> str:
        fields = type(self).model_fields
        # The digest of files tells cells apart, but is not for people to read.
        changed = [f"{k}={v}" for k, v in self.options().items() if v != fields[k].default and k != "digest"]
        return f"{self.name}({', '.join(changed)})" if changed else self.name


@dataclass(frozen=True)
class Member:
    """One entry of a registry: the function, its meaning and its source."""

    name: str
    function: Callable[..., Any]
    source: str
    scope: Scope | None
    refuses: Callable[[Any], str | None] | None
    data_dependent: bool
    traced_options: tuple[str, ...]
    defaults: Mapping[str, Any]
    installed: Callable[[Any], str] | None
    metric: Metric
    choice: type[Choice]

    @property
    def meaning(self) -> str:
        """The first line of the function's docstring."""
        return self._documentation.partition("\n")[0]

    @property
    def description(self) -> str:
        """The whole docstring, in one line."""
        return " ".join(self._documentation.split())

    @property
    def _documentation(self) -> str:
        return inspect.getdoc(self.function) or ""


class Registry:
    """The members of one slot, found by name.

    Args:
        slot: the slot's name in a case, as error messages print it.
        imports: the member that `MODULE:FUNCTION` chooses, with this text as its option `build`. If None, `NAME:PATH`
            chooses the member NAME with the option `path`.
        plugins: the packages that register members; if None, the packages for the slots of a case.
    """

    def __init__(self, slot: str, imports: str | None = None, plugins: Plugins | None = None) -> None:
        self.slot = slot
        self._plugins = plugins
        self.imports = imports
        self._members: dict[str, Member] = {}

    def register(
        self,
        source: str,
        scope: Scope | None = None,
        refuses: Callable[[Any], str | None] | None = None,
        data_dependent: bool = False,
        traced_options: tuple[str, ...] = (),
        defaults: Mapping[str, Any] | None = None,
        installed: Callable[[Any], str] | None = None,
        metric: Metric = ACCURACY,
    ) -> Callable[[F], F]:
        """Add the decorated function under its own name.

        Args:
            source: the paper (author, year) or the library that the member comes from.
            scope: for gradient transforms and optimizers, the numbers that an update depends on.
            refuses: for a case, returns the reason why the member cannot be used in it, or None if it can; called when
                a case is created.
            data_dependent: for initialisers, whether the drawn weights are then scaled on the first batch, so that
                every linear map's output has variance 1.
            traced_options: for gradient transforms and initialisers, options that may be traced numbers, so that cells
                that differ only in them share one compiled program. They must have defaults.
            defaults: for models and data, fields of the case that have other defaults with this member.
            installed: for data, the digest of the installed files that a choice reads if it has no path.
            metric: for data, what answers to held-out examples are judged by, in whose unit targets are.
        """

        def add(function: F) -> F:
            name = function.__name__.rstrip("_")
            if name in self._members:
                raise ValueError(f"{self.slot} {name!r} is registered already")
            loading = (self._plugins or PLUGINS).loading
            cited = f"{source} ({loading})" if loading else source
            self._members[name] = Member(
                name,
                function,
                cited,
                scope,
                refuses,
                data_dependent,
                traced_options,
                defaults or {},
                installed,
                metric,
                _choice_type(name, function),
            )
            return function

        return add

    def _load(self) -> dict[str, Member]:
        (self._plugins or PLUGINS).load()
        return self._members

    def __iter__(self) -> Iterator[Member]:
        return iter(self._load().values())

    def __getitem__(self, name: str) -> Member:
        members = self._load()
        if name not in members:
            raise UnknownError(unknown(self.slot, name, members))
        return members[name]

    def choose(self, value: Any) -> Choice:
        """Read a choice from a name, `NAME:PATH` or `MODULE:FUNCTION`, a table with a `name`, or a choice.

        Raises:
            InputError: the name or an option is unknown, or a value is of a wrong type.
        """
        if isinstance(value, Choice):
            value = value.model_dump()
        table = value
        if isinstance(value, str):
            name, colon, path = value.partition(":")
            table = {"name": name, "path": path} if colon else {"name": name}
            table = {"name": self.imports, "build": value} if colon and self.imports else table
        if not (isinstance(table, dict) and isinstance(table.get("name"), str)):
            raise InputError(f'{self.slot} takes a name or a table {{name = "..."}}, not {reprlib.repr(value)}')
        member = self[table["name"]]
        try:
            return member.choice.model_validate(table)
        except ValidationError as error:
            raise explain(error, f"{self.slot} {member.name!r}") from None

    def build(self, choice: Choice, *args: Any) -> Any:
        """Call the chosen member's function with `args` and the choice's options."""
        return self[choice.name].function(*args, **choice.options())


def _choice_type(name: str, function: Callable[..., Any]) -> type[Choice]:
    hints = get_type_hints(function, include_extras=True)
    options = {
        p.name: (hints[p.name], ... if p.default is p.empty else p.default)
        for p in inspect.signature(function).parameters.values()
        if p.kind is p.KEYWORD_ONLY
    }
    fields: dict[str, Any] = {"name": (Literal[name], name), **options}
    return create_model(name, __base__=Choice, **fields)


PLUGINS = Plugins("vgbench.plugins")
_CLAIMS = Plugins("vgbench.plugins.claims")  # a separate group, since measurements do not need claims
ACTIVATIONS = Registry("activation")
INITIALIZERS = Registry("init")
NORMS = Registry("norm")
SKIPS = Registry("skip")
CELLS = Registry("cell")
GRADIENT_TRANSFORMS = Registry("gradient_transform")
OPTIMIZERS = Registry("optimizer")
SCHEDULES = Registry("schedule")
LOSS_SCALINGS = Registry("loss_scaling")
PARAMETRIZATIONS = Registry("parametrization")
MODELS = Registry("model", imports="imported")
DATA = Registry("data")
STATISTICS = Registry("statistic", plugins=_CLAIMS)
SIGNS = Registry("sign", plugins=_CLAIMS)

REGISTRIES = {
    registry.slot: registry
    for registry in (
        *(ACTIVATIONS, INITIALIZERS, NORMS, SKIPS, CELLS),
        *(GRADIENT_TRANSFORMS, OPTIMIZERS, SCHEDULES, LOSS_SCALINGS),
        *(PARAMETRIZATIONS, MODELS, DATA),
    )
}
"""The slots of a case."""

LISTED = {**REGISTRIES, STATISTICS.slot: STATISTICS, SIGNS.slot: SIGNS}
"""All that a suite can name, including the statistics and signs of its claims."""


def metric_named(name: str) -> Metric:
    """The metric of this name that some data source is judged by.

    Raises:
        UnknownError: there is none.
    """
    known = {member.metric.name: member.metric for member in DATA}
    if name not in known:
        raise UnknownError(unknown("metric", name, known))
    return known[name]


def plugin_packages() -> tuple[Package, ...]:
    """The packages of installed plug-ins, none of which is imported.

    Raises:
        PluginError: vgbench itself is not installed.
    """
    return PLUGINS.packages()
