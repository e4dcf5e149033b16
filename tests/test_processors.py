"""What is sensitive to the last bits of floating-point numbers, on processors older than the one at hand."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
SENSITIVE = (
    *("statistics", "results", "precision", "gradients", "forward", "theory", "report", "claims", "probe", "own"),
    *("benchmarks", "snapshot", "skips", "recurrent", "transformer", "convnet", "training", "diagnosis", "cost"),
)
"""Test files that compare numbers of differently compiled programs, read signs, or rebuild texts from records."""

BEFORE_AVX512 = {
    "NPY_DISABLE_CPU_FEATURES": " ".join(np.show_config(mode="dicts")["SIMD Extensions"]["found"]),  # pyright: ignore
    "OPENBLAS_CORETYPE": "Nehalem",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
}
"""Settings of numpy, of its BLAS and of the C library's mathematics that leave newer instructions out."""

PROCESSORS = {
    "as it is": {},
    "AVX": {"XLA_FLAGS": "--xla_cpu_max_isa=AVX", **BEFORE_AVX512},
    "SSE4.2": {"XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2", **BEFORE_AVX512},
}


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="needs a processor whose AVX can be left out")
@pytest.mark.parametrize("processor", PROCESSORS)
def test_no_test_rests_on_the_last_bits_of_one_processor(processor: str) -> None:
    # Programs are compiled for each processor on its own, so that none reads another's.
    cache = {"JAX_COMPILATION_CACHE_DIR": str(ROOT / ".pytest_cache" / f"jax {processor}")}
    files = [str(path) for name in SENSITIVE for path in (ROOT / "tests").rglob(f"test_{name}.py")]
    assert len(files) == len(SENSITIVE)
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", "-m", "not slow", *files]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **cache, **PROCESSORS[processor]}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
