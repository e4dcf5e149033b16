"""What people's own files hold, in a word: a case is known by it, wherever the files lie."""

import hashlib
from pathlib import Path


def fingerprint(path: str, pattern: str = "*") -> str:
    """Hash a file, or the files below a folder that match: 16 hexadecimal digits; empty where there is none.

    The names of files below a folder count, too.

    Raises:
        OSError: it is there and cannot be read.
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
