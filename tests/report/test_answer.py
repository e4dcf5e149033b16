"""The answer in two sentences."""

from typing import Any

import pandas as pd

from vgbench.report.answer import answer

NAN = float("nan")


def row(mitigation: str, depth: int = 8, **values: Any) -> dict[str, Any]:
    trained = {"trained": NAN, "seeds": 3, "metric": NAN, "test_metric": NAN, "target": NAN, "step_ratio": NAN}
    trained["none_better_than_chance"] = False
    gradient = {"decay": -0.5, "log10_first_over_last": -4.0}
    return {
        "device": "Chip",
        "depth": depth,
        "mitigation": mitigation,
        "reference": "baseline",
        **trained,
        **gradient,
        **values,
    }


def trained(mitigation: str, depth: int, seeds: int, accuracy: float, ratio: float) -> dict[str, Any]:
    return row(mitigation, depth, trained=seeds, metric="accuracy", test_metric=accuracy, target=0.9, step_ratio=ratio)


def test_answer_is_about_the_greatest_depth_that_is_trained() -> None:
    rows = [
        trained("baseline", 8, 3, 0.95, 1.0),
        trained("baseline", 24, 0, 0.1, 1.0),
        trained("he", 24, 3, 0.93, 0.98),
        trained("residual", 24, 3, 0.96, 1.2),
        row("baseline", 100),
    ]
    assert answer(pd.DataFrame(rows), ["depth"]) == [
        "At depth 24, 2 of 3 networks reach 90% test accuracy with every seed; residual is the most accurate (0.960)"
        " and he the cheapest (0.98 times the step time of the baseline).",
        "This does not: baseline (gradient loses 4.0 decades).",
    ]


def test_best_that_is_also_the_cheapest_is_named_once() -> None:
    found = answer(pd.DataFrame([trained("baseline", 8, 0, 0.1, 1.0), trained("he", 8, 3, 0.93, 0.98)]), [])
    assert "he is the most accurate (0.930) and the cheapest (0.98 times" in found[0]


def test_reference_that_is_the_cheapest_is_not_compared_with_itself() -> None:
    rows = [trained("baseline", 8, 3, 0.93, 1.01), trained("he", 8, 3, 0.95, 1.005)]
    assert answer(pd.DataFrame(rows), [])[0].endswith("; he is the most accurate (0.950) and baseline the cheapest.")


def test_nothing_reaches_the_target() -> None:
    rows = [trained(name, 8, 2, 0.85 if name == "a" else 0.8, 1.0) for name in ("baseline", "a", "b")]
    rows[1]["log10_first_over_last"], rows[2]["log10_first_over_last"] = 0.03, 1234.5
    assert answer(pd.DataFrame(rows), ["depth"]) == [
        "At depth 8, none of 3 networks reaches 90% test accuracy with every seed; closest is a (0.850).",
        "At initialisation, the gradient keeps its size with a and gains 1,234.5 decades with b, which change it least"
        " and most.",
    ]
    chance = [{**row, "none_better_than_chance": True} for row in rows]
    assert answer(pd.DataFrame(chance), [])[0].endswith(" with every seed.")


def test_gradient_that_all_have_is_named_once_where_nothing_reaches_the_target() -> None:
    rows = [trained(name, 8, 0, 0.1, 1.0) for name in ("baseline", "clipping")]
    found = answer(pd.DataFrame(rows), [])[1]
    assert found == "At initialisation, the gradient loses 4.0 decades with each of them."
    unknown = [{**row, "log10_first_over_last": NAN} for row in rows]
    assert len(answer(pd.DataFrame(unknown), [])) == 1


def test_sentence_names_four_of_those_that_do_not_train() -> None:
    rows = [trained(name, 8, 3 if name == "f" else 0, 0.8, 1.0) for name in ("baseline", *"abcdef")]
    assert answer(pd.DataFrame(rows), [])[1].endswith(", and 2 others.")


def test_gradient_that_is_exactly_zero_loses_no_number_of_decades() -> None:
    zero = {**trained("irnn", 8, 0, 0.1, 1.0), "log10_first_over_last": -float("inf")}
    found = answer(pd.DataFrame([zero, trained("lstm", 8, 3, 0.95, 1.0)]), [])
    assert found[1] == "This does not: irnn (gradient is exactly zero at the first layers)."


def test_gradient_that_changes_by_less_than_shown_keeps_its_size() -> None:
    kept = {**trained("he", 8, 0, 0.1, 1.0), "log10_first_over_last": 0.03}
    found = answer(pd.DataFrame([kept, trained("lstm", 8, 3, 0.95, 1.0)]), [])
    assert found[1] == "This does not: he (gradient keeps its size)."


def test_run_without_training_is_answered_by_its_gradients() -> None:
    rows = [row("baseline"), row("he", log10_first_over_last=0.5, decay=0.1), row("remat")]
    assert answer(pd.DataFrame(rows), ["depth"]) == [
        "At depth 8, nothing was trained; the gradient changes least with he (gradient gains 0.5 decades).",
        "It changes most with baseline (gradient loses 4.0 decades).",
    ]


def test_run_without_measurements_has_no_answer_yet() -> None:
    rows = [row("baseline", decay=NAN, log10_first_over_last=NAN)]
    assert answer(pd.DataFrame(rows), ["depth"]) == ["Nothing is measured yet."]
