"""Compiling what is not compiled yet: by one process at a time, on more than one core.

numba compiles on one core, and its cache has no lock: two processes that save versions of one kernel at once can leave
the machine code of one under the signature of the other. So the folder is locked while it is filled, and the parts that
are compiled side by side have folders of their own, which are put together afterwards.
"""

from __future__ import annotations

import fcntl
import gc
import os
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from models.kernel_cache import choose_kernel_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CACHE = "NUMBA_CACHE_DIR"
_READY, _LOCK = "ready", "lock"


def is_compiled() -> bool:
    """Say whether all kernels lie on disk, so that a start takes seconds; may come before any kernel is imported."""
    choose_kernel_cache()
    folder = os.environ.get(CACHE)
    return folder is None or (Path(folder) / _READY).exists()


@contextmanager
def compiling(parts: Sequence[tuple[str, str]], say: Callable[[str], None]) -> Iterator[None]:
    """Hold the cache of kernels for a block that compiles, or loads, all of them.

    `parts` are functions, as module and name, that compile much and share little: they are called first, each in a
    process of its own. What they leave, the block compiles itself, so none of them has to succeed.
    """
    folder = os.environ.get(CACHE)
    if folder is None or (Path(folder) / _READY).exists():
        yield
        return
    place = Path(folder)
    with (place / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / _READY).exists():
            say("compiling, once: about a minute on two free cores")
            _compile_apart(place, parts)
        yield
        (place / _READY).touch()


def _compile_apart(place: Path, parts: Sequence[tuple[str, str]]) -> None:
    """Call `parts` side by side, and take over what they compiled."""
    with TemporaryDirectory(dir=place.parent, prefix=f"{place.name}-") as apart:
        folders = [Path(apart) / name for _, name in parts]
        calls = [f"import flows.compiling as c; c.call_part({module!r}, {name!r})" for module, name in parts]
        with ExitStack() as ending:  # whatever happens here, a child ends as its stdin does
            children = [ending.enter_context(_start(call, folder)) for call, folder in zip(calls, folders, strict=True)]
            for child, folder in zip(children, folders, strict=True):
                child.wait()
                _take_over(folder, place)


def _start(call: str, folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, CACHE: str(folder)}
    return subprocess.Popen([sys.executable, "-c", call], stdin=subprocess.PIPE, env=environment)  # noqa: S603 -- ours


def call_part(module: str, name: str) -> None:
    """Call a function, in a process that ends when its parent does."""
    gc.disable()  # looking for garbage is a tenth of the time of compiling
    threading.Thread(target=_end_with_parent, daemon=True).start()
    getattr(__import__(module, fromlist=[name]), name)()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def _take_over(source: Path, target: Path) -> None:
    """Move the kernels that `target` has not; the files of one kernel only go together with their index."""
    for index in source.rglob("*.nbi"):
        folder = target / index.relative_to(source).parent
        if (folder / index.name).exists():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        for code in index.parent.glob(f"{index.stem}.*.nbc"):
            code.rename(folder / code.name)
        index.rename(folder / index.name)
