"""The command line called in this process, and a suite that it runs in no time."""

import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from vgbench.cli import main

TINY = """
title = "Tiny"
question = "Does it run?"
[baseline]
width = 4
activation = "tanh"
optimizer = "sgd"
learning_rates = [0.1, 0.2]
data = { name = "gaussian", features = 4, examples = 16 }
batch_size = 8
steps = 4
seeds = [0]
tuning_seeds = [1000]
[sweep]
depth = [2]
[mitigations]
relu = { activation = "relu" }
res = { skip = "residual" }
"""
CLAIMS = """
[[claims]]
sentence = "It trains"
hypothesis = "More than half is right"
statistic = "test_accuracy"
cells = [{ mitigation = "relu", at = { depth = 2 }, reference = "baseline" }]
rule = { above = 0.5 }
"""


class Result(NamedTuple):
    code: Any
    out: str
    err: str


def vgbench(*arguments: str | Path) -> Result:
    """Call the command in this process."""
    out, err = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(out), redirect_stderr(err):
        patched.setattr(sys, "argv", ["vgbench", *map(str, arguments)])
        patched.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as ended:
            main()
    return Result(ended.value.code or 0, out.getvalue(), err.getvalue())
