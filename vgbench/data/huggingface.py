"""Data sets of the Hugging Face hub, or saved in its format, through the optional extra `datasets`."""

from pathlib import Path
from typing import Any

import numpy as np

from vgbench.data.arrays import from_arrays
from vgbench.data.dataset import Dataset
from vgbench.errors import InputError
from vgbench.spec.registry import DATA


@DATA.register(source="Lhoest et al. 2021, Datasets; the data are not part of vgbench")
def datasets(
    *,
    path: str,
    config: str | None = None,
    revision: str | None = None,
    x: str = "image",
    y: str = "label",
    train: str = "train",
    test: str = "test",
    digest: str = "",
    split_seed: int = 0,
) -> Dataset:
    """A data set by its name on the hub, or a folder that `save_to_disk` wrote; `x` and `y` name its columns."""
    loaded = _load(path, config, revision)
    arrays = {
        f"{axis}_{part}": _column(_split(loaded, path, name), f"{path}: split {name!r}", column)
        for part, name in (("train", train), ("test", test))
        for axis, column in (("x", x), ("y", y))
    }
    return from_arrays(path, arrays, split_seed)


def _load(path: str, config: str | None, revision: str | None) -> Any:
    try:
        import datasets as library  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InputError(
            "data 'datasets' needs the package of that name: install vgbench with its extra `datasets`"
        ) from None
    try:
        if Path(path).is_dir() and config is None and (Path(path) / "dataset_dict.json").exists():
            return library.load_from_disk(path)
        return library.load_dataset(path, config, revision=revision)
    except Exception as error:  # a library that reads the network and files of any kind fails in any way
        raise InputError(f"{path}: cannot be loaded as a data set ({type(error).__name__}: {error})") from None


def _split(loaded: Any, path: str, name: str) -> Any:
    if not isinstance(loaded, dict) or name not in loaded:
        known = ", ".join(loaded) if isinstance(loaded, dict) else "none"
        raise InputError(f"{path}: no split {name!r} (there are: {known})")
    return loaded[name]


def _column(split: Any, place: str, name: str) -> np.ndarray:
    if name not in split.column_names:
        raise InputError(f"{place}: no column {name!r} (there are: {', '.join(split.column_names)})")
    try:
        return np.asarray([np.asarray(value) for value in split[name]])
    except ValueError:
        raise InputError(f"{place}: the examples in column {name!r} differ in shape") from None
