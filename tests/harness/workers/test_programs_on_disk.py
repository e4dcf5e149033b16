"""Programs on disk: a second process reads what the first has compiled; a folder that cannot be used is no fault."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vgbench.harness.workers.programs_on_disk import folder

SCRIPT = """
import json, sys, warnings
from collections import Counter
from pathlib import Path
import jax, jax.numpy as jnp
from vgbench.harness.workers import programs_on_disk
warnings.simplefilter("error")  # now, since imports may warn of the processor
events = Counter()
jax.monitoring.register_event_listener(lambda event, **_: events.update([event]))
programs_on_disk._SHORTEST_SECONDS = 0.0
place = Path(sys.argv[1])
x = jnp.arange(8.0)
found = []
for kept in (place, None, place):
    programs_on_disk.keep_programs(kept)
    jax.clear_caches()
    events.clear()
    value = float(jax.jit(lambda x: jnp.sin(x).sum())(x))
    found.append([value, *(events[f"/jax/compilation_cache/cache_{what}"] for what in ("hits", "misses"))])
print(json.dumps(found))
"""


def process(place: Path, **environment: str) -> list[list[float]]:
    """In one process the sum, and the hits and misses of the cache: with it, without it and with it again."""
    without = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(place)],
        capture_output=True,
        text=True,
        check=False,
        env={**without, "JAX_PLATFORMS": "cpu", **environment},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_program_is_read_by_the_next_process_but_not_where_compiling_is_timed(tmp_path: Path) -> None:
    place = tmp_path / "new" / "folder"
    (first, hits, misses), without, again = process(place)
    assert (hits, misses >= 1) == (0, True)
    assert without == [first, 0, 0]
    assert again[0] == first
    assert again[1] >= 1
    stale = place / "half-cache"  # its writer was killed before it wrote when the program was used
    stale.write_bytes(b"")
    second, without, _ = process(place)
    assert second == [first, misses, 0]
    assert without == [first, 0, 0]
    assert not stale.exists()


def test_folder_that_cannot_be_made_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (value, hits, misses), *_ = process(tmp_path / "file" / "folder")
    assert value == pytest.approx(0.554, abs=1e-2)
    assert (hits, misses) == (0, 0)


def test_cache_that_the_user_has_set_up_for_jax_stays(tmp_path: Path) -> None:
    process(tmp_path / "ours", JAX_COMPILATION_CACHE_DIR=str(tmp_path / "theirs"))
    assert not (tmp_path / "ours").exists()


def test_devices_have_folders_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert folder("cpu-a") == Path("/caches/vgbench/programs/cpu-a")
    assert folder("cpu-b") != folder("cpu-a")
