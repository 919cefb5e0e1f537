"""Last day: the histogram of the last 24 hours of each series, kept up as panes come and go: reading it is cheap.

Walking all minute panes took 0.9 s for 5000 busy series; this takes what came and went since the last reading. It is
derived from the minute panes, never stored, and does not exist before it is first read.
"""
# ruff: noqa: PLR0913, PLR0917  # compiled kernels take arrays one by one

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from models.kernels import allocating
from models.slis import chains as ch
from models.slis.additions import EVERYWHERE
from models.slis.blocks import find
from models.slis.chains import END, Chains
from models.slis.days import CHUNK
from models.slis.minutes import HISTOGRAM, WIDTH
from models.slis.settings import DAY_MINUTES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.slis.additions import Additions
    from models.slis.minutes import Minutes

NEVER = -1
_MAX_SLIDE = 30
"""Minutes. Beyond, building it anew is as cheap."""
_MOST_CHUNKS = 1024
"""Nodes that one series can need: all bins within the cap and over it."""


class LastDay(NamedTuple):
    """Chain heads by series, over the minutes (end - 1440, end]."""

    head: NDArray[np.int32]
    pool: Chains
    end: int

    @staticmethod
    def none() -> LastDay:
        """Give the last day that nobody has read."""
        return LastDay(np.empty(0, np.int32), Chains.none(CHUNK), NEVER)

    def added(self, kinds: NDArray[np.int8], cells: Additions) -> LastDay:
        """Add cells that lie in it."""
        if self.end == NEVER:
            return self
        head, pool = _headed(self.head, len(kinds)), self.pool.reserved(len(cells.series))
        _add(head, pool, self.end, kinds, cells)
        return LastDay(head, pool, self.end)

    def slid(self, minutes: Minutes, nodes: Chains, kinds: NDArray[np.int8], end: int, oldest: int) -> LastDay:
        """Let it end at another minute; `oldest` is the first minute whose panes are kept."""
        gone = oldest > self.end - DAY_MINUTES + 1
        anew = self.end == NEVER or gone or not 0 <= end - self.end <= _MAX_SLIDE
        head, pool = _headed(self.head, len(kinds)), self.pool
        done = 0
        while done < len(kinds):
            pool = pool.reserved(2 * _MOST_CHUNKS)
            done = _slide(head, pool, minutes, nodes, kinds, end - DAY_MINUTES if anew else self.end, end, anew, done)
        return LastDay(head, pool, end)


def _headed(head: NDArray[np.int32], n: int) -> NDArray[np.int32]:
    return np.concatenate([head, np.full(n - len(head), END, np.int32)]) if n > len(head) else head


@allocating
def _add(head: Any, pool: Any, end: Any, kinds: Any, cells: Any) -> None:
    for i in range(cells.series.size):
        s = cells.series[i]
        if cells.level[i] == EVERYWHERE and kinds[s] == HISTOGRAM and end - DAY_MINUTES < cells.minute[i] <= end:
            head[s] = ch.add(pool, head[s], cells.bin[i], cells.amount[i])


@allocating
def _slide(
    head: Any, pool: Any, minutes: Any, nodes: Any, kinds: Any, since: Any, until: Any, anew: Any, first: Any
) -> Any:
    """Slide the series from `first` on while there is room for one; gives the first that is left."""
    for s in range(first, kinds.size):
        if kinds[s] != HISTOGRAM:
            continue
        if pool.next.size - pool.meta[ch.HIGH] + pool.meta[ch.N_FREE] < _MOST_CHUNKS:
            return s
        if anew:
            ch.free(pool, head[s])
            head[s] = END
        head[s] = _poured(pool, head[s], minutes, nodes, s, since, until, 1)
        if not anew:
            head[s] = _poured(pool, head[s], minutes, nodes, s, since - DAY_MINUTES, until - DAY_MINUTES, -1)
    return kinds.size


@allocating
def _poured(pool: Any, head: Any, minutes: Any, nodes: Any, s: Any, since: Any, until: Any, sign: Any) -> Any:
    """Add `sign` times the panes of the minutes (since, until]; gives the new head."""
    for hour in range((since + 1) // WIDTH, until // WIDTH + 1):
        block, _ = find(minutes.blocks, s, hour)
        if block < 0:
            continue
        for at in range(max(since + 1 - hour * WIDTH, 0), min(until + 1 - hour * WIDTH, WIDTH)):
            node = minutes.side[block, at]
            while node != END:
                if nodes.counts[node, 0] != 0:
                    head = ch.add(pool, head, nodes.chunk[node], sign * nodes.counts[node, 0])
                node = nodes.next[node]
    return head
