"""Sentences that are the same of several mitigations, said once."""

from vgbench.report.shared import said_once


def test_names_of_which_the_same_is_said_share_a_sentence() -> None:
    said = [("mup", " fits."), ("baseline", " does not."), ("completep", " fits."), ("mup", " fits.")]
    assert said_once(said) == ["mup, completep fits.", "baseline does not."]
