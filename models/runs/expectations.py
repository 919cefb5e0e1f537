"""Which workflows and services are evaluated, and since when: their runs wait for an evaluation."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from models.runs.record import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray


MOST_TOLD = 2000
"""Names that are kept of what was told; of more those that were told of longest ago go: names may be made up."""


class Expectations:
    """Three sources, of which the earliest time counts.

    `told`: for good, only ever earlier, the `MOST_TOLD` that were told of last. `learnt`: from the runs at hand, and
    unlearnt with them. `heard`: from other shards, in place of what was heard before.
    """

    def __init__(self) -> None:
        self.told: dict[int, int] = {}
        self.learnt: dict[int, int] = {}
        self.heard: dict[int, int] = {}
        self.own_version = 0
        """Changes when `own` may have changed."""
        self.names: NDArray[np.int64] = np.empty(0, np.int64)
        self.times: NDArray[np.int64] = np.empty(0, np.int64)
        self.dirty = False
        self._changed: set[int] = set()

    def tell(self, news: Mapping[int, int]) -> None:
        """Take in what is evaluated elsewhere: name digest -> first event time."""
        for name in [name for name in news if name in self.told]:
            self.told[name] = self.told.pop(name)  # the newest
        if _lower(self.told, news.items()):
            while len(self.told) > MOST_TOLD:
                del self.told[next(iter(self.told))]
            self._refresh()

    def hear(self, news: Mapping[int, int]) -> None:
        """Take in what other shards know now."""
        if self.heard != news:
            self.heard = dict(news)
            self._refresh()

    def own(self) -> dict[int, int]:
        """Give what this shard knows without having heard it."""
        times = dict(self.told)
        _lower(times, self.learnt.items())
        return times

    def tell_forgotten(self, workflows: NDArray[np.int64], times: NDArray[np.int64]) -> None:
        """Keep what forgotten runs taught."""
        self.tell(dict(sorted(zip(workflows.tolist(), times.tolist(), strict=True), key=itemgetter(1), reverse=True)))

    def learn(self, news: Iterable[tuple[int, int]]) -> None:
        """Take in evaluations of runs of this shard."""
        if _lower(self.learnt, news):
            self._refresh()

    def relearn(self, workflows: NDArray[np.int64], times: NDArray[np.int64]) -> None:
        """Start again from all evaluated runs at hand."""
        self.learnt = {}
        _lower(self.learnt, zip(workflows.tolist(), times.tolist(), strict=True))
        self._refresh()

    @property
    def changed(self) -> bool:
        """Say whether there is something for `take_changed`."""
        return bool(self._changed)

    def take_changed(self) -> NDArray[np.int64]:
        """Give the names whose time changed since the last call."""
        changed = np.array(sorted(self._changed), np.int64)
        self.dirty = self.dirty or bool(self._changed)
        self._changed = set()
        return changed

    def tables(self) -> tuple[dict[int, int], ...]:
        """Give what is to be kept: told, learnt, heard, and the names whose runs have not been looked at again."""
        return self.told, self.learnt, self.heard, dict.fromkeys(self._changed, 0)

    def restore(
        self, told: dict[int, int], learnt: dict[int, int], heard: dict[int, int], changed: dict[int, int]
    ) -> None:
        """Put back what was kept."""
        self.told, self.learnt, self.heard = told, learnt, heard
        self._refresh()
        self._changed, self.dirty = set(changed), False

    def _refresh(self) -> None:
        merged = self.own()
        _lower(merged, self.heard.items())
        self.dirty = True
        self.own_version += 1
        names = np.array(sorted(merged), np.int64)
        times = np.array([merged[name] for name in names.tolist()], np.int64)
        if np.array_equal(names, self.names) and np.array_equal(times, self.times):
            return
        old = dict(zip(self.names.tolist(), self.times.tolist(), strict=True))
        self._changed |= {name for name in merged.keys() | old.keys() if merged.get(name) != old.get(name)}
        self.names, self.times = names, times


def _lower(times: dict[int, int], news: Iterable[tuple[int, int]]) -> bool:
    """Keep the earliest times; say whether any changed."""
    changed = False
    for name, time in news:
        if name != 0 and time < times.get(name, NEVER):
            times[name] = time
            changed = True
    return changed
