"""The case: one frozen, validated description of what is measured."""

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SerializeAsAny, model_validator

from vgbench.boundary.schema import FromRecord
from vgbench.errors import InputError
from vgbench.spec.fingerprint import fingerprint
from vgbench.spec.metric import Metric
from vgbench.spec.registry import (
    ACTIVATIONS,
    CELLS,
    DATA,
    GRADIENT_TRANSFORMS,
    INITIALIZERS,
    LOSS_SCALINGS,
    MODELS,
    NORMS,
    OPTIMIZERS,
    PARAMETRIZATIONS,
    REGISTRIES,
    SCHEDULES,
    SKIPS,
    Choice,
    Strict,
)

_AnyChoice = SerializeAsAny[Choice]
ModelChoice = Annotated[_AnyChoice, BeforeValidator(MODELS.choose)]
ActivationChoice = Annotated[_AnyChoice, BeforeValidator(ACTIVATIONS.choose)]
InitChoice = Annotated[_AnyChoice, BeforeValidator(INITIALIZERS.choose)]
NormChoice = Annotated[_AnyChoice, BeforeValidator(NORMS.choose)]
SkipChoice = Annotated[_AnyChoice, BeforeValidator(SKIPS.choose)]
CellChoice = Annotated[_AnyChoice, BeforeValidator(CELLS.choose)]
GradientTransformChoice = Annotated[_AnyChoice, BeforeValidator(GRADIENT_TRANSFORMS.choose)]
OptimizerChoice = Annotated[_AnyChoice, BeforeValidator(OPTIMIZERS.choose)]
ScheduleChoice = Annotated[_AnyChoice, BeforeValidator(SCHEDULES.choose)]
ParametrizationChoice = Annotated[_AnyChoice, BeforeValidator(PARAMETRIZATIONS.choose)]
LossScalingChoice = Annotated[_AnyChoice, BeforeValidator(LOSS_SCALINGS.choose)]


def _with_digest(choice: Choice, info: Any) -> Choice:
    """Add the hash of the data source's files, unless it is there; for a case from a record no file is read."""
    if getattr(choice, "digest", None) != "" or isinstance(info.context, FromRecord):
        return choice
    try:
        return choice.model_copy(update={"digest": digest_of_files(choice)})
    except OSError as error:
        place = error.filename or choice.options()["path"]
        raise ValueError(f"{place}: cannot be read: {error.strerror}") from None


def digest_of_files(choice: Choice) -> str:
    """The hash of the files that a data source reads: those at its path, or without one those that are installed.

    Raises:
        OSError: they are there and cannot be read.
    """
    path: str | None = choice.options()["path"]
    installed = DATA[choice.name].installed
    return installed(choice) if path is None and installed else fingerprint(str(path))


DataChoice = Annotated[_AnyChoice, BeforeValidator(DATA.choose), AfterValidator(_with_digest)]

_as_tuple = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Seeds = Annotated[tuple[Seed, ...], _as_tuple]
LearningRates = Annotated[tuple[Annotated[float, Field(gt=0)], ...], _as_tuple]
Size = Annotated[int, Field(ge=1, lt=2**31)]
"""The length of an array's axis."""

UNROLLED_UP_TO = 64
"""Depth up to which the plain step is timed with unrolled blocks, as people write them; deeper networks are scanned."""


Affected = Literal["network", "weights", "step", "protocol"]
"""What a field of the case affects: the function that the network computes with given weights, only its initial
weights, the training step, or only the number of runs and how they are judged."""


def _affects(what: Affected, **options: Any) -> Any:
    return Field(json_schema_extra={"affects": what}, **options)


