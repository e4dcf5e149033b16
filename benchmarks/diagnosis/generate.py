"""Train the corpus, many runs side by side wherever they share a compiled program, and keep what is read."""

import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from corpus import Build, Fault
from outcome import Outcome

import vgbench as vg
from vgbench.data import Dataset, batch_indices, load_dataset
from vgbench.diagnosis.measured import from_curves
from vgbench.measure.draw import draw, traced_options_of, training_of
from vgbench.measure.forward import measure_forward, unfit
from vgbench.measure.numerics import numerics
from vgbench.measure.programs import SNAPSHOT_EVERY, Programs, Splits, programs_of, splits_of
from vgbench.measure.snapshot import Snapshot, Snapshots
from vgbench.measure.step import start
from vgbench.measure.training import TrainingCurves
from vgbench.models import build_network
from vgbench.models.network import Variables
from vgbench.spec.registry import GRADIENT_TRANSFORMS

RUNS_TOGETHER = 24
"""Runs of one call; groups are filled up to it, so that each program is compiled once."""
CHANCE = {"digits": (float(np.log(10)), 0.1), "adding": (1 / 6, 0.08)}
"""Loss and accuracy of the best constant answer."""


@GRADIENT_TRANSFORMS.register(source="the corpus", scope="global")
def frozen(*, layers: int) -> optax.GradientTransformation:
    """The user's own mask: the input layer and the first blocks do not move."""

    def mask(gradients: Any, _: Any) -> Any:
        def block(leaf: jax.Array) -> jax.Array:
            keep = jnp.arange(len(leaf)) >= layers - 1
            return leaf * keep.reshape(-1, *[1] * (leaf.ndim - 1))

        input_layer = jax.tree.map(jnp.zeros_like, gradients["input_layer"])
        return {**gradients, "input_layer": input_layer, "blocks": jax.tree.map(block, gradients["blocks"])}

    return optax.stateless(mask)


@GRADIENT_TRANSFORMS.register(source="the corpus", scope="element")
def half(*, loss_scale: float) -> optax.GradientTransformation:
    """Gradients of a loss at this scale as float16 holds them, scaled back."""

    def rounded(gradient: jax.Array) -> jax.Array:
        return (gradient * loss_scale).astype(jnp.float16).astype(gradient.dtype) / loss_scale

    return optax.stateless(lambda gradients, _: jax.tree.map(rounded, gradients))


class Job(NamedTuple):
    """A run to be made."""

    case: vg.Case
    fault: Fault


def jobs_of(build: Build) -> list[Job]:
    """The run, and the one that its intervention changes it to."""
    own = Job(build.case, build.fault)
    if build.cure is None:
        return [own]
    changed = build.case.model_dump(mode="json") | {
        "seeds": list(build.case.seeds),
        "learning_rates": list(build.case.learning_rates),
    }
    return [own, Job(vg.Case(**changed | build.cure), build.cured)]


def train(jobs: Sequence[Job]) -> dict[Job, Outcome]:
    """Train all jobs, those of a program together."""
    groups: dict[Any, list[Job]] = defaultdict(list)
    for job in dict.fromkeys(jobs):
        groups[(training_of(job.case), job.fault.random_labels)].append(job)
    found: dict[Job, Outcome] = {}
    for number, ((_, random), members) in enumerate(groups.items(), start=1):
        print(f"group {number} of {len(groups)}: {len(members)} runs", file=sys.stderr, flush=True)
        case = members[0].case
        with numerics(case.dtype, case.matmul_precision):
            programs = programs_of(case, runs=RUNS_TOGETHER)
        parts = [members[first : first + RUNS_TOGETHER] for first in range(0, len(members), RUNS_TOGETHER)]
        for part in parts:  # in one thread: programs of two have been seen to wait for each other for ever
            found |= dict(zip(part, _train(part, programs=programs, random=random), strict=True))
    return found


