"""From a user's arrays to a data set: checked, split and standardised, or refused with the place and the reason."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int, Shaped

from vgbench.data.dataset import Dataset, Split
from vgbench.errors import InputError

NAMES = ("x_train", "y_train", "x_test", "y_test")
VALIDATION_SHARE = 0.2
"""Share of the training examples that validates, drawn by the split's seed."""


def from_arrays(place: str, arrays: Mapping[str, Shaped[np.ndarray, "..."]], split_seed: int) -> Dataset:
    """Make a data set of arrays: a fifth of the training examples validates, inputs are flattened and standardised.

    Args:
        place: where the arrays come from, for messages.
        arrays: x_train and x_test, numbers of any shape, an example a row; y_train and y_test, integers from 0.
        split_seed: fixes which training examples validate.

    Raises:
        InputError: an array cannot be used; names it.
    """
    inputs = {name: _inputs(place, name, arrays[name]) for name in ("x_train", "x_test")}
    labels = {name: _labels(place, name, arrays[name]) for name in ("y_train", "y_test")}
    for part in ("train", "test"):
        examples, labelled = len(inputs[f"x_{part}"]), len(labels[f"y_{part}"])
        if examples != labelled:
            raise InputError(f"{place}: x_{part} has {examples} examples and y_{part} has {labelled} labels")
    features, others = (inputs[name].shape[1] for name in ("x_train", "x_test"))
    if features != others:
        raise InputError(f"{place}: an example has {features} numbers in x_train and {others} in x_test")
    examples = len(labels["y_train"])
    held_out = round(examples * VALIDATION_SHARE)
    if not held_out:
        raise InputError(f"{place}: x_train has {examples} examples, too few to hold some out for validation")
    order = np.random.default_rng([split_seed, 0x5917]).permutation(examples)
    validation, train = order[:held_out], order[held_out:]
    seen = inputs["x_train"][train]
    varies = np.ptp(seen, axis=0) > 0  # what is computed as the spread of a constant may be a rounding error
    mean, scale = np.where(varies, seen.mean(axis=0), seen[0]), np.where(varies, seen.std(axis=0), 1)

    def split(x: Float[np.ndarray, "n features"], y: Int[np.ndarray, "n"]) -> Split:
        return Split(((x - mean) / scale).astype(np.float32), y)

    return Dataset(
        train=split(inputs["x_train"][train], labels["y_train"][train]),
        validation=split(inputs["x_train"][validation], labels["y_train"][validation]),
        test=split(inputs["x_test"], labels["y_test"]),
        outputs=1 + int(max(labels["y_train"].max(), labels["y_test"].max())),
    )


def _inputs(place: str, name: str, array: np.ndarray) -> Float[np.ndarray, "examples features"]:
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{place}: {name} holds {array.dtype}, not numbers")
    if array.ndim < 2 or not array.size:
        raise InputError(f"{place}: {name} has the shape {array.shape}, not (examples, numbers...)")
    flat = array.reshape(len(array), -1)
    flat = flat.astype(np.float32) if flat.dtype != np.float64 else flat
    if not np.isfinite(flat).all():
        raise InputError(f"{place}: {name} holds numbers that are not finite")
    return flat


def _labels(place: str, name: str, array: np.ndarray) -> Int[np.ndarray, "examples"]:
    array = np.asarray(array)
    if array.dtype.kind not in "iu":
        raise InputError(f"{place}: {name} holds {array.dtype}, not integers")
    if array.ndim != 1 or not array.size:
        raise InputError(f"{place}: {name} has the shape {array.shape}, not (examples,)")
    if array.min() < 0 or array.max() >= 2**20:
        raise InputError(f"{place}: {name} holds labels from {array.min()} to {array.max()}, not from 0 on")
    return array.astype(np.int32)
