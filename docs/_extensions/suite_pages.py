"""A page for every built-in suite, written into `suites/` from its TOML file and its published results."""

import os
import shutil
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from sphinx.application import Sphinx

from vgbench.records.schema import Manifest
from vgbench.records.store import device_folders, read_record
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

    def page(self, suite: Suite) -> Path:
        return self.results / suite.name / "report.html"

    def devices(self, suite: Suite) -> list[str]:
        folders = device_folders(self.results / suite.name) if self.table(suite).exists() else []
        return [str(read_record(folder.manifest, Manifest).provenance.device) for folder in folders]

    def link(self, path: Path) -> str:
        return Path(os.path.relpath(path, self.pages)).as_posix()


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the writing of the pages, which has to happen before Sphinx looks for sources."""
    app.connect("builder-inited", _write)
    app.connect("build-finished", _copy_reports)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _source(app: Sphinx) -> _Source:
    docs = Path(app.srcdir)
    return _Source(docs / "suites", docs.parent / "results")


def _copy_reports(app: Sphinx, fault: Exception | None) -> None:
    """Put the page of each published run where its address does not depend on what it holds."""
    if fault is not None or app.builder.format != "html":
        return
    for suite in built_in_suites():
        page = _source(app).page(suite)
        if page.exists():
            target = Path(app.outdir) / "results" / f"{suite.name}.html"
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(page, target)


def _write(app: Sphinx) -> None:
    source = _source(app)
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
    lines = ["| Suite | Question | Minutes on two CPU cores | Published results of |", "| --- | --- | --- | --- |"]
    for suite in suites:
        minutes = f"{suite.minutes:g}" if suite.minutes else "-"
        found = ", ".join(source.devices(suite)) or "not published"
        lines.append(f"| [{suite.name}]({suite.name}.md) | {suite.question} | {minutes} | {found} |")
    contents = "\n".join(suite.name for suite in suites)
    return f"{_INDEX}\n" + "\n".join(lines) + f"\n\n```{{toctree}}\n:hidden:\n\n{contents}\n```\n"


def _page(suite: Suite, source: _Source) -> str:
    minutes = f", in about {suite.minutes:g} minutes on two CPU cores" if suite.minutes else ""
    needs = f" It needs {suite.needs}." if suite.needs else ""
    references = "\n".join(f"- {reference}" for reference in suite.references)
    file = Path(str(resources.files("vgbench.spec") / "suites" / f"{suite.name}.toml"))
    return f"""# {suite.name}

{suite.question}

`vgbench run {suite.name}` measures {len(suite.cells())} cells{minutes}.{needs}

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
    pictures = [each for each in folder.glob("pictures/*.png") if each.stem != "answer-narrow"]  # the same for phones
    pictures.sort(key=lambda each: (each.stem != "answer", each.stem))
    shown = [f"![{suite.title}: {each.stem}]({source.link(each)})" for each in pictures]
    included = f"```{{include}} {source.link(table)}\n:start-line: 4\n```"  # after title and question
    command = (
        f"Measured with `vgbench run {suite.name}` and published with `vgbench publish runs/{suite.name} results/`."
    )
    address = f"../results/{suite.name}.html"  # in the built site, where Sphinx itself knows no file
    there = source.page(suite).exists()
    linked = [f'<p><a href="{address}">The interactive page</a> has every cell\'s details.</p>'] if there else []
    claims = folder / "claims.md"
    judged = [f"```{{include}} {source.link(claims)}\n:start-line: 4\n```"] if claims.exists() else []
    return "\n\n".join([command, *linked, *shown, included, *judged])
