"""A recorder for training loops of any framework: the optimizer passes through it, records come out."""

import re
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import optax
import pandas as pd
from flax import nnx

from vgbench.boundary.run_file import Header, Record, Run
from vgbench.boundary.run_lines import write_run
from vgbench.errors import InputError
from vgbench.instruments.model import opened
from vgbench.instruments.profiling import moments_of
from vgbench.instruments.tree import in_order, is_parameter
from vgbench.instruments.watch import Watched, find, record_of, seen_in, watching
from vgbench.recording.compiled_step import CompiledStep, scanned
from vgbench.recording.flat import frame_of, scalars_of
from vgbench.recording.probe_batch import ProbeBatch, probe_batch

if TYPE_CHECKING:
    import altair as alt

    from vgbench.diagnosis import Diagnosis


class Recorder:
    """An optimizer whose updates are the same, and that records what a training run shows.

    It is put where the optimizer was: `state = recorder.init(params)` and `updates, state = recorder.update(gradients,
    state, params, value=loss)`, under jit, in a scan, in `nnx.Optimizer`. Every `every` steps the state keeps, on the
    device, the losses since the record before, norms of gradient, weights and update of every array of weights, their
    cosine, how far the weights have moved, updates that the dtype rounds away, and the step at which numbers first
    were not finite; with a probe batch also what `vgbench.profile` reads of every module. `read(state)` takes the
    records out of the state; a step that was made by `jit` hands them over by itself, and costs next to nothing while
    no record is due.

    Layers and modules are in the order of the forward pass, if there is a probe batch to trace it on.

    Attributes:
        optimizer: the recorded optimizer as a transformation of optax, for those that ask for one, such as
            `optax.MultiSteps`.
    """

    def __init__(
        self,
        model_or_fn: Any,
        optimizer: optax.GradientTransformation,
        *,
        loss: Callable[[Any, Any], Any] | None = None,
        batch: Any = None,
        every: int = 50,
        keep: int = 200,
        stacked: Collection[str] = (),
        modules: str = "",
        learning_rate: float | Callable[[int], Any] | None = None,
        classes: int | None = None,
        chance_loss: float | None = None,
        chance_accuracy: float | None = None,
    ) -> None:
        """Make a recorder.

        Args:
            model_or_fn: a model, such as a Flax NNX or an Equinox module, or a function (params, batch) -> loss of what
                the optimizer's updates get as parameters, for Linen, Haiku and plain JAX.
            optimizer: the optimizer, the whole chain.
            loss: (model, batch) -> loss, where a model is given.
            batch: the probe batch, which modules are recorded on; without it they are not.
            every: steps from one record to the next.
            keep: records that the optimizer's state keeps until `read` takes them out.
            stacked: keys of parameters whose leading axis counts layers, as scanned ones have it.
            modules: a regular expression; modules are recorded whose name it is found in.
            learning_rate: of every step, or a schedule, for the records; what `optax.inject_hyperparams` holds is found
                by itself.
            classes: that a classifier tells apart, for the header of the run file.
            chance_loss: loss of the best constant answer; ln(classes) where only `classes` is given.
            chance_accuracy: accuracy of the best constant answer; 1 / classes where only `classes` is given.

        Raises:
            InputError: `every` or `keep` is not positive, a function comes with `loss`, or a model with a batch and
                without `loss`.
        """
        if every < 1 or keep < 1:
            raise InputError(f"Recorder: every and keep must be at least 1, not {every} and {keep}")
        is_model = any(map(is_parameter, jax.tree.leaves(model_or_fn)))
        if is_model is (loss is None) and (batch is not None or not is_model):
            raise InputError("Recorder: needs a model and `loss`, or a function (params, batch) -> loss alone")
        self._is_model, self._loss = is_model, model_or_fn if loss is None else loss
        self._batch, self._every, self._keep = batch, every, keep
        self._chosen, self._learning_rate = _pattern(modules), learning_rate
        self._levels = _levels(classes, chance_loss, chance_accuracy)
        self._probe: ProbeBatch | None = None
        self._records: dict[int, Record] = {}
        self._pending: list[Watched] = []
        model = opened(model_or_fn) if is_model else None
        if model is not None and batch is not None:
            self._probe = probe_batch(model, self._loss, batch)
        self._framework = None if model is None else model.framework
        self.optimizer = watching(optimizer, every, keep, stacked, displacement=True, extra=self._extra)

    def _extra(self, parameters: Any) -> Any:
        return None if self._probe is None else self._probe.read(parameters)

    def init(self, params: optax.Params) -> optax.OptState:
        """The state of the recorded optimizer, as `optax` has it, with a sample of the weights in it."""
        if not self._is_model and self._batch is not None:
            self._probe = probe_batch(opened(params), self._loss, self._batch)
            self._framework = self._probe.model.framework
        return self.optimizer.init(params)

    def update(
        self, gradients: optax.Updates, state: optax.OptState, params: optax.Params | None = None, **extra: Any
    ) -> tuple[optax.Updates, optax.OptState]:
        """The optimizer's updates, and its state with a record where one is due.

        Give it the loss, `value=loss`, and the parameters.
        """
        return self.optimizer.update(gradients, state, params, **extra)

    def jit(self, step: Callable[..., Any], jit: Callable[..., Any] = jax.jit, **options: Any) -> CompiledStep:
        """Compile a training step twice: plain, and with a record, which is called every `every` calls.

        Args:
            step: a function that calls `update` once.
            jit: what compiles it: `jax.jit`, `nnx.jit` or `eqx.filter_jit`.
            options: of `jit`.

        Returns:
            A function like `step`, whose first call makes a record. Its records need no `read`.
        """
        return CompiledStep(step, jit, options, self._every, self._take)

    def scan(self, step: Callable[[Any, Any], Any], carry: Any, xs: Any = None, length: int | None = None) -> Any:
        """`jax.lax.scan` over steps of training, in rounds of `every` of which the first step makes a record.

        A step inside `jax.lax.scan` itself asks at each turn whether a record is due, and holds its update for it.

        Args:
            step: (carry, x) -> (carry, y), which calls `update` once.
            carry: with the state of an optimizer that has made a multiple of `every` updates, such as none.
            xs: what is scanned over.
            length: how many steps, where `xs` does not say.

        Returns:
            The last carry and all y. `read` takes the records out of the state in the carry.
        """
        return scanned(step, self._every, carry, xs, length)

    def _take(self, made: Watched) -> None:
        self._pending.append(made)
        if len(self._pending) >= self._keep:
            self._drain()

    def _drain(self) -> None:
        pending, self._pending = self._pending, []
        for each in pending:
            self._keep_records(each)

    def _keep_records(self, found: Watched) -> None:
        names = in_order([row.name for row in found.layout.rows], [])
        if self._probe is not None:
            names.sort(key=self._probe.depth)
        for seen in seen_in(found):
            self._keep_record(record_of(seen, found.layout, names), seen.modules)

    def _keep_record(self, record: Record, read: Any) -> None:
        modules = {} if self._probe is None else self._probe.modules(read)
        rate = record.learning_rate if self._learning_rate is None else _at(self._learning_rate, record.step)
        self._records[record.step] = replace(
            record,
            modules={name: each for name, each in modules.items() if self._chosen.search(name)},
            learning_rate=rate,
        )

    def read(self, state: Any) -> None:
        """Take the records that a state keeps to the host; those of earlier calls stay.

        Args:
            state: the optimizer's state, or any tree that holds it, such as an `nnx.Optimizer`.

        Raises:
            InputError: nothing is recorded in it.
        """
        self._keep_records(find(nnx.as_pure(getattr(state, "opt_state", state))))

    def note(self, step: int, *, accuracy: float | None = None, validation_loss: float | None = None) -> None:
        """Add what was measured on validation data to the last record at or before a step.

        Raises:
            InputError: there is no such record.
        """
        self._drain()
        before = [each for each in self._records if each <= step]
        if not before:
            raise InputError(f"Recorder: no record at or before step {step} to note this at; `read` the state first")
        noted = {"accuracy": accuracy, "validation_loss": validation_loss}
        given = {name: float(value) for name, value in noted.items() if value is not None}
        self._records[max(before)] = replace(self._records[max(before)], **given)

    @property
    def run(self) -> Run:
        """All that was recorded, as a run file has it.

        Raises:
            InputError: nothing was.
        """
        self._drain()
        if not self._records:
            raise InputError("Recorder: no records; recorder.read(state) takes them out of the optimizer's state")
        records = tuple(self._records[step] for step in sorted(self._records))
        probe = self._probe
        header = Header(
            framework=self._framework,
            dtype=probe.dtype if probe is not None else _dtype(records[0]),
            every=self._every,
            batch={} if self._batch is None else moments_of(self._batch),
            **self._levels,
        )
        return Run(header, records)

    def save(self, path: str | Path) -> None:
        """Write the run file, which `vgbench diagnose` reads."""
        write_run(Path(path), self.run)

    def diagnose(self) -> "Diagnosis":
        """What `vgbench.diagnose` says of the run."""
        from vgbench.diagnosis import diagnose

        return diagnose(self.run)

    def scalars(self) -> list[tuple[int, dict[str, float]]]:
        """For each record its step and its numbers in a flat dictionary, as loggers take them."""
        return [(record.step, scalars_of(record)) for record in self.run.records]

    def frame(self) -> pd.DataFrame:
        """A row for each layer and module at each record."""
        return frame_of(self.run.records)

    def plot(self, field: str | None = None) -> "alt.Chart":
        """A field by place and step: dL/dh of the modules, where they are recorded, or else the weights' gradients."""
        from vgbench.pictures.places import by_place_and_step

        frame = self.frame()
        shown = field or ("signal" if bool(frame["signal"].notna().to_numpy().any()) else "gradient")
        rows = frame.dropna(subset=shown)
        return by_place_and_step(rows, shown, f"{shown} by place and step")


def _at(rate: float | Callable[[int], Any], step: int) -> float:
    return float(rate(step) if callable(rate) else rate)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise InputError(f"Recorder: modules: {text!r} is no regular expression: {error}") from None


def _levels(classes: int | None, loss: float | None, accuracy: float | None) -> dict[str, Any]:
    if classes:
        loss = float(np.log(classes)) if loss is None else loss
        accuracy = 1 / classes if accuracy is None else accuracy
    return {"classes": classes, "chance_loss": loss, "chance_accuracy": accuracy}


def _dtype(record: Record) -> str | None:
    """The narrowest dtype of the weights."""
    dtypes = {each.dtype for each in record.layers.values() if each.dtype is not None}
    return min(dtypes, key=lambda name: (jax.numpy.finfo(name).bits, name != "float16"), default=None)
