"""BibTeX of what a run rests on: vgbench, the suite, its references and the papers of the measured components."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from vgbench.records.runs import Run
from vgbench.report.latex import tex
from vgbench.spec.case import Case
from vgbench.spec.registry import REGISTRIES
from vgbench.spec.suite import built_in_suites

TITLE, AUTHOR = "vgbench: measure vanishing gradients in JAX", "The vgbench authors"
"""As in CITATION.cff."""
_PAPER = re.compile(r"(?:^|.*?(?:: |in the form of ))(?P<authors>[A-Z][^\d;:]*?) (?P<year>\d{4})(?:, (?P<title>.*))?$")
"""Authors and year, as sources name papers, and perhaps the title."""


class _Paper(NamedTuple):
    authors: str
    year: str


def bibtex(runs: Sequence[Run]) -> str:
    """One entry each for vgbench, the suite, and every paper that the suite or a component of its cases names.

    Components are cited by authors and year, and by title where the suite's references have it.
    """
    manifest = runs[0].manifest
    started = [record.started for run in runs for entry in run.entries for record in entry.records]
    year = max(started)[:4] if started else ""
    devices = "; ".join(dict.fromkeys(run.device for run in runs))
    commit = f", commit {manifest.provenance.commit}" if manifest.provenance.commit else ""
    own = [
        _entry("software", "vgbench", AUTHOR, year, TITLE, f"Version {manifest.provenance.vgbench}{commit}"),
        _entry(
            "misc", f"vgbench-{manifest.suite}", AUTHOR, year, manifest.title, f"Suite of vgbench, run on {devices}"
        ),
    ]
    return "\n".join([*own, *_papers(runs, _references(manifest.suite))])


def _references(suite: str) -> tuple[str, ...]:
    return next((known.references for known in built_in_suites() if known.name == suite.removesuffix("-quick")), ())


def _papers(runs: Sequence[Run], references: Iterable[str]) -> Iterator[str]:
    titles: dict[_Paper, str] = {}
    uses: dict[_Paper, list[str]] = {}
    for paper, title in _found(references):
        titles.setdefault(paper, title)
        uses.setdefault(paper, [])
    cases = [entry.cell.case for run in runs for entry in run.entries if entry.cell]
    for use, source in dict.fromkeys(component for case in cases for component in _components(case)):
        for paper, title in _found(source.split("; ")):
            titles[paper] = titles.get(paper) or title
            uses.setdefault(paper, []).append(use)
    taken: dict[str, int] = {}
    for paper, names in uses.items():
        key = re.sub(r"[^a-z]", "", re.split(r"[ ,]", paper.authors)[0].lower()) + paper.year
        taken[key] = taken.get(key, 0) + 1
        letter = "" if taken[key] == 1 else chr(ord("a") + taken[key] - 1)
        yield _entry("misc", f"{key}{letter}", _authors(paper.authors), paper.year, titles[paper], ", ".join(names))


def _components(case: Case) -> Iterator[tuple[str, str]]:
    for slot, registry in REGISTRIES.items():
        name = getattr(case, slot).name
        if name != "none":
            yield f"{slot.replace('_', ' ')} {name}", registry[name].source


def _found(sources: Iterable[str]) -> Iterator[tuple[_Paper, str]]:
    for source in sources:
        paper = _PAPER.match(source)
        if paper:
            title = paper["title"] or ""
            known = title[:1].isupper() and not re.search(r"\b\d{4}\b", title)
            yield _Paper(paper["authors"], paper["year"]), title if known else ""


def _authors(names: str) -> str:
    return re.sub(r"\s*(?:,|&)\s*", " and ", names.replace(" et al.", " and others"))


def _entry(kind: str, key: str, author: str, year: str, title: str, note: str) -> str:
    authors = f"{{{author}}}" if author == AUTHOR else tex(author)
    fields = {"author": authors, "title": title and f"{{{tex(title)}}}", "year": year, "note": tex(note)}
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{re.sub('[^a-zA-Z0-9-]+', '-', key)},", *lines, "}"])
