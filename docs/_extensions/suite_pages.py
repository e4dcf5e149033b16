"""A page for every built-in suite, written into `suites/` from its TOML file and its published results."""

import os
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from sphinx.application import Sphinx

from vgbench.spec.suite import Suite, built_in_suites

_INDEX = """# The suites

A suite is one TOML file that asks one question. `vgbench run NAME` measures it, `vgbench run NAME --quick` measures a
small version of it, and `vgbench run NAME --dry-run` shows its cells. Each page shows the published results of its
suite, which `vgbench publish` copied to `results/`, if there are any.
"""


class _Source(NamedTuple):
    """The folder of the pages and the folder of the published results."""

    pages: Path
    results: Path

    def table(self, suite: Suite) -> Path:
        return self.results / suite.name / "table.md"

    def link(self, path: Path) -> str:
        return Path(os.path.relpath(path, self.pages)).as_posix()


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the writing of the pages, which has to happen before Sphinx looks for sources."""
    app.connect("builder-inited", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _write(app: Sphinx) -> None:
    docs = Path(app.srcdir)
    source = _Source(docs / "suites", docs.parent / "results")
    suites = built_in_suites()
    pages = {f"{suite.name}.md": _page(suite, source) for suite in suites}
    pages["index.md"] = _index(suites, source)
    source.pages.mkdir(exist_ok=True)
    for path in source.pages.iterdir():
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        (source.pages / name).write_text(text, encoding="utf-8")


def _index(suites: tuple[Suite, ...], source: _Source) -> str:
    lines = ["| Suite | Question | Minutes on two CPU cores | Results |", "| --- | --- | --- | --- |"]
    for suite in suites:
        minutes = f"{suite.minutes:g}" if suite.minutes else "-"
        found = "published" if source.table(suite).exists() else "not published"
        lines.append(f"| [{suite.name}]({suite.name}.md) | {suite.question} | {minutes} | {found} |")
    contents = "\n".join(suite.name for suite in suites)
    return f"{_INDEX}\n" + "\n".join(lines) + f"\n\n```{{toctree}}\n:hidden:\n\n{contents}\n```\n"


def _page(suite: Suite, source: _Source) -> str:
    minutes = f", in about {suite.minutes:g} minutes on two CPU cores" if suite.minutes else ""
    references = "\n".join(f"- {reference}" for reference in suite.references)
    file = Path(str(resources.files("vgbench.spec") / "suites" / f"{suite.name}.toml"))
    return f"""# {suite.name}

{suite.question}

`vgbench run {suite.name}` measures {len(suite.cells())} cells{minutes}.

## What was found

{_found(suite, source)}

## What is measured

This is the whole file. A mitigation changes the fields that it names, and keeps the others of its baseline. Fields that
the baseline does not name have the defaults of {{py:class}}`vgbench.Case`.

```{{literalinclude}} {source.link(file)}
:language: toml
```

## References

{references}
"""


def _found(suite: Suite, source: _Source) -> str:
    table = source.table(suite)
    if not table.exists():
        return f"Not published. `vgbench run {suite.name}` measures it and writes `runs/{suite.name}`."
    folder = table.parent
    pictures = sorted([*folder.glob("*.png"), *folder.glob("pictures/*.png")])
    shown = [f"![{suite.title}: {each.stem}]({source.link(each)})" for each in pictures]
    included = f"```{{include}} {source.link(table)}\n:start-line: 4\n```"  # after title and question
    command = (
        f"Measured with `vgbench run {suite.name}` and published with `vgbench publish runs/{suite.name} results/`."
    )
    page = folder / "report.html"
    linked = [f"[The interactive page]({source.link(page)}) has every cell's details."] if page.exists() else []
    claims = folder / "claims.md"
    judged = [f"```{{include}} {source.link(claims)}\n:start-line: 4\n```"] if claims.exists() else []
    return "\n\n".join([command, *linked, *shown, included, *judged])
