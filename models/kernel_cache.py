"""Where compiled kernels are kept between starts.

numba checks only the file of the kernel itself: after a change in a kernel that it calls, it would load machine code
made for another version, and crash. So the folder of the cache is named after the content of every file that a kernel
can depend on: those that make kernels, and all that these import, directly or not. Other files of this package change
without a kernel being compiled again.
Compiling everything takes some 40 s on two cores, once; an image is built with a warm cache by running any replay.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from hashlib import blake2b
from pathlib import Path

_HERE = Path(__file__).parent
_KEPT = 3
"""Versions kept: whoever goes back and forth between two does not compile each time."""

_MAKES_KERNELS = re.compile(r"^(?:from|import) (?:numba|models\.kernels)\b", re.MULTILINE)
_IMPORTS = re.compile(r"^ *(?:from (models[\w.]*) import +([\w, ]+|\([^)]*\))|import (models[\w.]*))", re.MULTILINE)


def choose_kernel_cache() -> None:
    """Set NUMBA_CACHE_DIR, unless it is set already; must happen before numba is imported."""
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    name = f"kernels-{_version()}"
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


def _version() -> str:
    """Give a name that changes when a file that kernels can depend on does; takes 20 ms."""
    sources = {_module(path): path.read_text() for path in _HERE.rglob("*.py")}
    reached: set[str] = set()
    waiting = [module for module, text in sources.items() if _MAKES_KERNELS.search(text)]
    while waiting:
        module = waiting.pop()
        if module in sources and module not in reached:
            reached.add(module)
            waiting += _imported(sources[module])
    digest = blake2b(digest_size=8)
    for module in sorted(reached):
        digest.update(f"{module}\0{sources[module]}\0".encode())
    return digest.hexdigest()


def _module(path: Path) -> str:
    parts = path.relative_to(_HERE).with_suffix("").parts
    return ".".join(["models", *(part for part in parts if part != "__init__")])


def _imported(text: str) -> set[str]:
    """Give all that may be a module among what a source imports from this package, the packages above included."""
    found: set[str] = set()
    for source, names, module in _IMPORTS.findall(text):
        found |= {f"{source}.{name}" for name in re.findall(r"\w+", names)}
        parts = (source or module).split(".")
        found |= {".".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
    return found


def _forget_old(parent: Path) -> None:
    by_use = sorted(parent.glob("kernels-*"), key=lambda folder: folder.stat().st_mtime_ns, reverse=True)
    for folder in by_use[_KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)
