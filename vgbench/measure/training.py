"""Training on real data: the learning rate chosen on validation, evaluation seeds reported."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import Field

from vgbench.boundary.schema import Share
from vgbench.data import load_dataset
from vgbench.errors import InputError
from vgbench.measure.bounds import ACCURACY, COUNT
from vgbench.measure.numerics import numerics
from vgbench.measure.programs import SNAPSHOT_EVERY
from vgbench.measure.snapshot import Snapshots
from vgbench.measure.trainer import Run, Trainer
from vgbench.pictures.display import Displayed
from vgbench.spec.case import Case
from vgbench.statistics import Interval, first_over_last, guessing_reaches, t_interval


@dataclass(frozen=True)
class TrainingCurves(Displayed):
    """The choice of the learning rate, and the training of the evaluation seeds at that learning rate.

    Attributes:
        learning_rates: the learning rates tried.
        tuning_accuracy: validation accuracy after the last step, [learning_rates, tuning_seeds].
        tuning_diverged: whether the loss became non-finite, [learning_rates, tuning_seeds].
        learning_rate: the chosen one, of highest mean `tuning_accuracy`; the first of equals. It means nothing where
            `none_better_than_chance`.
        target: accuracy from which a seed counts as trained.
        loss: training loss of every step, [seeds, steps].
        step: updates made before each snapshot, 0 and every 25th up to the last, [snapshots].
        validation_accuracy: with running statistics, [seeds, snapshots].
        snapshots: of the network and its gradient, after each of these steps.
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
    step: Annotated[Int[np.ndarray, "snapshots"], COUNT]
    validation_accuracy: Annotated[Float[np.ndarray, "seeds snapshots"], ACCURACY]
    snapshots: Snapshots
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
        return t_interval(first_over_last(self.snapshots.log10_activation_norm[:, -1]))

    @property
    def accuracy(self) -> Interval:
        """Mean test accuracy with its t-interval over the seeds."""
        return t_interval(self.test_accuracy)


def measure_training(case: Case, *, tuned: TrainingCurves | None = None) -> TrainingCurves:
    """Train the case under the protocol: choose the learning rate on the tuning seeds, report evaluation seeds at that
    learning rate.

    Args:
        case: what is trained.
        tuned: curves of the same case at other evaluation seeds, whose tuning holds for these as well.

    Raises:
        InputError: the case has no training steps, or its data cannot serve it.
    """
    if not case.steps:
        raise InputError("steps: 0 means that this case is not trained")
    dataset = load_dataset(case)
    with numerics(case.dtype, case.matmul_precision):
        trainer = Trainer(case, dataset)
        known = tuned and (tuned.tuning_accuracy, tuned.tuning_diverged)
        tuning_accuracy, tuning_diverged = known or _tune(case, trainer)
        best = int(np.argmax(tuning_accuracy.mean(axis=1))) if len(case.learning_rates) > 1 else 0
        rate: float = tuple(case.learning_rates)[best]
        loss, evaluations = trainer.train([Run(rate, seed) for seed in case.seeds], recorded=True)
    targets = np.asarray(dataset.validation.y)
    chance = dataset.objective.chance(targets)
    return TrainingCurves(
        learning_rates=case.learning_rates,
        tuning_accuracy=tuning_accuracy,
        tuning_diverged=tuning_diverged,
        learning_rate=rate,
        target=case.target,
        loss=loss,
        step=np.append(np.arange(0, case.steps, SNAPSHOT_EVERY), case.steps),
        validation_accuracy=np.asarray(evaluations.validation_accuracy),
        test_accuracy=np.asarray(evaluations.test_accuracy)[:, -1],
        chance=chance,
        guessing=guessing_reaches(chance, targets.size, len(case.learning_rates)),
        snapshots=Snapshots.of(evaluations.snapshot),
    )


def _tune(
    case: Case, trainer: Trainer
) -> tuple[Float[np.ndarray, "learning_rates tuning"], Bool[np.ndarray, "learning_rates tuning"]]:
    shape = (len(case.learning_rates), len(case.tuning_seeds))
    if len(case.learning_rates) == 1:  # nothing to choose
        return np.zeros((1, 0), np.float32), np.zeros((1, 0), bool)
    runs = [Run(rate, seed) for rate in case.learning_rates for seed in case.tuning_seeds]
    loss, evaluations = trainer.train(runs, recorded=False)
    diverged = np.logical_not(np.isfinite(loss).all(axis=1))
    return np.asarray(evaluations.validation_accuracy)[:, -1].reshape(shape), diverged.reshape(shape)
