"""Generated sequences: what they hold, that they never end, and that their splits have nothing in common."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import vgbench as vg
from vgbench.data import Dataset, batch_indices, load_dataset
from vgbench.data.dataset import ENDLESS, Stream
from vgbench.models.problem import CLASSIFICATION, Problem, Within, squared_error


def adding(steps: int, **options: int) -> Dataset:
    return load_dataset(vg.Case(model="recurrent", depth=steps, data={"name": "adding", **options}))


def copying(steps: int, symbols: int) -> Dataset:
    return load_dataset(vg.Case(model="recurrent", depth=steps, data={"name": "copy_memory", "symbols": symbols}))


@pytest.mark.parametrize("steps", [2, 3, 10, 101])
def test_adding_marks_one_number_in_each_half_and_wants_their_sum(steps: int) -> None:
    x, y = adding(steps).train.take(np.arange(500))
    numbers, marks = np.moveaxis(np.asarray(x).reshape(500, steps, 2), -1, 0)
    assert ((numbers >= 0) & (numbers < 1)).all()
    half = steps // 2
    np.testing.assert_array_equal(marks[:, :half].sum(axis=1), 1)
    np.testing.assert_array_equal(marks[:, half:].sum(axis=1), 1)
    np.testing.assert_allclose(y, (numbers * marks).sum(axis=1), rtol=1e-6)
    assert set(marks.any(axis=0).tolist()) == {True}  # every place is marked at times


def test_adding_always_answering_one_leaves_a_sixth() -> None:
    data = adding(20)
    _, y = data.train.take(np.arange(20_000))
    assert squared_error(jnp.ones((20_000, 1)), y) == pytest.approx(1 / 6, abs=0.005)
    assert data.problem == Problem(features=40, outputs=1, objective=data.objective)


def test_copy_memory_wants_its_first_symbols_at_its_end() -> None:
    data = copying(30, 4)
    x, y = map(np.asarray, data.train.take(np.arange(200)))
    shown = x.reshape(200, 30, 10)
    np.testing.assert_array_equal(shown.sum(axis=-1), 1)
    symbols = shown.argmax(axis=-1)
    np.testing.assert_array_equal(symbols[:, :4], y)
    assert set(y.ravel().tolist()) == set(range(8))
    np.testing.assert_array_equal(symbols[:, 25], 9)
    assert (np.delete(symbols[:, 4:], 21, axis=1) == 8).all()
    assert data.problem == Problem(features=300, outputs=8, objective=CLASSIFICATION, answers=4)


@pytest.mark.parametrize("steps", [10, 47, 100])
def test_temporal_order_asks_for_the_two_symbols_that_count(steps: int) -> None:
    data = load_dataset(vg.Case(model="recurrent", depth=steps, data="temporal_order"))
    x, y = map(np.asarray, data.train.take(np.arange(400)))
    shown = x.reshape(400, steps, 6)
    np.testing.assert_array_equal(shown.sum(axis=-1), 1)
    symbols, tenth = shown.argmax(axis=-1), steps // 10
    examples, places = np.nonzero(symbols < 2)
    np.testing.assert_array_equal(examples.reshape(-1, 2), np.arange(400)[:, None] + [0, 0])
    first, second = places.reshape(-1, 2).T
    assert set(first.tolist()) == set(range(tenth, 2 * tenth))
    assert set(second.tolist()) == set(range(5 * tenth, 6 * tenth))
    counting = np.take_along_axis(symbols, np.stack([first, second], axis=1), axis=1)
    np.testing.assert_array_equal(y, counting @ [2, 1])
    assert np.bincount(y, minlength=4).min() > 60
    assert set(symbols[:, -1].tolist()) == {2, 3, 4, 5}
    assert data.problem == Problem(features=6 * steps, outputs=4, objective=CLASSIFICATION)
    assert data.objective.chance(data.validation.y) == pytest.approx(1 / 4, abs=0.05)


def test_splits_share_no_example_and_depend_on_the_seed_alone() -> None:
    data = adding(10)
    train = np.asarray(data.train.take(np.arange(1000))[0])
    every = np.concatenate([train, data.validation.x, data.test.x])
    assert len(np.unique(every, axis=0)) == 3000
    np.testing.assert_array_equal(data.test.x, adding(10, seed=0).test.x)
    assert not np.array_equal(data.test.x, adding(10, seed=1).test.x)


def test_an_example_is_known_by_its_number_whatever_the_batch() -> None:
    stream = adding(6).train
    together = stream.take(np.asarray([5, 7, 2**31 - 1]))[0]
    np.testing.assert_array_equal(together[1:2], stream.take(np.asarray([7]))[0])


def test_a_stream_never_shows_a_step_the_batch_of_another() -> None:
    stream = adding(6).train
    assert isinstance(stream, Stream)
    batches = batch_indices(stream.examples, 64, 100, seed=3)
    assert stream.examples == ENDLESS
    assert (batches.shape, batches.dtype) == ((100, 64), np.int32)
    assert len(np.unique(batches)) > 6390
    np.testing.assert_array_equal(batches[:7], batch_indices(ENDLESS, 64, 7, seed=3))
    assert not np.array_equal(batches, batch_indices(ENDLESS, 64, 100, seed=4))


def test_equal_streams_are_equal_wherever_they_were_made() -> None:
    assert hash(adding(6).train.generate) == hash(adding(6, seed=1).train.generate)
    assert adding(6).train.generate != adding(7).train.generate


def test_within_counts_what_is_near_and_never_what_is_not_finite() -> None:
    predictions = jnp.asarray([[1.0], [1.03], [1.05], [np.nan], [np.inf]])
    assert Within(0.04)(predictions, jnp.ones(5)) == pytest.approx(2 / 5)


def test_loss_of_the_last_answer_alone() -> None:
    logits = jax.random.normal(jax.random.key(0), (3, 4, 8))
    y = jnp.arange(12).reshape(3, 4) % 8
    many = Problem(8, 8, CLASSIFICATION, answers=4)
    np.testing.assert_allclose(many.last_loss(logits, y), CLASSIFICATION.loss(logits[:, -1], y[:, -1]))
    np.testing.assert_allclose(
        Problem(8, 8).last_loss(logits[:, 0], y[:, 0]), CLASSIFICATION.loss(logits[:, 0], y[:, 0])
    )


def test_gaussian_stream_is_of_unit_variance_with_every_label() -> None:
    dataset = load_dataset(vg.Case(data={"name": "gaussian_stream", "features": 30}, batch_size=4096))
    x, y = map(np.asarray, dataset.train.take(np.arange(4096)))
    assert x.shape == (4096, 30)
    np.testing.assert_allclose([x.mean(), x.var()], [0, 1], atol=0.02)
    assert np.bincount(y).min() > 300
    assert len(np.bincount(y)) == dataset.outputs == 10
