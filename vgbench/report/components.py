"""The page of members: what each slot offers, with options, source and the model families that it fits."""

import json
from collections.abc import Sequence

from pydantic import ValidationError

from vgbench.spec.case import Case
from vgbench.spec.registry import MODELS, REGISTRIES, Choice

COMMAND = "vgbench list --markdown > docs/members.md"

_HEAD = f"""# Members

What a suite can name in each slot, with the defaults of its options. The last columns say whether there can be a case
of that model family with this member alone, all else being the default, or why not.

Written by `{COMMAND}`.
"""


def members_page() -> str:
    """The page in Markdown, a table for each slot."""
    return "\n".join([_HEAD, *(_section(slot) for slot in REGISTRIES if slot not in ("model", "data"))])


def _section(slot: str) -> str:
    families = [family.name for family in MODELS if family.name != MODELS.imports]
    lines = [_line(["name", "meaning", "options", "source", *families]), _line(["---"] * (4 + len(families)))]
    for member in REGISTRIES[slot]:
        fits = [_fit(slot, member.name, family) for family in families]
        cells = [f"`{member.name}`", member.meaning, _options(member.choice), member.source, *fits]
        lines.append(_line([_cell(cell) for cell in cells]))
    return f"## {slot}\n\n" + "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _options(choice: type[Choice]) -> str:
    fields = {name: field for name, field in choice.model_fields.items() if name != "name"}
    return ", ".join(
        f"`{name}` (required)" if field.is_required() else f"`{name} = {json.dumps(field.default)}`"
        for name, field in fields.items()
    )


def _cell(text: str) -> str:
    """What members say of themselves, whose code is in backticks."""
    return " ".join(text.splitlines()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _fit(slot: str, name: str, family: str) -> str:
    try:
        Case.model_validate({"model": family, slot: name})
    except ValidationError as error:
        faults = [fault["msg"].removeprefix("Value error, ") for fault in error.errors(include_url=False)]
        return "; ".join(fault.removeprefix(f"{slot} {name!r}: ") for fault in faults)
    return "yes"