def _train(jobs: list[Job], *, programs: Programs, random: bool) -> list[Outcome]:
    case = jobs[0].case
    dataset = load_dataset(case)
    filled = [*jobs, *[jobs[-1]] * (RUNS_TOGETHER - len(jobs))]
    with numerics(case.dtype, case.matmul_precision):
        network = build_network(case, dataset.problem)
        data, traced_options = _data(case, filled, dataset, random=random), traced_options_of(case)
        drawn = [_drawn(job, dataset) for job in filled]
        variables = jax.tree.map(lambda *leaves: jnp.stack(leaves), *drawn)
        learning_rates = np.asarray([job.case.learning_rates[0] for job in filled], np.float32)
        state = jax.vmap(partial(start, network, case))(variables, learning_rates)
        initial = jax.tree.map(jnp.copy, variables.params)
        batches = np.stack(
            [batch_indices(dataset.train.examples, case.batch_size, case.steps, job.case.seeds[0]) for job in filled]
        )
        losses, records, (train, validation, test) = [], [], data

        def record() -> None:
            look = programs.look(state, initial, learning_rates, traced_options, batches[:, 0], train)
            metric = programs.judge[validation.x.shape[-2]](state.variables, validation)
            records.append(jax.device_get((metric, look)))

        for begin in range(0, case.steps, SNAPSHOT_EVERY):
            record()
            chunk = batches[:, begin : begin + SNAPSHOT_EVERY]
            state, loss = programs.advance[chunk.shape[1]](state, learning_rates, traced_options, chunk, train)
            losses.append(np.asarray(loss))
        record()
        tested = np.asarray(programs.judge[test.x.shape[-2]](state.variables, test))
    metrics, snapshots = jax.tree.map(lambda *each: np.stack(each, axis=1), *records)
    lost = np.concatenate(losses, axis=1)
    step = np.append(np.arange(0, case.steps, SNAPSHOT_EVERY), case.steps)
    return [
        _outcome(job, *jax.tree.map(lambda leaf, i=i: leaf[[i]], (lost, metrics, tested, snapshots)), step)
        for i, job in enumerate(jobs)
    ]


def _data(case: vg.Case, jobs: Sequence[Job], dataset: Dataset, *, random: bool) -> Splits:
    """The splits that all jobs share, or with a leading axis of runs those of each one's seed."""

    def labelled(dataset: Dataset) -> Splits:
        if random:
            labels = np.random.default_rng(7).permutation(np.asarray(dataset.train.y))
            dataset = dataset._replace(train=dataset.train._replace(y=labels))
        return splits_of(case, dataset)

    if dataset.resplit is None:
        return labelled(dataset)
    own = {seed: labelled(dataset.of_seed(seed)) for seed in {job.case.seeds[0] for job in jobs}}
    return jax.tree.map(lambda *runs: jnp.stack(runs), *(own[job.case.seeds[0]] for job in jobs))


def _drawn(job: Job, dataset: Dataset) -> Variables:
    network = build_network(job.case, dataset.problem)  # its own, since a network draws by its case's init
    return _faulty(draw(job.case, network, dataset, job.case.seeds[0]), job.fault)


def _faulty(variables: Variables, fault: Fault) -> Variables:
    if not fault.bias:
        return variables

    def shifted(path: Any, leaf: jax.Array) -> jax.Array:
        return leaf + fault.bias if "bias" in jax.tree_util.keystr(path) else leaf

    hidden = {name: variables.params[name] for name in ("input_layer", "blocks")}
    return variables._replace(params=variables.params | jax.tree_util.tree_map_with_path(shifted, hidden))


def _outcome(
    job: Job, loss: np.ndarray, metric: np.ndarray, tested: np.ndarray, snapshots: Snapshot, step: np.ndarray
) -> Outcome:
    case = job.case
    curves = TrainingCurves(
        learning_rates=case.learning_rates,
        metric=case.metric,
        tuning_metric=np.zeros((1, 0), np.float32),
        tuning_diverged=np.zeros((1, 0), bool),
        learning_rate=case.learning_rates[0],
        target=case.target,
        loss=loss,
        step=step,
        validation_metric=metric,
        test_metric=tested,
        snapshots=Snapshots.of(snapshots),
    )
    distance = None if unfit(case) or job.fault.bias else measure_forward(case).log10_pair_distance
    loss_of_chance, accuracy_of_chance = CHANCE[case.data.name]
    curves = replace(curves, chance=accuracy_of_chance)
    (evidence,) = from_curves(curves, case=case, chance=loss_of_chance, distance=distance)
    evidence = replace(evidence, target=None)  # the constant answer alone says what was learned
    counts = curves.snapshots.gradient_histogram[0].astype(np.float64)
    if case.gradient_transform.name == "half":  # what float16 holds of the scaled gradient
        smallest = 2.0**-24 / case.gradient_transform.options()["loss_scale"]
        below = 2.0 ** (np.arange(256) - 126.0) <= smallest
        evidence = replace(evidence, zero=counts[..., below].sum(-1) / counts.sum(-1), smallest=smallest)
    sizes = np.where(np.arange(256) > 0, 1.5 * 2.0 ** (np.arange(256) - 127.0), 0.0)
    sizes[-1] = np.inf
    with np.errstate(invalid="ignore"):
        mean = np.where(counts > 0, counts * sizes, 0).sum(-1) / counts.sum(-1)
    return Outcome(evidence, mean, curves.loss[0], np.asarray(curves.validation_metric[0]))
