"""Hearsay: what the run shards of a flow tell each other of evaluated workflows.

Whoever evaluates under a service name of its own and says no workflow is known only by the runs that it scores. So the
shard of such a run tells the others, that their runs of that workflow wait for evaluations too. A dataflow has no way
back from a step to itself; the shards of a process share this object, those of several processes a folder.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_LOOK_EVERY_NS = 1_000_000_000

Times = dict[int, int]
"""Workflow (name digest) -> event time of the first evaluation, Unix ns."""


class Hearsay:
    """What each shard has learnt, the newest word of it; `folder` None: only within this process."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._said: dict[str, Times] = {}
        self._stamps: dict[str, int] = {}
        self._version = 0
        self._looked_ns = -_LOOK_EVERY_NS
        self._shards: dict[str, Callable[[], None]] = {}
        self._is_settled = False

    def say(self, shard: str, learnt: Mapping[int, int]) -> None:
        """Say what a shard has learnt, in place of what it said before."""
        if self._said.get(shard, {}) == learnt:
            return
        self._said[shard] = dict(learnt)
        self._version += 1
        if self._folder:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / f"{shard}.json"
            new = path.with_suffix(f".{os.getpid()}")
            new.write_bytes(orjson.dumps({str(name): time for name, time in learnt.items()}))
            new.replace(path)
            self._stamps[shard] = path.stat().st_mtime_ns

    def heard(self, shard: str) -> Times:
        """Give the earliest times that other shards have said."""
        times: Times = {}
        for other, said in self._said.items():
            for name, time in said.items() if other != shard else ():
                times[name] = min(time, times.get(name, time))
        return times

    @property
    def version(self) -> int:
        """Give the number that changes when anything was said."""
        return self._version

    def register(self, shard: str, settle: Callable[[], None]) -> None:
        """Name a shard of this process, and what ends its input."""
        self._shards[shard] = settle

    def stir(self) -> None:
        """Say that there was more input."""
        self._is_settled = False

    def settle(self) -> None:
        """End the input of all shards of this process; again while that makes any of them say something new."""
        version = -1
        while version != self._version and not self._is_settled:
            version = self._version
            for settle in self._shards.values():
                settle()
        self._is_settled = True

    def refresh(self, now_ns: int) -> None:
        """Hear what other processes have said; one look at the folder a second."""
        is_early = self._looked_ns <= now_ns < self._looked_ns + _LOOK_EVERY_NS  # it may have been ahead
        if is_early or not self._folder or not self._folder.is_dir():
            return
        self._looked_ns = now_ns
        for path in sorted(self._folder.glob("*.json")):
            shard, stamp = path.stem, path.stat().st_mtime_ns
            if stamp == self._stamps.get(shard):
                continue
            said = orjson.loads(path.read_bytes())
            self._stamps[shard] = stamp
            self._said[shard] = {int(name): time for name, time in said.items()}
            self._version += 1