class Case(Strict):
    """What one cell of a suite measures.

    Slots (`model`, `activation`, `init`, `norm`, `skip`, `cell`, `gradient_transform`, `optimizer`, `schedule`,
    `loss_scaling`, `parametrization`, `data`) take the name of a member, or a table with a name and options;
    `vgbench list` shows all members. A model family or a data source may have its own defaults.

    Attributes:
        model: the model family with its options.
        depth: number of hidden layers, including the input layer; in a recurrent network, of time steps.
        width: units per hidden layer.
        learning_rates: the learning rates to choose from, by the validation metric over `tuning_seeds`.
        schedule: the factor of the learning rate at each step after the warm-up.
        warmup_steps: the number of first steps over which the learning rate rises linearly to its value; 0 for none.
        batch_size: examples per step.
        devices: the number of devices of one host that share each batch equally (data parallelism); gradients, norms
            and batch statistics are those of the whole batch.
        dtype: of activations and of the back-propagated gradient. Parameters are drawn and kept in float32 (with dtype
            float64, in float64). With a dtype of 16 bits, each pass computes with a copy of them in that dtype, and the
            optimizer, the loss and running averages stay in float32 (mixed precision, Micikevicius et al. 2018).
        loss_scaling: the factor of the loss of a training step in the backward pass.
        parametrization: how initial scales, multipliers, learning rates, epsilon and weight decay follow width and
            depth, for each group of parameters.
        matmul_precision: of training and timing; gradients at initialisation always use the highest.
        steps: training steps; 0 measures gradients at initialisation and cost only.
        target: the value of the data's metric (an accuracy, or bits per byte of a text) on the test examples after the
            last step from which a run counts as trained.
        seeds: evaluation seeds, which are reported. A seed chooses initial weights, batches and, where the option
            `split_seed` of the data is None, which examples train and which test.
        tuning_seeds: seeds that choose the learning rate; they are never reported.
        coordinate_steps: the number of first steps, at the only learning rate, over which a coordinate check measures
            the output of every module; 0 for no check.
        remat: whether the backward pass recomputes the inner values of every block (or time step) to save memory.
        block_execution: whether blocks are scanned or unrolled. "auto" scans them for gradients and training
            (compilation time is constant in depth), and times them as people run them: unrolled up to depth 64, scanned
            beyond.
    """

    model: ModelChoice = _affects("network", default="mlp", validate_default=True)
    depth: Size = _affects("network", default=16)
    width: Size = _affects("network", default=64)
    activation: ActivationChoice = _affects("network", default="relu", validate_default=True)
    init: InitChoice = _affects("weights", default="he_normal", validate_default=True)
    norm: NormChoice = _affects("network", default="none", validate_default=True)
    skip: SkipChoice = _affects("network", default="none", validate_default=True)
    cell: CellChoice = _affects("network", default="none", validate_default=True)
    gradient_transform: GradientTransformChoice = _affects("step", default="none", validate_default=True)
    optimizer: OptimizerChoice = _affects("step", default="adam", validate_default=True)
    learning_rates: LearningRates = _affects("protocol", default=(3e-4, 1e-3, 3e-3))
    schedule: ScheduleChoice = _affects("step", default="constant", validate_default=True)
    warmup_steps: int = _affects("step", default=0, ge=0, lt=2**31)
    data: DataChoice = _affects("step", default="digits", validate_default=True)
    batch_size: Size = _affects("step", default=128)
    devices: Size = _affects("step", default=1)
    dtype: Literal["float32", "float64", "bfloat16", "float16"] = _affects("network", default="float32")
    loss_scaling: LossScalingChoice = _affects("step", default="none", validate_default=True)
    parametrization: ParametrizationChoice = _affects("network", default="standard", validate_default=True)
    matmul_precision: Literal["default", "high", "highest"] = _affects("step", default="default")
    remat: bool = _affects("step", default=False)
    steps: int = _affects("step", default=500, ge=0, lt=2**31)
    target: float = _affects("protocol", default=0.9, gt=0)
    seeds: Seeds = _affects("protocol", default=(0, 1, 2), min_length=1)
    tuning_seeds: Seeds = _affects("protocol", default=(1000, 1001))
    coordinate_steps: int = _affects("protocol", default=0, ge=0, le=1000)
    block_execution: Literal["auto", "scan", "unroll"] = _affects("network", default="auto")

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, data: Any) -> Any:
        """Fill in the defaults of the model family, and then those of the data source."""
        if not isinstance(data, dict):
            return data
        for slot, registry in (("model", MODELS), ("data", DATA)):
            try:
                choice = registry.choose(data.get(slot, cls.model_fields[slot].default))
            except InputError:  # validation of the field reports it, with its place
                return data
            data = {**registry[choice.name].defaults, **data}
        return data

    @model_validator(mode="after")
    def _check_protocol(self) -> "Case":
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds: {list(self.seeds)} repeats a seed")
        if self.steps and not self.learning_rates:
            raise ValueError("learning_rates: a case that trains (steps > 0) needs at least one learning rate")
        if len(self.learning_rates) > 1 and not self.tuning_seeds and self.steps:
            raise ValueError("tuning_seeds: choosing among several learning rates needs at least one tuning seed")
        if self.coordinate_steps and (len(self.learning_rates) != 1 or self.recurrent):
            needs = "a network of layers, not of time steps" if self.recurrent else "exactly one learning rate"
            raise ValueError(f"coordinate_steps: a coordinate check needs {needs}")
        if self.steps and self.warmup_steps >= self.steps:
            raise ValueError(
                f"warmup_steps: {self.warmup_steps} leaves none of {self.steps} steps at the full learning rate"
            )
        if reason := self.metric.refuses(self.target):
            raise ValueError(f"target: {reason}")
        if self.batch_size % self.devices:
            raise ValueError(f"batch_size: {self.batch_size} cannot be split equally over {self.devices} devices")
        shared = sorted(set(self.seeds) & set(self.tuning_seeds))
        if shared:
            raise ValueError(f"tuning_seeds: {shared} are also in seeds; no seed may be in both")
        return self

    @model_validator(mode="after")
    def _check_combination(self) -> "Case":
        for slot, registry in REGISTRIES.items():
            member = registry[getattr(self, slot).name]
            reason = member.refuses(self) if member.refuses else None
            if reason:
                raise ValueError(f"{slot} {member.name!r}: {reason}")
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # Not checked again on the way to a worker; pickle cannot find the classes of choices in any module.
        return _unpickled, ({name: dict(value) if isinstance(value, Choice) else value for name, value in self},)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> "Case":
        """A copy with some fields changed, which are not checked; its id is its own."""
        copied = super().model_copy(update=update, deep=deep)
        vars(copied).pop("cell_id", None)
        return copied

    @classmethod
    def fields_that_affect(cls, *what: Affected) -> tuple[str, ...]:
        """The names of the fields that affect any of `what`; they decide which cells can share a compiled program."""
        extras = {name: field.json_schema_extra for name, field in cls.model_fields.items()}
        return tuple(name for name, extra in extras.items() if isinstance(extra, dict) and extra["affects"] in what)

    @cached_property
    def cell_id(self) -> str:
        """Hash of the case: 16 hexadecimal digits, independent of the order of fields, the suite and the device.

        Evaluation seeds do not enter, since a record can be extended by more of them. Data files enter by their
        content, not by their path.
        """
        return case_id(self.model_dump(mode="json"))

    @property
    def metric(self) -> Metric:
        """What its answers to held-out examples are judged by."""
        return DATA[self.data.name].metric

    @property
    def recurrent(self) -> bool:
        """Whether its layers are time steps."""
        return self.cell.name != "none"

    @property
    def scanned(self) -> bool:
        """Whether blocks are scanned for gradients and training."""
        return self.block_execution != "unroll"

    @property
    def timed_form(self) -> Literal["scan", "unroll"]:
        """The block execution with which the plain step is timed."""
        if self.block_execution == "auto":
            return "unroll" if self.depth <= UNROLLED_UP_TO else "scan"
        return self.block_execution


def _unpickled(fields: Mapping[str, Any]) -> Case:
    members = {slot: registry[fields[slot]["name"]] for slot, registry in REGISTRIES.items()}
    choices = {slot: member.choice.model_construct(**fields[slot]) for slot, member in members.items()}
    return Case.model_construct(**{**fields, **choices})


def case_id(content: Mapping[str, Any], *, with_seeds: bool = False) -> str:
    """The cell id of a case that is given as JSON, with the fields of the version that wrote it.

    Args:
        content: the case.
        with_seeds: whether the evaluation seeds enter, as in records of earlier versions.
    """
    data = content["data"]
    if data.get("digest"):
        data = {name: value for name, value in data.items() if name != "path"}
    counted = {name: value for name, value in content.items() if name != "seeds" or with_seeds}
    return content_id({**counted, "data": data})


def content_id(content: object) -> str:
    """Hash JSON-like `content`: 16 hexadecimal digits of SHA-256 over its canonical text."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
