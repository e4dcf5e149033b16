"""Records that somebody changed and signed anew, so that nothing but what they say can give them away."""

import hashlib
import io
import json
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from vgbench.records.migrations import SCHEMA
from vgbench.spec.case import case_id, content_id

Change = Callable[[Any, dict[str, np.ndarray]], None]
"""Changes a record's JSON and its arrays in place."""


def forge(path: Path, change: Change, packed: Callable[[bytes], bytes] = lambda content: content) -> None:
    """Change a record on disk, and sign it anew; its arrays then lie in a file beside it.

    Args:
        path: of its JSON.
        change: of its JSON and arrays.
        packed: of the archive as a whole.
    """
    content, archive = json.loads(path.read_text()), path.with_suffix(".npz")
    held = b64decode(content.get("arrays", "")) or (archive.read_bytes() if archive.exists() else b"")
    arrays = dict(np.load(io.BytesIO(held))) if held else {}
    change(content["record"], arrays)
    sign(path, content["record"], packed(pack(arrays)) if arrays else b"", content.get("schema", 1))


def rename(path: Path) -> Path:
    """Give the record of a cell the name of its case as it now is, in the manifest, too; returns its new place."""
    old, new = path.stem, case_id(json.loads(path.read_text())["record"]["case"])

    def follow(body: Any, arrays: dict[str, np.ndarray]) -> None:
        for row in body["rows"]:
            row.update({name: new for name in ("cell_id", "reference_id") if row[name] == old})
            row["cost_id"] = content_id([row["cell_id"], row["reference_id"]])

    forge(path.parent.parent / "manifest.json", follow)
    for suffix in (".json", ".npz"):
        if path.with_suffix(suffix).exists():
            path.with_suffix(suffix).rename(path.with_name(new + suffix))
    return path.with_name(f"{new}.json")


def pack(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # pyright: ignore[reportArgumentType]
    return buffer.getvalue()


def sign(path: Path, body: Any, packed: bytes, schema: int = SCHEMA) -> None:
    """Write a record of this version of the schema with the digest of what it holds."""
    hashed, version = (body, {}) if schema == 1 else ([schema, body], {"schema": schema})
    digest = hashlib.sha256(json.dumps(hashed, sort_keys=True).encode() + packed).hexdigest()
    path.write_text(json.dumps({**version, "digest": digest, "record": body}))
    path.with_suffix(".npz").unlink(missing_ok=True)
    if packed:
        path.with_suffix(".npz").write_bytes(packed)


def nested(levels: int) -> Any:
    return [] if levels == 0 else [nested(levels - 1)]


VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 3, 2**31, 10**9, 2**63 - 1, 10**30, 10**400, 0.5, -2.5, 1e-320, 1e308, -0.0),
    *({"$float": "nan"}, {"$float": "inf"}, {"$float": "1"}, {"$float": []}, float("nan"), float("inf")),
    *("", "x", "relu", "none", "ok", "diverged", "crashed", "é" * 10_000, "\ud800", "a\nb\x1b[2J", "../../../x"),
    *("os:getcwd", "2026-01-01T00:00:00+00:00", "f" * 16, [], {}, [1, "x", None], nested(40), nested(400)),
    *({"name": "imported", "build": "os:getcwd"}, {"name": "npz", "path": "/dev/zero"}, {"name": []}, {"": {"": {}}}),
    *({"$array": "gradients.reads_zero"}, {"$array": ["x"]}, {"$array": "training.loss", "more": 1}),
]
"""What a field may be replaced by."""


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """One to three changes of a record, most of them to its JSON."""
    steps = draw(
        st.lists(st.sampled_from([_replace, _replace, _drop, _add, _swap, _repeat, _array, _array]), max_size=3)
    )
    chosen = [(step, draw(st.randoms(use_true_random=False))) for step in steps or [_replace]]

    def change(body: Any, arrays: dict[str, np.ndarray]) -> None:
        for step, random in chosen:
            step(body, arrays, random)

    return change


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every field and item below a value: what holds it, and its name or number there."""
    items = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    return [each for name, inner in items for each in ((value, name), *_places(inner))]


def _replace(body: Any, arrays: dict[str, np.ndarray], random: Any) -> None:
    holder, name = random.choice(_places(body))
    holder[name] = random.choice(VALUES)


def _drop(body: Any, arrays: dict[str, np.ndarray], random: Any) -> None:
    holder, name = random.choice(_places(body))
    del holder[name]


def _add(body: Any, arrays: dict[str, np.ndarray], random: Any) -> None:
    holder, _ = random.choice(_places(body))
    if isinstance(holder, dict):
        holder[random.choice(["extra", "name", "path", "digest", "$array", "$float", "", "é"])] = random.choice(VALUES)
    else:
        holder.append(random.choice(VALUES))


def _swap(body: Any, arrays: dict[str, np.ndarray], random: Any) -> None:
    holder, name = random.choice(_places(body))
    other = random.choice([each for where, each in _places(body) if where is holder])
    holder[name], holder[other] = holder[other], holder[name]


def _repeat(body: Any, arrays: dict[str, np.ndarray], random: Any) -> None:
    lists = [holder[name] for holder, name in _places(body) if isinstance(holder[name], list) and holder[name]]
    for each in lists[:1] and [random.choice(lists)]:
        each.append(random.choice(each))


def _array(body: Any, arrays: dict[str, np.ndarray], random: Any) -> None:
    if not arrays:
        return
    name, other = random.choice(sorted(arrays)), random.choice(sorted(arrays))
    array = arrays[name]
    entry = random.choice([np.nan, np.inf, -np.inf, -1, 0, 1, 1e30, 1e308, 2**40])
    first = np.arange(array.size).reshape(array.shape) == 0
    with np.errstate(all="ignore"):
        spoiled = [
            *(
                array.T,
                array[None],
                array[..., None],
                array[:0],
                array[..., :-1],
                array.ravel(),
                array.repeat(2, axis=0),
            ),
            *(array.astype(dtype) for dtype in ("f2", "f4", "f8", "i8", "u1", "?", "S4", "c8", ">f8")),
            *(
                np.full(array.shape, entry).astype(array.dtype),
                np.where(first, np.full(array.shape, entry).astype(array.dtype), array),
            ),
        ]
    match random.randrange(4):
        case 0:
            del arrays[name]
        case 1:
            arrays[name], arrays[other] = arrays[other], arrays[name]
        case _:
            arrays[name] = random.choice(spoiled)
