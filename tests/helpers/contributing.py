"""CONTRIBUTING.md in pieces: its snippets by what they are."""

import re
import tomllib
from pathlib import Path

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()


def _snippets(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


MEMBERS = _snippets("python")
SUITES = [text for text in _snippets("toml") if "baseline" in tomllib.loads(text)]
(CLAIMS,) = [text for text in _snippets("toml") if "claims" in tomllib.loads(text)]
(ZIP,) = [text for text in _snippets("toml") if "zip" in tomllib.loads(text)]
(PLUGIN,) = [text for text in _snippets("toml") if "project" in tomllib.loads(text)]


def defined(code: str) -> str:
    """The name of a snippet's last public function, which is the member."""
    return re.findall(r"^def ([a-z]\w+)", code, re.MULTILINE)[-1]


def snippet(name: str) -> str:
    (code,) = [code for code in MEMBERS if defined(code) == name]
    return code
