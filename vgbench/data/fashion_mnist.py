"""Fashion-MNIST where it is installed: 70,000 images of 28 x 28 pixels in ten classes."""

from pathlib import Path

from vgbench.data.arrays import from_arrays
from vgbench.data.dataset import Dataset
from vgbench.data.idx import FILES, find_idx, read_idx
from vgbench.errors import InputError
from vgbench.spec.fingerprint import fingerprint
from vgbench.spec.registry import DATA

FOLDER = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package `dataset-fashion-mnist` puts the files."""


@DATA.register(
    source="Xiao, Rasul & Vollgraf 2017; Debian's package dataset-fashion-mnist",
    defaults={"target": 0.8},
    installed=lambda _: fingerprint(str(FOLDER)),
)
def fashion_mnist(*, path: str | None = None, digest: str = "", split_seed: int = 0) -> Dataset:
    """Articles of clothing, 28 x 28, of a folder with the four files, by default Debian's; a fifth validates."""
    folder = FOLDER if path is None else Path(path)
    if path is None and not folder.is_dir():
        raise InputError(
            f"data 'fashion_mnist': {folder} is missing: `apt install dataset-fashion-mnist` makes it on Debian;"
            ' elsewhere give the folder of the four files, { name = "fashion_mnist", path = "FOLDER" }'
        )
    arrays = {name: read_idx(find_idx(folder, stem)) for name, stem in FILES.items()}
    return from_arrays(str(folder), arrays, split_seed)
