"""The JSON Schema of records, made from the dataclasses that every record is checked against when it is read.

It is published as `docs/_static/record.schema.json`, and written again by

    python -m vgbench.records.json_schema > docs/_static/record.schema.json
"""

import json
import sys
from typing import Any

from vgbench.boundary.encoding import encoded
from vgbench.boundary.schema import json_definitions
from vgbench.records.migrations import SCHEMA
from vgbench.records.schema import CellRecord, CostRecord, Manifest

_KINDS = (CellRecord, CostRecord, Manifest)
_CHOICE = {
    "type": "object",
    "description": "A member of a slot and its options, of which plug-ins may add others.",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
}


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a file that holds a record of today's version."""
    definitions, _ = encoded(json_definitions(*_KINDS))  # a default may be NaN
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Record of vgbench, version {SCHEMA} of the schema",
        "type": "object",
        "properties": {
            "schema": {"const": SCHEMA},
            "digest": {
                "type": "string",
                "pattern": "^[0-9a-f]{64}$",
                "description": "SHA-256 of [schema, record] as JSON with sorted keys, followed by the bytes of arrays.",
            },
            "record": {"oneOf": [{"$ref": f"#/$defs/{kind.__name__}"} for kind in _KINDS]},
            "arrays": {
                "type": "string",
                "contentEncoding": "base64",
                "description": "An .npz archive of the arrays, each under its place; empty without any.",
            },
        },
        "required": ["schema", "digest", "record", "arrays"],
        "additionalProperties": False,
        "$defs": {**definitions, "Choice": _CHOICE},
    }


def text() -> str:
    """The same as the published file has it."""
    return f"{json.dumps(json_schema(), indent=1, allow_nan=False)}\n"


if __name__ == "__main__":
    sys.stdout.write(text())
