"""The drawing scripts, which are bundled once."""

from pathlib import Path

import pytest
import vl_convert

from vgbench.report.page.drawing import drawing_scripts
from vgbench.report.page.pack import compressed


@pytest.fixture
def bundled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of the bundler, which is quick here."""
    asked: list[str] = []

    def javascript_bundle(snippet: str) -> str:
        asked.append(snippet)
        return f"const vegaEmbed = 1;{snippet}"

    monkeypatch.setattr(vl_convert, "javascript_bundle", javascript_bundle)
    return asked


SCRIPTS = compressed("const vegaEmbed = 1;window.vegaEmbed = vegaEmbed;")


def test_scripts_are_bundled_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundled: list[str]) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert drawing_scripts.__wrapped__() == drawing_scripts.__wrapped__() == SCRIPTS
    assert len(bundled) == 1


def test_scripts_are_bundled_where_nothing_can_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundled: list[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert drawing_scripts.__wrapped__() == drawing_scripts.__wrapped__() == SCRIPTS
    assert len(bundled) == 2
