"""After os.fork, as servers with workers do it, the child has no threads, and locks that nobody will give back.

What has such registers here and is renewed in the child, before anything else runs there.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Renewed(Protocol):
    """Something that is renewed in the child."""

    def renew(self) -> None:
        """Make new locks, drop connections, start threads again. Only the forking thread is alive."""


def renew_after_fork(thing: Renewed) -> None:
    """Renew a thing in every child, for as long as it is there."""
    _things.add(thing)


_things: weakref.WeakSet[Renewed] = weakref.WeakSet()


def _renew_all() -> None:
    for thing in list(_things):
        thing.renew()


os.register_at_fork(after_in_child=_renew_all)
