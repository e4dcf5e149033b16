"""What several findings have in common, said once."""

from vgbench.report.shared import grouped, said_once, shares


def test_names_of_which_the_same_is_said_share_a_sentence() -> None:
    said = [("mup", " fits."), ("baseline", " does not."), ("completep", " fits."), ("mup", " fits.")]
    assert said_once(said) == ["mup, completep fits.", "baseline does not."]


def test_names_with_the_same_amount_share_it_in_the_order_given() -> None:
    amounts = [("mup", "0.1"), ("baseline", "0.3"), ("completep", "0.1"), ("mup", "0.1")]
    assert shares(amounts) == "0.1 with mup, completep; 0.3 with baseline"


def test_groups_keep_the_order_of_what_they_hold() -> None:
    assert grouped([3, 1, 4, 2, 5], lambda number: number % 2) == {1: [3, 1, 5], 0: [4, 2]}
