"""The schema of records: pydantic checks a record against the annotations of its dataclass.

Scalars are not converted, and must be finite unless the annotation is `NonFinite`. An array must have the dtype and the
rank of its jaxtyping annotation, a named dimension has one length in the whole record, and `Each` bounds the entries. A
dataclass may have a property `dimensions`, the lengths that its named dimensions must have, and a method `check`, which
raises `ValueError` if its fields contradict each other.
"""

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
from pydantic import (
    AfterValidator,
    AllowInfNan,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    create_model,
)
from pydantic_core import CoreSchema, ErrorDetails, core_schema

from vgbench.boundary.encoding import ARRAY, NUMBER
from vgbench.errors import InputError, OtherVersionError, UnknownError

T = TypeVar("T")

NonFinite = Annotated[float, AllowInfNan(True), WithJsonSchema(NUMBER)]
"""A number that may be NaN or infinite."""


def _not_negative(value: float) -> float:
    if value < 0:
        raise ValueError(f"{value:g} is negative")
    return value


NonNegative = Annotated[NonFinite, AfterValidator(_not_negative)]
"""A number that is not negative; NaN if it is unknown."""
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(ge=0, le=1e12)]
ContentId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
"""16 hexadecimal digits of a hash, which name a file."""


def _in_calendar(text: str) -> str:
    datetime.fromisoformat(text)
    return text


Timestamp = Annotated[str, Field(max_length=40), AfterValidator(_in_calendar)]
"""A moment in ISO 8601."""

_LONGEST_MESSAGE = 300
_CONFIG = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)


@dataclass(frozen=True)
class Each:
    """Bounds of every entry of an array.

    Attributes:
        low: the smallest entry that is allowed.
        high: the largest one.
        infinite: whether an entry may be infinite; -inf only if `low` is negative.
        nan: whether an entry may be NaN.
    """

    low: float | int
    high: float | int
    infinite: bool = False
    nan: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        array = handler(schema)
        more = f"{' or infinite' * self.infinite}{' or NaN' * self.nan}"
        return {**array, "description": f"{array['description']}, each from {self.low:g} to {self.high:g}{more}"}

    def check(self, array: np.ndarray) -> np.ndarray:
        """Return the array; raise `ValueError` if an entry is out of bounds."""
        low, high = self._ends
        with np.errstate(over="ignore"):  # a bound may be infinite in a short dtype
            inside = (array >= low) & (array <= high)
        if self.nan:
            inside |= np.isnan(array)
        if not inside.all():
            raise ValueError(f"an entry is {array[~inside][0]}, outside of {self.low:g} to {self.high:g}")
        return array

    @property
    def _ends(self) -> tuple[float | int, float | int]:
        if not self.infinite:
            return self.low, self.high
        return -np.inf if self.low < 0 else self.low, np.inf


@dataclass(frozen=True)
class FromRecord:
    """The context for validating a record: validation does not read or import anything that the record names.

    Attributes:
        dimensions: for each dimension name seen so far its length, and the place where it was first seen.
    """

    dimensions: dict[str, tuple[int, str]] = field(default_factory=dict)

    def bind(self, name: str, length: int, place: str) -> None:
        """Set the length of a named dimension.

        Raises:
            ValueError: the dimension has another length already.
        """
        known, first = self.dimensions.setdefault(name, (length, place))
        if known != length:
            raise ValueError(f"{length} {name} in {place}, but {known} in {first}")


def decode(kind: type[T], tree: Any, place: str) -> T:
    """Make a dataclass from a record's tree; messages name a field's place in it, as `training.snapshots.dead`.

    Args:
        kind: the dataclass.
        tree: as `vgbench.boundary.encoding.decoded` returns it.
        place: where the record comes from, for messages.

    Raises:
        OtherVersionError: a field is missing or unknown, or a member of a registry is unknown.
        InputError: a field does not match the schema; the message names the first such field.
    """
    try:
        return _adapter(kind).validate_python(tree, context=FromRecord())
    except ValidationError as error:
        fault = first_fault(error)
        if any(map(_is_unknown_name, error.errors(include_url=False, include_input=False))):
            raise OtherVersionError(
                f"{place}: written by another version of vgbench, with other fields, or with a plug-in that is not"
                f" installed ({fault})"
            ) from None
        raise InputError(f"{place}: not a valid record ({fault})") from None


