"""Step `watch`: what the run shards of a worker touched -> verdicts on open runs, spend, calls after a kill.

It looks at all shards at once: a batch brings each of them a few runs, and a look costs the same for few as for many.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from flows.decode import RUN_SHARDS
from flows.items import ShardKills, ShardTouched, Tracked, Watched
from flows.nested_files import NestedFiles
from models.runaways.stops import Stops
from models.runaways.tools import KnownTools
from models.runaways.touched import Runs, gathered
from models.runaways.watch import Watch
from models.runs.changes import as_one
from models.spend.rows import moving, names_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flows.items import Said
    from flows.metrics import Metrics
    from models.runaways.policy import RunawayPolicy
    from models.runs.changes import Changes

    Item = tuple[str, Said | ShardTouched | ShardKills]

_NUMBERS = {key: number for number, key in enumerate(RUN_SHARDS)}


class WatchStep:
    """Callable for `flat_map_batch`, right behind `track`. What outlives the process is in `folder`, if any."""

    def __init__(
        self, policy: RunawayPolicy, metrics: Metrics, clock: Callable[[], int] | None, folder: Path | None = None
    ) -> None:
        self._policy = policy
        self._metrics = metrics
        self._clock = clock
        self._folder = folder
        self._workers: dict[int, _Lookout] = {}
        """By thread: a worker is one, and its shards stay with it."""

    def __call__(self, items: list[Item]) -> list[Said]:
        """Give what was seen, what was tracked, as one, and then how far it is."""
        thread = threading.get_native_id()  # what Python keeps of a thread of the engine's own ends with each call
        lookout = self._workers.get(thread)
        if lookout is None:
            lookout = self._workers[thread] = _Lookout(self._policy, waits=self._clock is not None)
            if self._folder and self._clock:
                lookout.remember(self._folder, f"{os.getpid()}-{thread}", self._clock())
            self._metrics.watch_baselines(lookout.watch.baselines, lookout.runs.text)
        return lookout.look(items, self._clock() if self._clock else 0)


class _Lookout:
    """What one worker watches."""

    def __init__(self, policy: RunawayPolicy, *, waits: bool) -> None:
        self.runs = Runs()
        self.watch = Watch(policy, KnownTools(policy.tools), self.runs)
        self._stops = Stops(self.runs.text, waits=waits)
        self._files: NestedFiles | None = None

    def remember(self, folder: Path, name: str, now_ns: int) -> None:
        """Go on with what earlier lives knew, and keep what comes under a name of its own."""
        self._files = NestedFiles(folder, f"{now_ns}-{name}", self.watch.nested, now_ns)

    def look(self, items: list[Item], now_ns: int) -> list[Said]:
        said: list[Said] = []
        changes: list[Changes] = []
        touched: list[ShardTouched] = []
        heard: list[ShardKills] = []
        for _, item in items:
            if isinstance(item, ShardTouched):
                touched.append(item)
            elif isinstance(item, ShardKills):
                heard.append(item)
            elif isinstance(item, Tracked):
                changes.append(item.changes)
            else:
                said.append(item)
        seen = [*self._hear(heard, now_ns), *self._see(touched, now_ns)]
        if not changes:
            return [*seen, *said]
        every = as_one(changes)
        self.watch.learn(every)
        return [*seen, Tracked(items[0][0], every), *said]

    def _hear(self, heard: list[ShardKills], now_ns: int) -> list[Watched]:
        if not heard:
            return []
        self._stops.hear(heard[-1].kills)  # each shard is told all of them
        for item in heard:
            self.watch.resume(item.resumed)
        self.watch.forgive(heard[-1].lifted)
        late = self._stops.overdue(now_ns)
        return [Watched(heard[0].key, defied=late)] if late else []

    def _see(self, parts: list[ShardTouched], now_ns: int) -> list[Watched]:
        if not parts:
            return []
        self.runs.tables |= {_NUMBERS[part.key]: part.table for part in parts}
        touched = gathered([part.touched for part in parts])
        verdicts = self.watch.look(touched, now_ns)
        if self._files:
            self._files.keep()
        else:
            self.watch.nested.take_new()
        spent = moving(touched.pulses)
        names = self.runs.texts(names_of(spent).tolist())
        defied = self.watch.defied(touched.spans, touched.rows) if now_ns else []
        defied += self._stops.defied(touched, now_ns)
        return [Watched(parts[0].key, spent, names, verdicts, defied)]
