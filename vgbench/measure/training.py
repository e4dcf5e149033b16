"""Training on real data: the learning rate chosen on validation, evaluation seeds reported."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Float64, Int
from pydantic import Field

from vgbench.boundary.schema import Each, Share
from vgbench.data import load_dataset
from vgbench.errors import InputError
from vgbench.instruments.probe import log10_norms
from vgbench.measure.gradients import LOG10
from vgbench.measure.numerics import numerics
from vgbench.measure.profile import Norms, on_host, ratio
from vgbench.measure.programs import RECORD_EVERY
from vgbench.measure.snapshot import Snapshot
from vgbench.measure.trainer import Run, Trainer
from vgbench.pictures.display import Displayed
from vgbench.spec.case import Case
from vgbench.statistics import Interval, first_over_last, guessing_reaches, t_interval

ACCURACY = Each(0, 1)
SHARE = Each(0, 1, nan=True)
COUNTS = Each(0, 2**53)
RATIO = Each(0, 1e300, infinite=True, nan=True)
"""Bounds of what training records; a share or a ratio of nothing is NaN."""


@dataclass(frozen=True)
class TrainingCurves(Displayed):
    """What training showed: the choice of the learning rate, and the evaluation seeds at that learning rate.

    A record shows the state after so many updates on one batch, the seed's first one, in training mode: the same inputs
    in every record, and at step 0 the state and the batch of `measure_gradients`. Where a state is no longer finite,
    its record says so. `depth` counts layers, or the time steps of a recurrent network; `layers` those with weights of
    their own: all layers and the output layer, or the cells and the output layer.

    Attributes:
        learning_rates: the learning rates tried.
        tuning_accuracy: validation accuracy after the last step, [learning_rates, tuning_seeds].
        tuning_diverged: whether the loss became non-finite, [learning_rates, tuning_seeds].
        learning_rate: the chosen one, of highest mean `tuning_accuracy`; the first of equals. It tells nothing where
            `none_better_than_chance`.
        target: accuracy from which a seed counts as trained.
        loss: training loss of every step, [seeds, steps].
        step: updates made before each record, 0 and every 25th up to the last, [records].
        validation_accuracy: with running statistics, [seeds, records].
        log10_activation_norm: log10 ||dL/dh_l||, float64[seeds, records, depth]; exact as in `GradientProfile`.
        log10_parameter_norm: log10 ||dL/dW_l||, the output layer last, float64[seeds, records, layers]; equally exact.
        log10_state_norm: as in `GradientProfile`, float64[seeds, records, depth, states].
        log10_kind_norm: as in `GradientProfile`, float64[seeds, records, depth, kinds].
        gradient_histogram: counts of log2|g| over the entries g of dL/dW_l as the optimizer gets it, plain
            backpropagation's, int32[seeds, records, layers, bins]; `GRADIENT_BINS` in `snapshot.py` says which bins.
        zero_share: share of the entries of dL/dW_l that are exactly 0, [seeds, records, layers].
        subnormal_share: share of those that are below the dtype's smallest normal number, zeros included, as
            backpropagation gives them with the loss scale; the same shape.
        update_to_weight: ||update|| / ||W_l|| of the update that the optimizer would make next, float64[seeds, records,
            layers]; infinite where W_l is 0.
        log10_weight_norm: log10 ||W_l||, float64[seeds, records, layers].
        displacement: ||W_l - its initial value|| / ||its initial value||, float64[seeds, records, layers]; of a
            layer that starts at 0, NaN until it moves and infinite after.
        preactivation_mean: mean of a layer's pre-activations over units and examples, [seeds, records, depth]; NaN, as
            the next four, where a layer has no activation.
        preactivation_variance: their variance, the same shape.
        mean_slope: mean `|phi'|`, the same shape.
        saturated: share of units and examples where `|phi'|` is below 5 % of its largest value, the same shape.
        dead: share of units that are so for every example, the same shape.
        loss_scale: what the loss is multiplied by, [seeds, records].
        skipped_steps: steps so far that dynamic loss scaling left out, [seeds, records].
        test_accuracy: after the last step, with running statistics, [seeds].
        chance: validation accuracy of the best constant answer; NaN in records that are older than this field.
        guessing: mean `tuning_accuracy` that guessing at the level of chance exceeds at any learning rate with a
            probability of 5 % at most (binomial, with Bonferroni's correction for the learning rates); NaN as above.
    """

    learning_rates: tuple[float, ...]
    tuning_accuracy: Annotated[Float[np.ndarray, "learning_rates tuning"], ACCURACY]
    tuning_diverged: Bool[np.ndarray, "learning_rates tuning"]
    learning_rate: Annotated[float, Field(gt=0)]
    target: Annotated[float, Field(gt=0, le=1)]
    loss: Float[np.ndarray, "seeds steps"]
    step: Annotated[Int[np.ndarray, "records"], COUNTS]
    validation_accuracy: Annotated[Float[np.ndarray, "seeds records"], ACCURACY]
    log10_activation_norm: Annotated[Float64[np.ndarray, "seeds records depth"], LOG10]
    log10_parameter_norm: Annotated[Float64[np.ndarray, "seeds records layers"], LOG10]
    log10_state_norm: Annotated[Float64[np.ndarray, "seeds records depth states"], LOG10]
    log10_kind_norm: Annotated[Float64[np.ndarray, "seeds records depth kinds"], LOG10]
    gradient_histogram: Annotated[Int[np.ndarray, "seeds records layers bins"], COUNTS]
    zero_share: Annotated[Float[np.ndarray, "seeds records layers"], SHARE]
    subnormal_share: Annotated[Float[np.ndarray, "seeds records layers"], SHARE]
    update_to_weight: Annotated[Float64[np.ndarray, "seeds records layers"], RATIO]
    log10_weight_norm: Annotated[Float64[np.ndarray, "seeds records layers"], LOG10]
    displacement: Annotated[Float64[np.ndarray, "seeds records layers"], RATIO]
    preactivation_mean: Float[np.ndarray, "seeds records depth"]
    preactivation_variance: Annotated[Float[np.ndarray, "seeds records depth"], RATIO]
    mean_slope: Annotated[Float[np.ndarray, "seeds records depth"], RATIO]
    saturated: Annotated[Float[np.ndarray, "seeds records depth"], SHARE]
    dead: Annotated[Float[np.ndarray, "seeds records depth"], SHARE]
    loss_scale: Annotated[Float[np.ndarray, "seeds records"], Each(1e-30, 1e30)]
    skipped_steps: Annotated[Int[np.ndarray, "seeds records"], COUNTS]
    test_accuracy: Annotated[Float[np.ndarray, "seeds"], ACCURACY]
    chance: Share = float("nan")
    guessing: Share = float("nan")

    def chart(self) -> Any:
        """Training loss and validation accuracy by step as an Altair chart."""
        from vgbench.pictures.single import curves_view, over_seeds

        return curves_view(over_seeds(self.loss, self.step, self.validation_accuracy))

    def summary(self) -> str:
        """The outcome of training in one line of words."""
        seeds, steps = self.loss.shape
        reached = f"{self.trained} of {seeds} seeds reach {self.target:.0%}"
        accuracy = self.accuracy.within(".3f")
        return (
            f"Training for {steps} steps at learning rate {self.learning_rate:.2g}: test accuracy {accuracy}; {reached}"
        )

    @property
    def diverged(self) -> Bool[np.ndarray, "seeds"]:
        """Whether a seed's loss became non-finite."""
        return np.asarray(~np.isfinite(self.loss).all(axis=1))

    @property
    def status(self) -> Literal["ok", "diverged"]:
        """`diverged` where every seed did, at every learning rate."""
        return "diverged" if self.diverged.all() and self.tuning_diverged.all() else "ok"

    @property
    def divergence(self) -> str:
        """How many runs had a loss that became non-finite, in words; empty if none had."""
        parts, lost = [], self.tuning_diverged
        if self.diverged.any():
            parts.append(f"{self.diverged.sum()} of {len(self.diverged)} seeds at the chosen learning rate")
        if lost.any():
            parts.append(
                f"{lost.sum()} of {lost.size} tuning runs ({lost.any(axis=1).sum()} of {len(lost)} learning rates)"
            )
        return f"the loss became non-finite in {' and in '.join(parts)}" if parts else ""

    @property
    def none_better_than_chance(self) -> bool:
        """Whether no learning rate has a validation accuracy above what guessing reaches."""
        return self.tuning_accuracy.size > 0 and bool((self.tuning_accuracy.mean(axis=1) <= self.guessing).all())

    @property
    def learning_rate_at_edge(self) -> bool:
        """Whether the chosen learning rate is the lowest or highest tried, so that a better one may lie outside."""
        chosen = len(self.learning_rates) > 1 and not self.none_better_than_chance
        return chosen and self.learning_rate in (min(self.learning_rates), max(self.learning_rates))

    @property
    def trained(self) -> int:
        """Number of seeds whose test accuracy reached the target."""
        return int(np.sum(self.test_accuracy >= self.target))

    @property
    def log10_first_over_last(self) -> Interval:
        """log10 of ||dL/dh_1|| / ||dL/dh_depth|| after the last step, mean with its t-interval over the seeds."""
        return t_interval(first_over_last(self.log10_activation_norm[:, -1]))

    @property
    def accuracy(self) -> Interval:
        """Mean test accuracy with its t-interval over the seeds."""
        return t_interval(self.test_accuracy)


def measure_training(case: Case) -> TrainingCurves:
    """Train the case under the protocol: choose the learning rate on the tuning seeds, report evaluation seeds at that
    learning rate.

    Raises:
        InputError: the case has no training steps, or its data cannot serve it.
    """
    if not case.steps:
        raise InputError("steps: 0 means that this case is not trained")
    dataset = load_dataset(case)
    with numerics(case.dtype, case.matmul_precision):
        trainer = Trainer(case, dataset)
        tuning_accuracy, tuning_diverged = _tune(case, trainer)
        best = int(np.argmax(tuning_accuracy.mean(axis=1))) if len(case.learning_rates) > 1 else 0
        rate: float = tuple(case.learning_rates)[best]
        loss, records = trainer.train([Run(rate, seed) for seed in case.seeds], recorded=True)
    wanted = np.asarray(dataset.validation.y)
    chance = dataset.objective.chance(wanted)
    return TrainingCurves(
        learning_rates=case.learning_rates,
        tuning_accuracy=tuning_accuracy,
        tuning_diverged=tuning_diverged,
        learning_rate=rate,
        target=case.target,
        loss=loss,
        step=np.append(np.arange(0, case.steps, RECORD_EVERY), case.steps),
        validation_accuracy=np.asarray(records.validation_accuracy),
        test_accuracy=np.asarray(records.test_accuracy)[:, -1],
        chance=chance,
        guessing=guessing_reaches(chance, wanted.size, len(case.learning_rates)),
        **_told(records.snapshot),
    )


def _told(seen: Snapshot) -> dict[str, Any]:
    """The fields of `TrainingCurves` that snapshots [seeds, records] tell."""
    activation, parameter, state, kind = map(on_host, seen.profile[:4])
    weight, moved, update = map(on_host, (seen.weights.norm, seen.weights.displacement, seen.weights.update))
    initial = Norms(weight.mantissa[:, :1], weight.exponent[:, :1])
    given = seen.preactivation
    return {
        "log10_activation_norm": log10_norms(*activation),
        "log10_parameter_norm": log10_norms(*parameter),
        "log10_state_norm": log10_norms(*state),
        "log10_kind_norm": log10_norms(*kind),
        "gradient_histogram": np.asarray(seen.weights.histogram),
        "zero_share": np.asarray(seen.weights.zeros),
        "subnormal_share": np.asarray(seen.weights.subnormal),
        "update_to_weight": ratio(update, weight),
        "log10_weight_norm": log10_norms(*weight),
        "displacement": ratio(moved, initial),
        "preactivation_mean": np.asarray(given.mean),
        "preactivation_variance": np.asarray(given.variance),
        "mean_slope": np.asarray(given.slope),
        "saturated": np.asarray(given.saturated),
        "dead": np.asarray(given.dead),
        "loss_scale": np.asarray(seen.loss_scale),
        "skipped_steps": np.asarray(seen.skipped),
    }


def _tune(
    case: Case, trainer: Trainer
) -> tuple[Float[np.ndarray, "learning_rates tuning"], Bool[np.ndarray, "learning_rates tuning"]]:
    shape = (len(case.learning_rates), len(case.tuning_seeds))
    if len(case.learning_rates) == 1:  # nothing to choose
        return np.zeros((1, 0), np.float32), np.zeros((1, 0), bool)
    runs = [Run(rate, seed) for rate in case.learning_rates for seed in case.tuning_seeds]
    loss, records = trainer.train(runs, recorded=False)
    diverged = np.logical_not(np.isfinite(loss).all(axis=1))
    return np.asarray(records.validation_accuracy)[:, -1].reshape(shape), diverged.reshape(shape)
