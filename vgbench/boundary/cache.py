"""The user's cache folder, of which any part may be missing, or go, at any time."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where vgbench keeps what it can make again."""
    home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
    return Path(home) / "vgbench"
