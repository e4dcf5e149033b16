"""A question to a module of this package that a process of its own answers, on a device that a worker uses as well."""

import json
import os
import subprocess
import sys
from typing import Any


def answer_of(module: str, question: Any, seconds: int, **environment: str) -> Any:
    """Run a module with a question as JSON on its standard input; its last line of output is the answer as JSON.

    None where that process comes to nothing, say because the device has no room beside this one.

    Args:
        module: what is run, as `python -m` takes it.
        question: JSON's own types alone.
        seconds: that it may take.
        environment: variables that it has in addition.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", module],
            input=json.dumps(question),
            # Beside a worker, which holds most of the device's memory already, it takes what it needs and no more.
            env={**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false", **environment},
            capture_output=True,
            text=True,
            check=True,
            timeout=seconds,
        )
        return json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, LookupError):
        return None