def json_definitions(*kinds: type) -> dict[str, Any]:
    """The definitions of a JSON Schema that say what `decode` expects of these dataclasses, by their names.

    What a type cannot say is left out: that dimensions agree, that entries are within bounds, what `check` checks.
    """
    adapters: Any = [(kind.__name__, "validation", _adapter(kind)) for kind in kinds]
    _, found = TypeAdapter.json_schemas(adapters)
    return found["$defs"]


@cache
def _adapter(kind: Any) -> Any:  # beartype does not take a TypeAdapter
    return TypeAdapter(_checked(kind))


def _checked(hint: Any) -> Any:
    """The type with which pydantic checks a field of this annotation."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return Annotated[_model(hint), AfterValidator(partial(_construct, hint))]
    origin: Any = get_origin(hint)
    parts = get_args(hint)
    if origin is Annotated:
        return Annotated[(_checked(parts[0]), *parts[1:])]
    if hasattr(hint, "dim_str"):  # an array of jaxtyping's
        described = WithJsonSchema({**ARRAY, "description": _form(hint)})
        return Annotated[Any, PlainValidator(partial(_check_array, hint)), described]
    if not parts or origin is Literal:
        return hint
    checked = tuple(map(_checked, parts))
    if origin is tuple:
        return Annotated[tuple[checked], BeforeValidator(_as_tuple)]
    return Union[checked] if origin in (Union, UnionType) else origin[checked]  # noqa: UP007  # of a tuple


def _model(kind: type) -> Any:
    hints = get_type_hints(kind, include_extras=True)
    defaults = {each.name: each.default for each in dataclasses.fields(kind)}
    fields = {
        name: (_checked(hints[name]), ... if default is dataclasses.MISSING else default)
        for name, default in defaults.items()
    }
    return create_model(kind.__name__, __config__=_CONFIG, __doc__=kind.__doc__, **fields)  # pyright: ignore[reportCallIssue, reportArgumentType]


# `info` is pydantic's ValidationInfo, a protocol that cannot be checked at runtime.


def _construct(kind: type[T], fields: Any, info: Any) -> T:
    made: Any = kind(**dict(fields))
    if isinstance(info.context, FromRecord):
        for name, length in getattr(made, "dimensions", {}).items():
            info.context.bind(name, length, "the case")
    if hasattr(made, "check"):
        made.check()
    return made


def _check_array(hint: Any, value: Any, info: Any) -> np.ndarray:
    if not isinstance(value, np.ndarray):
        raise ValueError("not an array")  # noqa: TRY004  # pydantic would not catch a TypeError
    names = hint.dim_str.split()
    if value.dtype.name not in hint.dtypes or value.ndim != len(names):
        found = f"{value.dtype.name}[{', '.join(map(str, value.shape))}]"
        raise ValueError(f"{found} is not {_form(hint)}")
    for name, length in zip(names, value.shape, strict=True):
        if isinstance(info.context, FromRecord):
            info.context.bind(name, length, str(info.field_name))
    return value


def _form(hint: Any) -> str:
    """The dtype and the dimensions of an array in words."""
    return f"{hint.dtype.__name__}[{', '.join(hint.dim_str.split())}]"


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def first_fault(error: ValidationError) -> str:
    """The first fault of a validation in one line: the field's place and the fault."""
    fault = error.errors(include_url=False, include_input=False)[0]
    *places, name = fault["loc"] or ("",)
    if fault["type"] == "missing":
        return _short(f"{'.'.join(map(str, places))}: no field {name!r}".removeprefix(": "))
    where = ".".join(map(str, fault["loc"]))
    message = fault["msg"].removeprefix("Value error, ")
    return _short(f"{where}: {message}" if where else message)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_MESSAGE else f"{line[:_LONGEST_MESSAGE]}..."


def _is_unknown_name(fault: ErrorDetails) -> bool:
    """Whether a fault is an unknown or missing name, which may come from another version of vgbench."""
    cause = fault.get("ctx", {}).get("error")
    return fault["type"] in ("missing", "extra_forbidden") or isinstance(cause, UnknownError)
