"""The hash of a user's data files, which is part of the case; it does not depend on their path."""

import hashlib
from pathlib import Path


def fingerprint(path: str, pattern: str = "*") -> str:
    """Hash a file, or the files below a folder that match `pattern`: 16 hexadecimal digits; empty if there is no file.

    The hash of a folder includes the names of its files.

    Raises:
        OSError: a file exists but cannot be read.
    """
    root, digest = Path(path), hashlib.sha256()
    for file in sorted(each for each in root.rglob(pattern) if each.is_file()) if root.is_dir() else [root]:
        if not file.is_file():
            return ""
        if file != root:
            digest.update(file.relative_to(root).as_posix().encode() + b"\0")
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()[:16]
