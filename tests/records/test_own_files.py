"""What is vgbench's own in a folder: a run begins among nothing else, and removes nothing else."""

from pathlib import Path

import pytest
from helpers.made import BASE, measured, write_run

from vgbench.boundary.files import write_bytes
from vgbench.errors import InputError
from vgbench.records.own_files import check_ours, strangers, sweep
from vgbench.report import write_report

ID = "0123456789abcdef"


def fill(root: Path, *names: str) -> Path:
    for name in names:
        write_bytes(root / name, b"content")
    return root


@pytest.mark.parametrize(
    "names",
    [
        (),
        (".lock",),
        (".lock", "running.json", ".running.json.12.part"),
        (".DS_Store", "Thumbs.db", ".gitignore", "lost+found/x"),
        ("slurm-17.out", "run.log"),
        (".lock", "cpu-chip-2/.manifest.json.12.part"),
        (f"cpu-chip-2/cells/.{ID}.json.12.part", f"cpu-chip-2/costs/{ID}.json", f"cpu-chip-2/cells/{ID}.npz.damaged"),
    ],
)
def test_folder_that_is_empty_or_of_a_run_that_has_hardly_begun_is_ours(tmp_path: Path, names: tuple[str, ...]) -> None:
    (tmp_path / "run" / "cpu-chip-2").mkdir(parents=True)
    check_ours(fill(tmp_path / "run", *names), "")


def test_missing_folder_is_ours(tmp_path: Path) -> None:
    check_ours(tmp_path / "none", "")


@pytest.mark.parametrize(
    "names",
    [
        (".bashrc",),
        ("Documents/letter.txt",),
        (".lock", "notes.md"),
        ("app/manifest.json", "index.html"),  # of a web page
        (f"cells/{ID}.txt",),
        ("pictures/holiday.jpg",),
        (".0.part", ".cache/x.12.part"),
    ],
)
def test_folder_of_other_things_is_not_ours(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=r": holds other things than a run \(.*\); do this$"):
        check_ours(fill(tmp_path, *names), "do this")


def test_run_with_its_whole_report_is_ours_and_stays_so_with_notes_beside_it(tmp_path: Path) -> None:
    root = write_run(tmp_path, [("baseline", measured(BASE))])
    written = write_report(root, ("md", "csv", "latex", "html"), ("svg",)).files
    assert len(written) > 6
    (device,) = (path.parent for path in root.glob("*/manifest.json"))
    assert strangers(device) == []
    (device / "manifest.json").rename(tmp_path.parent / "manifest.json")
    check_ours(root, "")  # every file of it is one of ours
    (tmp_path.parent / "manifest.json").rename(device / "manifest.json")
    check_ours(fill(root, "notes.md"), "")


def test_only_half_written_files_of_a_run_are_swept_away(tmp_path: Path) -> None:
    ours = [
        ".running.json.12.part",
        ".table.md.12.part",
        "cpu-chip-2/.manifest.json.12.part",
        f"cpu-chip-2/cells/.{ID}.json.12.part",
        f"cpu-chip-2/costs/.{ID}.npz.12.part",
    ]
    others = [
        ".film.mkv.part",
        ".film.mkv.12.part",
        "downloads/.film.mkv.12.part",
        "cpu-chip-2/cells/.film.mkv.12.part",
        f"a/b/cells/.{ID}.json.12.part",
        f"cpu-chip-2/cells/{ID}.json",
    ]
    (tmp_path / "elsewhere").mkdir()
    (fill(tmp_path / "run", *ours, *others) / "linked").symlink_to(tmp_path / "elsewhere")
    fill(tmp_path / "elsewhere", "cells/" + ours[-2].rpartition("/")[2])
    sweep(tmp_path / "run")
    left = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert sorted(path.relative_to(tmp_path / "run").as_posix() for path in left) == sorted(others)
    assert len(list((tmp_path / "elsewhere" / "cells").iterdir())) == 1
