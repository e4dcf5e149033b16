"""Real sequences from the UCR and UEA archives, four of which sktime's wheel carries."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from vgbench.data.dataset import Dataset, Split
from vgbench.data.stratified import SplitSeed, split_by, stratified
from vgbench.data.ts import read_ts
from vgbench.errors import InputError
from vgbench.spec.fingerprint import fingerprint
from vgbench.spec.registry import DATA


def installed_folder() -> Path | None:
    """The folder of the data sets that sktime carries, which is not imported; None without sktime."""
    package = find_spec("sktime")
    places = package.submodule_search_locations if package else None
    return Path(places[0]) / "datasets" / "data" if places else None


def _installed_digest(choice: Any) -> str:
    folder = installed_folder()
    return fingerprint(str(folder / choice.dataset), "*.ts") if folder else ""


@DATA.register(
    source="Dau et al. 2019, the UCR time series archive; Bagnall et al. 2018, the UEA archive; sktime",
    defaults={"target": 0.8, "batch_size": 32},
    installed=_installed_digest,
)
def ucr(
    *,
    dataset: Annotated[str, Field(pattern=r"^\w+$")] = "GunPoint",
    path: str | None = None,
    digest: str = "",
    split_seed: SplitSeed = None,
) -> Dataset:
    """Labelled time series: a fixed fifth validates; every seed, or `split_seed`, draws a fifth that tests.

    GunPoint (150 steps), ArrowHead (251), OSULeaf (427) and ACSF1 (1,460) come with sktime, the extra `sequences`; the
    depth of a recurrent network is the number of steps. `path` is a folder with DATASET_TRAIN.ts and DATASET_TEST.ts.
    Both files are pooled and split anew, since the archive's own training sets are too small to hold out examples that
    choose the learning rate. Each channel is standardised on the training split.
    """
    folder = Path(path) if path else _folder(dataset)
    (x, y, classes), (more_x, more_y, more_classes) = (
        read_ts(folder / f"{dataset}_{part}.ts") for part in ("TRAIN", "TEST")
    )
    if x.shape[1:] != more_x.shape[1:] or classes != more_classes:
        raise InputError(f"{folder}: the series of the two files differ in length, in channels or in their classes")
    x, y = np.concatenate([x, more_x]), np.concatenate([y, more_y]).astype(np.int32)

    def split(seed: int) -> Dataset:
        try:
            splits = stratified(y, seed)
        except ValueError as error:
            raise InputError(f"{folder}: {len(y)} series cannot be split: {error}") from None
        mean, std = x[splits[0]].mean(axis=(0, 1)), x[splits[0]].std(axis=(0, 1))
        flat = ((x - mean) / np.where(std > 0, std, 1)).astype(np.float32).reshape(len(x), -1)
        return Dataset(*(Split(flat[chosen], y[chosen]) for chosen in splits), outputs=len(classes))

    return split_by(split_seed, split)


def _folder(dataset: str) -> Path:
    """The folder of a data set that sktime carries."""
    root = installed_folder()
    if root is None:
        raise InputError(
            "data 'ucr': sktime, which carries the files, is missing: `pip install 'vgbench[sequences]'` installs it;"
            ' or give a folder of your own, { name = "ucr", dataset = "NAME", path = "FOLDER" }'
        )
    if not (root / dataset / f"{dataset}_TRAIN.ts").is_file():
        there = sorted(file.parent.name for file in root.glob("*/*_TRAIN.ts"))
        raise InputError(f"data 'ucr': sktime carries no data set {dataset!r} (it has: {', '.join(there)})")
    return root / dataset
