"""Where compiled kernels are kept between starts.

numba checks only the file of the kernel itself: after a change in a kernel that it calls, it would load machine code
made for another version, and crash. So the folder of the cache is named after all source files of this package.
Compiling everything takes about a minute, once; an image is built with a warm cache by running any replay.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zlib
from pathlib import Path

_HERE = Path(__file__).parent
_KEPT = 3
"""Versions kept: whoever goes back and forth between two does not compile each time."""


def choose_kernel_cache() -> None:
    """Set NUMBA_CACHE_DIR, unless it is set already; must happen before numba is imported."""
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    name = f"kernels-{_version():08x}"
    for parent in (_HERE / "__pycache__", _home_cache(), Path(tempfile.gettempdir()) / f"flyball-{os.getuid()}"):
        if parent is not None and _is_usable(parent / name):
            os.environ["NUMBA_CACHE_DIR"] = str(parent / name)
            return


def _home_cache() -> Path | None:
    try:
        return Path.home() / ".cache" / "flyball"
    except RuntimeError:  # a user without a home
        return None


def _is_usable(folder: Path) -> bool:
    """Make the folder if it is missing; numba needs to write to it, also when it only reads."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.utime(folder)
        _forget_old(folder.parent)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _version() -> int:
    """Give a number that changes when any source file does."""
    stats = ((str(path), path.stat()) for path in sorted(_HERE.rglob("*.py")))
    return zlib.crc32(repr([(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats]).encode())


def _forget_old(parent: Path) -> None:
    by_use = sorted(parent.glob("kernels-*"), key=lambda folder: folder.stat().st_mtime_ns, reverse=True)
    for folder in by_use[_KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)
