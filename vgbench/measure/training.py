"""Training on real data: the learning rate chosen on validation, evaluation seeds reported."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import jax
import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import Field

from vgbench.boundary.schema import NonNegative
from vgbench.data import load_dataset
from vgbench.errors import InputError
from vgbench.measure.bounds import COUNT, METRIC
from vgbench.measure.numerics import numerics
from vgbench.measure.profile import Profile
from vgbench.measure.programs import SNAPSHOT_EVERY
from vgbench.measure.snapshot import Snapshots, profile_of
from vgbench.measure.trainer import Run, Trainer
from vgbench.pictures.display import Displayed
from vgbench.spec.case import Case
from vgbench.spec.metric import ACCURACY, Metric
from vgbench.statistics import Interval, first_over_last, guessing_reaches, t_interval


@dataclass(frozen=True)
class TrainingCurves(Displayed):
    """The choice of the learning rate, and the training of the evaluation seeds at that learning rate.

    Attributes:
        learning_rates: the learning rates tried.
        metric: what the data are judged by: accuracy, or bits per byte.
        tuning_metric: on the validation examples after the last step, [learning_rates, tuning_seeds].
        tuning_diverged: whether the loss became non-finite, [learning_rates, tuning_seeds].
        learning_rate: the chosen one, of best mean `tuning_metric`; the first of equals. It means nothing where
            `none_better_than_chance`.
        target: value of the metric from which a seed counts as trained.
        loss: training loss of every step, [seeds, steps]; NaN to the end once it and the parameters are, since the
            seed is then trained no further.
        step: updates made before each snapshot, 0 and every 25th up to the last, [snapshots].
        validation_metric: on the validation examples, with running statistics, [seeds, snapshots]. If there are more
            than 2,000, all but the last are on a sample of 2,000 of them, the same in all runs.
        snapshots: of the network and its gradient, after each of these steps.
        test_metric: on the test examples after the last step, with running statistics, [seeds].
        chance: the metric of the best constant answer to the validation examples; NaN in records that are older
            than this field.
        guessing: mean `tuning_metric` that is no better than guessing. An accuracy that guessing at the level of chance
            exceeds at any learning rate with a probability of 5 % at most (binomial, with Bonferroni's correction for
            the learning rates); of another metric chance itself; NaN as above.
    """

    learning_rates: tuple[float, ...]
    metric: Metric
    tuning_metric: Annotated[Float[np.ndarray, "learning_rates tuning"], METRIC]
    tuning_diverged: Bool[np.ndarray, "learning_rates tuning"]
    learning_rate: Annotated[float, Field(gt=0)]
    target: Annotated[float, Field(gt=0)]
    loss: Float[np.ndarray, "seeds steps"]
    step: Annotated[Int[np.ndarray, "snapshots"], COUNT]
    validation_metric: Annotated[Float[np.ndarray, "seeds snapshots"], METRIC]
    snapshots: Snapshots
    test_metric: Annotated[Float[np.ndarray, "seeds"], METRIC]
    chance: NonNegative = float("nan")
    guessing: NonNegative = float("nan")

    def chart(self) -> Any:
        """Training loss and validation metric by step as an Altair chart."""
        from vgbench.pictures.single import curves_view, over_seeds

        return curves_view(over_seeds(self.loss, self.step, self.validation_metric), self.metric.name)

    def summary(self) -> str:
        """The outcome of training in one line of words."""
        seeds, steps = self.loss.shape
        reached = f"{self.trained} of {seeds} seeds reach {self.metric.amount(self.target)}"
        found = f"test {self.metric.name} {self.outcome.within('.3f')}"
        return f"Training for {steps} steps at learning rate {self.learning_rate:.2g}: {found}; {reached}"

    def check(self) -> None:
        """Raise `ValueError` if an accuracy, or the target of accuracies, is above 1."""
        if reason := self.metric.refuses(self.target):
            raise ValueError(f"target: {reason}")
        for name in ("tuning_metric", "validation_metric", "test_metric", "chance", "guessing"):
            if reason := self.metric.refuses(float(np.max(getattr(self, name), initial=0))):
                raise ValueError(f"{name}: {reason}")

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
        """Whether no learning rate is better on the validation examples than guessing."""
        if not self.tuning_metric.size:
            return False
        score = self.metric.score
        return bool((score(self.tuning_metric.mean(axis=1)) <= score(self.guessing)).all())

    @property
    def learning_rate_at_edge(self) -> bool:
        """Whether the chosen learning rate is the lowest or highest tried, so that a better one may lie outside."""
        chosen = len(self.learning_rates) > 1 and not self.none_better_than_chance
        return chosen and self.learning_rate in (min(self.learning_rates), max(self.learning_rates))

    @property
    def trained(self) -> int:
        """Number of seeds that reached the target on the test examples."""
        return int(np.sum(self.metric.reached(self.test_metric, self.target)))

    @property
    def log10_first_over_last(self) -> Interval:
        """log10 of ||dL/dh_1|| / ||dL/dh_depth|| after the last step, mean with its t-interval over the seeds."""
        return t_interval(first_over_last(self.snapshots.log10_activation_norm[:, -1]))

    @property
    def reached(self) -> Bool[np.ndarray, "seeds snapshots"]:
        """Where the target was reached on the validation examples."""
        return self.metric.reached(self.validation_metric, self.target)

    @property
    def outcome(self) -> Interval:
        """Mean of the metric on the test examples with its t-interval over the seeds."""
        return t_interval(self.test_metric)


def measure_training(case: Case, *, tuned: TrainingCurves | None = None) -> TrainingCurves:
    """Train the case under the protocol: choose the learning rate on the tuning seeds, report evaluation seeds at that
    learning rate.

    Args:
        case: what is trained.
        tuned: curves of the same case at other evaluation seeds, whose tuning holds for these as well.

    Raises:
        InputError: the case has no training steps, or its data cannot serve it.
    """
    return trained(case, tuned)[0]


def trained(case: Case, tuned: TrainingCurves | None) -> tuple[TrainingCurves, Profile]:
    """The curves of `measure_training`, and the gradient's profile in the first snapshots, as arrays [seeds, ...]."""
    if not case.steps:
        raise InputError("steps: 0 means that this case is not trained")
    dataset = load_dataset(case)
    with numerics(case.dtype, case.matmul_precision):
        trainer = Trainer(case, dataset)
        known = tuned and (tuned.tuning_metric, tuned.tuning_diverged)
        tuning_metric, tuning_diverged = known or _tune(case, trainer)
        best = int(np.argmax(case.metric.score(tuning_metric.mean(axis=1)))) if len(case.learning_rates) > 1 else 0
        rate: float = tuple(case.learning_rates)[best]
        found = trainer.train([Run(rate, seed) for seed in case.seeds], recorded=True)
    targets = np.asarray(dataset.validation.y)
    chance = dataset.objective.chance(targets)
    guessed = guessing_reaches(chance, targets.size, len(case.learning_rates)) if case.metric == ACCURACY else chance
    curves = TrainingCurves(
        learning_rates=case.learning_rates,
        metric=case.metric,
        tuning_metric=tuning_metric,
        tuning_diverged=tuning_diverged,
        learning_rate=rate,
        target=case.target,
        loss=found.loss,
        step=np.append(np.arange(0, case.steps, SNAPSHOT_EVERY), case.steps),
        validation_metric=found.validation_metric,
        test_metric=found.test_metric,
        chance=chance,
        guessing=guessed,
        snapshots=Snapshots.of(found.snapshots),
    )
    return curves, profile_of(jax.tree.map(lambda leaf: leaf[:, 0], found.snapshots))


def _tune(
    case: Case, trainer: Trainer
) -> tuple[Float[np.ndarray, "learning_rates tuning"], Bool[np.ndarray, "learning_rates tuning"]]:
    shape = (len(case.learning_rates), len(case.tuning_seeds))
    if len(case.learning_rates) == 1:  # nothing to choose
        return np.zeros((1, 0), np.float32), np.zeros((1, 0), bool)
    runs = [Run(rate, seed) for rate in case.learning_rates for seed in case.tuning_seeds]
    trained = trainer.train(runs, recorded=False)
    diverged = np.logical_not(np.isfinite(trained.loss).all(axis=1))
    return trained.validation_metric[:, -1].reshape(shape), diverged.reshape(shape)
