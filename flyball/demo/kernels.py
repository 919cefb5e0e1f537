"""Kernels of the demo: on a first start its agents compile while the parts do, into a folder of their own."""

from __future__ import annotations

import os
from pathlib import Path

from flows.compiling import CACHE

_AGENTS = "agents"


def part(*, is_cold: bool) -> None:
    """Keep what this process compiles apart from what the parts compile; must come before numba is imported.

    Two processes must not fill one folder at once (`flows.compiling`). Where nobody compiles both use the one there is.
    """
    folder = os.environ.get(CACHE)
    own = Path(folder or os.devnull) / _AGENTS
    if folder is not None and (is_cold or own.exists()):
        own.mkdir(parents=True, exist_ok=True)
        os.environ[CACHE] = str(own)


def count() -> int:
    """Count the kernels on disk, also those that are being put together beside the folder of the parts."""
    parts = Path(os.environ.get(CACHE, os.devnull)).parent
    return sum(1 for place in parts.parent.glob(f"{parts.name}*") for _ in place.rglob("*.nbi"))
