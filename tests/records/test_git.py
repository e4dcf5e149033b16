"""What git says of a checkout, and that no checkout can have it start a program."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.command_line import CLAIMS, TINY

from vgbench.harness.preregistration import fixed_in
from vgbench.records import provenance
from vgbench.records.git import Checkout, opened
from vgbench.spec.suite import read_suite

Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """Run git in a checkout in `repository`, by someone who has set nothing up."""
    root = tmp_path / "repository"
    root.mkdir()
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")

    def run(*arguments: str, at: Path = root, text: str | None = None, ok: bool = True, **environment: str) -> str:
        command = ["git", "-C", str(at), *who, *arguments]
        done = subprocess.run(
            command, check=ok, capture_output=True, text=True, input=text, env={**os.environ, **environment}
        )
        return done.stdout

    run("init")
    return run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "repository"


def ask(folder: Path, question: Callable[[Checkout], object]) -> object:
    with opened(folder) as checkout:
        return None if checkout is None else question(checkout)


def test_folder_outside_a_checkout_is_none(tmp_path: Path) -> None:
    assert ask(tmp_path, Checkout.commit) is None
    assert ask(tmp_path / "nowhere", Checkout.commit) is None


def test_checkout_without_a_commit_is_none(git: Git, root: Path) -> None:
    assert ask(root, Checkout.commit) is None


def test_bare_repository_is_no_checkout(git: Git, root: Path) -> None:
    git("init", "--bare", "bare.git")
    assert ask(root / "bare.git", Checkout.commit) is None


@pytest.mark.parametrize("place", ["root", "folder", "worktree", "shallow"])
def test_commit_is_twelve_digits_and_dirty_where_a_tracked_file_differs(
    git: Git, root: Path, place: str, tmp_path: Path
) -> None:
    (root / "sub").mkdir()
    for day in ("1", "2"):
        (root / "sub" / "file").write_text(day)
        git("add", ".")
        git("commit", "-m", day)
    here = root
    if place == "worktree":
        here = tmp_path / "beside"
        git("worktree", "add", str(here))
    elif place == "shallow":
        here = tmp_path / "beside"
        git("clone", "--depth=1", root.as_uri(), str(here))
    asked = here / "sub" if place == "folder" else here
    head = git("rev-parse", "HEAD").strip()[:12]
    assert ask(asked, Checkout.commit) == head
    (here / "untracked").write_text("")
    os.utime(here / "sub" / "file", (0, 0))
    assert ask(asked, Checkout.commit) == head
    (here / "sub" / "file").write_text("changed")
    assert ask(asked, Checkout.commit) == f"{head}-dirty"
    git("checkout", "sub", at=here)
    assert ask(asked, Checkout.commit) == head
    git("add", "untracked", at=here)
    assert ask(asked, Checkout.commit) == f"{head}-dirty"


def test_history_of_a_file_is_its_commits_with_dates_in_utc(git: Git, root: Path) -> None:
    (root / "sub").mkdir()
    for day, name in (("01", "*.toml"), ("02", "a.toml"), ("03", "*.toml")):
        (root / "sub" / name).write_text(day)
        git("add", ".")
        git("commit", "-m", day, GIT_COMMITTER_DATE=f"2026-01-{day}T12:00:00+02:00")
    with opened(root / "sub") as checkout:
        assert checkout is not None
        history = list(checkout.history("*.toml"))
        assert [date for _, date in history] == ["2026-01-03T10:00:00+00:00", "2026-01-01T10:00:00+00:00"]
        assert [checkout.content(commit, "*.toml") for commit, _ in history] == ["03", "01"]
        assert [checkout.content(commit, "none") for commit, _ in history] == ["", ""]
        assert len(history[0][0]) == 12


def test_history_ends_before_a_date_that_no_calendar_has(git: Git, root: Path) -> None:
    (root / "file").write_text("")
    git("add", ".")
    git("commit", "-m", "one")
    who = "committer A <a@example.org> "
    text = git("cat-file", "commit", "HEAD").replace(who, f"{who}99999")
    git("reset", git("hash-object", "-t", "commit", "-w", "--stdin", text=text).strip())
    assert ask(root, lambda checkout: list(checkout.history("file"))) == []


def test_another_repository_in_the_environment_is_not_asked(
    git: Git, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "file").write_text("")
    git("add", ".")
    git("commit", "-m", "one")
    git("clone", str(root), str(tmp_path / "other"))
    git("commit", "--allow-empty", "-m", "two", at=tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))  # as for a hook of it
    assert ask(root, Checkout.commit) == git("rev-parse", "HEAD", GIT_DIR=str(root / ".git")).strip()[:12]


SETTINGS = {
    **dict.fromkeys(("log.showSignature", "commit.gpgSign", "status.submoduleSummary"), "true"),
    **dict.fromkeys(("gpg.program", "gpg.openpgp.program", "gpg.ssh.program", "gpg.x509.program"), "PROGRAM"),
    **dict.fromkeys(("core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "core.askPass"), "PROGRAM"),
    **dict.fromkeys(("core.gitProxy", "core.alternateRefsCommand", "credential.helper", "diff.external"), "PROGRAM"),
    **dict.fromkeys(("pager.log", "pager.status", "pager.rev-list", "pager.rev-parse", "pager.cat-file"), "PROGRAM"),
    **dict.fromkeys(("alias.rev-list", "alias.rev-parse", "alias.status", "alias.cat-file"), "!PROGRAM"),
    **dict.fromkeys(("diff.evil.textconv", "diff.evil.command", "merge.evil.driver"), "PROGRAM"),
    **dict.fromkeys(("filter.evil.clean", "filter.evil.smudge", "filter.a=b.clean", "filter.c.process"), "PROGRAM"),
    **dict.fromkeys(("uploadpack.packObjectsHook", "remote.origin.uploadpack", "remote.origin.vcs"), "PROGRAM"),
    "core.hooksPath": "HOOKS",
    "protocol.allow": "always",
    "protocol.ext.allow": "always",
    "extensions.partialClone": "origin",
    "remote.origin.promisor": "true",
    "remote.origin.partialclonefilter": "blob:none",
    "remote.origin.url": "ext::PROGRAM",
}
"""All that a repository can say of programs."""
HOOKS = ("post-index-change", "fsmonitor-watchman", "reference-transaction", "pre-auto-gc", "post-checkout")


@pytest.fixture
def hostile(git: Git, root: Path, tmp_path: Path) -> Path:
    """A checkout with a suite whose every setting names a program; returns the file that the program writes."""
    marker, program, hooks = tmp_path / "started", tmp_path / "program", tmp_path / "hooks"
    hooks.mkdir()
    for path in (program, *(hooks / name for name in HOOKS)):
        path.write_text(f'#!/bin/sh\necho "$0 $@" >> {marker}\nexit 1\n')
        path.chmod(0o755)
    git("init", "inner")
    git("commit", "--allow-empty", "-m", "inner", at=root / "inner")
    attributes = "tiny.toml filter=evil diff=evil merge=evil\nb filter=a=b\nc filter=c\n"
    (root / ".gitattributes").write_text(attributes)
    for name in ("b", "c"):
        (root / name).write_text(name)
    (root / "tiny.toml").write_text(f"{TINY}{CLAIMS.replace('0.5', '0.4')}")
    git("add", ".")
    git("commit", "-m", "earlier rules")
    lost = git("rev-parse", "HEAD:tiny.toml").strip()
    (root / "tiny.toml").write_text(TINY + CLAIMS)
    git("commit", "-a", "-m", "rules")
    signed = git("cat-file", "commit", "HEAD").replace("\n\n", "\ngpgsig -----BEGIN PGP SIGNATURE-----\n x\n\n", 1)
    git("reset", "--soft", git("hash-object", "-t", "commit", "-w", "--stdin", text=signed).strip())
    for name, value in SETTINGS.items():
        git("config", name, value.replace("PROGRAM", str(program)).replace("HOOKS", str(hooks)))
    git("config", "core.fsmonitor", str(program), at=root / "inner")
    (root / ".git" / "objects" / lost[:2] / lost[2:]).unlink()
    for path in (root / "tiny.toml", root / "b", root / "c"):
        os.utime(path, (0, 0))
    assert not marker.exists()
    return marker


@pytest.mark.parametrize(
    "usual",
    [
        *(("log", "-1"), ("show", "HEAD"), ("status",), ("describe", "--always", "--dirty")),
        ("-c", "core.fsmonitor=false", "status"),  # filters
        ("cat-file", "blob", "HEAD~1:tiny.toml"),  # an object that is missing
    ],
)
def test_usual_commands_start_the_programs_of_a_hostile_repository(
    git: Git, hostile: Path, usual: tuple[str, ...]
) -> None:
    git(*usual, ok=False)
    assert hostile.exists()


def test_nothing_that_vgbench_asks_starts_a_program(
    git: Git, root: Path, hostile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = fixed_in(read_suite(root / "tiny.toml"))
    head = ask(root, Checkout.commit)
    monkeypatch.setattr(provenance, "_PACKAGE", root / "vgbench")
    provenance._commit.cache_clear()
    assert provenance._commit() == head
    provenance._commit.cache_clear()
    assert not hostile.exists(), hostile.read_text()
    assert rules is not None
    assert isinstance(head, str)
    assert rules.commit == head  # and not dirty, whatever a filter would make of its files
