"""Whether a learning rate carries over, and the picture of how it was chosen."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from helpers.made import BASE, ORIGIN, measured

from vgbench.records.runs import Entry, Run
from vgbench.records.schema import CellRecord, Manifest, Row
from vgbench.report.charts.tuning import learning_rates
from vgbench.report.transfer import answer, sentences, transfers
from vgbench.spec.case import Case


def cell(width: int, scores: tuple[float, float], **fields: Any) -> CellRecord:
    """A trained cell whose two learning rates have these mean scores on the tuning seeds."""
    case = Case.model_validate({**BASE.model_dump(), "width": width, "optimizer": "adam", "steps": 50, **fields})
    record = measured(case)
    assert record.training is not None
    tuning = np.repeat(np.asarray(scores, np.float32)[:, None], 2, axis=1)
    rate = case.learning_rates[int(np.argmax(scores))]
    return replace(record, training=replace(record.training, tuning_metric=tuning, learning_rate=rate))


def run(*cells: tuple[str, CellRecord]) -> Run:
    entries = []
    for place, (name, record) in enumerate(cells):
        row = Row(place, name, {"width": record.case.width}, record.case.cell_id, record.case.cell_id, None)
        entries.append(Entry(row, record, record, None))
    manifest = Manifest("tiny", "Tiny", "Does it carry over?", tuple(entry.row for entry in entries), ORIGIN)
    return Run(manifest, "Chip", tuple(entries))


MUP: dict[str, Any] = {"parametrization": {"name": "mup", "base_width": 4}, "init": "lecun_normal"}
RUN = run(
    ("baseline", cell(4, (0.5, 0.75))),
    ("baseline", cell(8, (0.75, 0.25))),
    ("mup", cell(4, (0.5, 0.75), **MUP)),
    ("mup", cell(8, (0.5, 0.875), **MUP)),
)


def test_loss_is_that_of_the_rate_which_is_best_at_the_smallest_width() -> None:
    standard, mup = transfers([RUN])
    assert (standard.loss, mup.loss) == (0.5, 0.0)
    assert sentences([standard, mup]) == [
        "baseline: the best learning rate at width 4 (0.2) loses 0.500 of validation accuracy at width 8, where 0.1 is"
        " the best.",
        "mup: the best learning rate at width 4 (0.2) is the best at width 8, too.",
    ]


def test_mitigations_of_which_the_same_holds_share_a_sentence() -> None:
    mup = transfers([RUN])[1]
    also = mup._replace(group=mup.group._replace(mitigation="completep"))
    assert sentences([mup, also])[0].startswith("mup, completep: the best")


def test_answer_is_what_the_best_rate_at_the_smallest_width_loses_at_the_greatest() -> None:
    assert answer(transfers([RUN])) == [
        "Kept at width 8, the best learning rate of width 4 loses this much validation accuracy: 0.000 with mup; 0.500"
        " with baseline."
    ]


def test_suites_of_other_mitigations_say_nothing_of_it() -> None:
    assert transfers([run(("baseline", cell(4, (0.5, 0.75))), ("baseline", cell(8, (0.75, 0.25))))]) == []


def test_picture_has_a_panel_a_mitigation_and_a_line_a_place() -> None:
    definition = learning_rates([RUN])
    assert definition is not None
    assert [panel["title"] for panel in definition["concat"]] == ["baseline", "mup"]
    rows = pd.DataFrame([row for data in definition["datasets"].values() for row in data])
    assert {"width 4", "width 8"} <= set(rows["mitigation"])


def test_cells_of_a_single_rate_have_no_picture() -> None:
    case = BASE.model_copy(update={"learning_rates": (0.1,)})
    assert learning_rates([run(("baseline", measured(case)))]) is None
