"""The page about reported faults, from the file of answers alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from answers import Answer
from faults.train import WAYS
from score import ratio, table
from symptoms import MEANS

HEAD = ["cause named", "by the first name", "misleading", "not enough recorded", "fixed run accused"]


def page(content: Mapping[str, Any]) -> str:
    """The published page."""
    parts = ["# Faults that people reported"]
    for half, scorings in content.items():
        parts += [f"## Reported faults: the {half} half", *_half(half, scorings)]
    return "\n\n".join(parts) + "\n"


def _half(half: str, scorings: Mapping[str, Any]) -> list[str]:
    first, now = scorings["first"], scorings.get("now")
    last = now or first
    answers = [Answer(**row) for row in last["rows"]]
    proven = [answer for answer in answers if answer.borne_out]
    dropped = ", ".join(answer.name for answer in answers if not answer.borne_out) or "none"
    rules = f"the rules with the digest {last['rules']}"
    parts = [f"{len(proven)} runs whose label the fix bore out; left out, since it did not: {dropped}."]
    if half == "tuning":
        parts.append(f"Rules were set on this half. The scores are those of {rules}.")
    elif now is None:
        parts.append(f"Scored with {rules}, which had not seen this half, and have not been changed after it.")
    else:
        before = [answer for row in first["rows"] if (answer := Answer(**row)).borne_out]
        parts += [
            f"Scored first with the rules of {first['rules']}, which had not seen this half:",
            _scores(before),
            f"**The rules were changed after that.** Everything below is of {rules}, and is no measure of how they"
            " generalise.",
        ]
    tables = [_scores(proven), _causes(proven), _tools(proven), _causes_of_tools(proven), _answers(proven)]
    return [*parts, *filter(None, tables), _made_by(last)]


def _made_by(scoring: Mapping[str, Any]) -> str:
    origin = scoring["provenance"]
    packages = ", ".join(f"{name} {version}" for name, version in origin["packages"].items())
    made = f"`python benchmarks/diagnosis/reported.py {scoring['command']}`"
    return f"Made by {made} on {origin['cpu']}, commit {origin['commit']}, Python {origin['python']}, {packages}."


def _scores(answers: Sequence[Answer]) -> str:
    lines = []
    groups = sorted({answer.group for answer in answers})
    for group in groups:
        own = [answer for answer in answers if answer.group == group]
        for way in WAYS:
            kinds = "named", "outright", "misled", "undecided", "accused"
            counts = [sum(getattr(each, kind)(way) for each in own) for kind in kinds]
            lines.append([group, way, *(ratio(count, len(own)) for count in counts)])
    if len(groups) == 1:
        return table(["recording", *HEAD], [line[1:] for line in lines])
    return table(["label", "recording", "right", *HEAD[1:]], lines)


def _causes(answers: Sequence[Answer]) -> str:
    kinds = ("recall", "precision", "misleading", "not enough recorded")
    head = ["cause", *(f"{kind}, {way}" for kind in kinds for way in WAYS)]
    lines = []
    for cause in sorted({answer.cause[0] for answer in answers}):
        own = [answer for answer in answers if answer.cause[0] == cause]
        recall = [f"{sum(answer.named(way) for answer in own)}/{len(own)}" for way in WAYS]
        misled = [f"{sum(answer.misled(way) for answer in own)}/{len(own)}" for way in WAYS]
        undecided = [f"{sum(answer.undecided(way) for answer in own)}/{len(own)}" for way in WAYS]
        lines.append([cause, *recall, *(_precision(cause, answers, way) for way in WAYS), *misled, *undecided])
    return table(head, lines)


def _precision(cause: str, answers: Sequence[Answer], way: str) -> str:
    said = [answer for answer in answers if answer.broken[way][0] == cause]
    alarms = sum(answer.fixed[way][0] == cause for answer in answers)
    return f"{sum(cause in answer.cause for answer in said)}/{len(said) + alarms}"


def _tools(answers: Sequence[Answer]) -> str:
    """The same of other tools; vgbench's line is that of full recording, which is what they are given."""
    asked = [answer for answer in answers if answer.symptoms]
    if not asked:
        return ""
    ours = [[getattr(each, kind)("full") for each in asked] for kind in ("named", "misled", "undecided", "accused")]
    lines = [["vgbench", *_shares(ours)], *([tool, *_shares(_of_tool(tool, asked))] for tool in asked[0].symptoms)]
    return table(["tool", "a cause named", "misleading", "nothing said", "fixed run accused"], lines)


def _of_tool(tool: str, answers: Sequence[Answer]) -> list[list[bool]]:
    return [
        [each.recognised(tool) for each in answers],
        [each.mistaken(tool) for each in answers],
        [not each.symptoms[tool] for each in answers],
        [bool(each.alarms[tool]) for each in answers],
    ]


def _causes_of_tools(answers: Sequence[Answer]) -> str:
    """Recall and precision of each tool by cause; a symptom counts as said of every cause that it may have."""
    asked = [answer for answer in answers if answer.symptoms]
    if not asked:
        return ""
    tools = list(asked[0].symptoms)
    lines = []
    for cause in sorted({answer.cause[0] for answer in asked}):
        own = [answer for answer in asked if answer.cause[0] == cause]
        recall = [f"{sum(answer.recognised(tool) for answer in own)}/{len(own)}" for tool in tools]
        lines.append([cause, *recall, *(_precision_of(tool, cause, asked) for tool in tools)])
    return table(["cause", *(f"recall, {tool}" for tool in tools), *(f"precision, {tool}" for tool in tools)], lines)


def _precision_of(tool: str, cause: str, answers: Sequence[Answer]) -> str:
    def says(symptoms: Sequence[str]) -> bool:
        return any(cause in MEANS[symptom] for symptom in symptoms)

    said = [answer for answer in answers if says(answer.symptoms[tool])]
    alarms = sum(says(answer.alarms[tool]) for answer in answers)
    return f"{sum(cause in answer.cause for answer in said)}/{len(said) + alarms}"


def _shares(counted: Sequence[Sequence[bool]]) -> list[str]:
    return [ratio(sum(each), len(each)) for each in counted]


def _answers(answers: Sequence[Answer]) -> str:
    head = ["fault", "family", "source", "label", *WAYS]
    lines = [
        [
            answer.name.replace("_", " "),
            answer.family,
            answer.source,
            answer.cause[0],
            *(", ".join(answer.broken[way]) for way in WAYS),
        ]
        for answer in answers
    ]
    return table(head, lines)
