"""Kernels of the demo: its agents have a folder of their own for theirs, and compile while the parts do."""

from __future__ import annotations

import os
from pathlib import Path

from flows.compiling import CACHE

_AGENTS = "agents"


def part() -> None:
    """Keep what this process compiles from now on apart from what the parts compile; before numba is imported.

    Two processes must not fill one folder at once (`flows.compiling`).
    """
    folder = os.environ.get(CACHE)
    if folder is not None:
        own = Path(folder) / _AGENTS
        own.mkdir(parents=True, exist_ok=True)
        os.environ[CACHE] = str(own)


def count() -> int:
    """Count the kernels on disk, also those that are being put together beside the folder of the parts."""
    parts = Path(os.environ.get(CACHE, os.devnull)).parent
    return sum(1 for place in parts.parent.glob(f"{parts.name}*") for _ in place.rglob("*.nbi"))
