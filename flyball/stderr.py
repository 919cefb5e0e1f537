"""Holding back stderr: the engine writes a backtrace for every error that a step raises, told to people or not."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STDERR = 2


@contextmanager
def stderr_held_back(is_for_people: Callable[[BaseException], bool]) -> Iterator[None]:
    """Keep what this process writes to stderr; pass it on at the end, but not after an error that is for people."""
    noise = False
    sys.stderr.flush()
    with tempfile.TemporaryFile() as kept, os.fdopen(os.dup(_STDERR), "wb") as stderr:
        os.dup2(kept.fileno(), _STDERR)
        try:
            yield
        except BaseException as error:
            noise = is_for_people(error)
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr.fileno(), _STDERR)
            if not noise:
                kept.seek(0)
                shutil.copyfileobj(kept, stderr)
