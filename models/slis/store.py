"""Store: all panes of one series shard as arrays: cells are added, old panes go. Telling is not its matter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.slis import blocks, chains
from models.slis.additions import DAYS_ONLY, EVERYWHERE, NOWHERE
from models.slis.blocks import Index
from models.slis.chains import Chains
from models.slis.days import CHUNK, Days, add_days, evict_days
from models.slis.last_day import LastDay
from models.slis.minutes import WIDTH, Minutes, add_minutes, evict_minutes, find_dirty
from models.slis.settings import DAY_MINUTES
from models.slis.windows import read_windows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from models.slis.additions import Additions


class Store:
    """Panes by series number. `kinds` int8 [series] says RATIO or HISTOGRAM, `alone` whether it is a workflow alone."""

    def __init__(self, keep_minutes: int, keep_days: int) -> None:
        self.minutes, self.nodes = Minutes.none(), Chains.none(1)
        self.days, self.chunks = Days.none(), Chains.none(CHUNK)
        self.last_day = LastDay.none()
        self.kinds, self.alone = np.empty(0, np.int8), np.empty(0, np.bool_)
        self.horizon = np.zeros(2, np.int64)  # first Unix hour and Unix day that are kept
        self._keep_minutes, self._keep_days = keep_minutes, keep_days

    def levels(self, minute: NDArray[np.int64]) -> NDArray[np.int64]:
        """Say where cells of these Unix minutes still count. Times before 1970 count nowhere."""
        first_hour, first_day = self.horizon.tolist()
        in_minutes, in_days = minute >= max(0, first_hour * WIDTH), minute >= max(0, first_day * DAY_MINUTES)
        return np.where(in_minutes, EVERYWHERE, np.where(in_days, DAYS_ONLY, NOWHERE)).astype(np.int64)

    def add(self, cells: Additions) -> None:
        """Add cells; their minute panes become dirty."""
        n = len(cells.series)
        self.minutes, self.nodes = self.minutes.reserved(n), self.nodes.reserved(n)
        self.days, self.chunks = self.days.reserved(n), self.chunks.reserved(n)
        add_minutes(self.minutes, self.nodes, self.kinds, self.alone, cells)
        add_days(self.days, self.chunks, self.kinds, cells)
        self.last_day = self.last_day.added(self.kinds, cells)

    def windows(self, minute: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give what `read_windows` gives of all series at this Unix minute."""
        oldest = int(self.horizon[0]) * WIDTH
        self.last_day = self.last_day.slid(self.minutes, self.nodes, self.kinds, minute, oldest)
        fine, coarse = (self.minutes, self.nodes), (self.days, self.chunks)
        counts, places = read_windows(fine, coarse, (self.last_day.head, self.last_day.pool), self.kinds, minute)
        return counts, places

    def newest(self) -> int:
        """Give the last Unix minute of the hour of the newest pane, -1 when there is none."""
        epochs = self.minutes.blocks.epoch[: int(self.minutes.blocks.meta[blocks.HIGH])]
        return int(epochs.max(initial=-1)) * WIDTH + WIDTH - 1 if (epochs >= 0).any() else -1

    def evict(self, watermark_minute: int) -> bool:
        """Let go of what is too far behind; whole hours and days only, so that it is rare. Says whether it did."""
        first_hour = (watermark_minute - self._keep_minutes) // WIDTH
        first_day = watermark_minute // DAY_MINUTES - self._keep_days
        return self.evict_before(first_hour, first_day)

    def evict_before(self, first_hour: int, first_day: int) -> bool:
        """Let go of all before this Unix hour and Unix day; says whether that was any news."""
        hour, day = self.horizon.tolist()
        if first_hour > hour:
            evict_minutes(self.minutes, self.nodes, self.kinds, first_hour)
        if first_day > day:
            evict_days(self.days, self.chunks, first_day)
        self.horizon = np.array([max(hour, first_hour), max(day, first_day)], np.int64)
        return first_hour > hour or first_day > day

    @property
    def memory_bytes(self) -> int:
        """Size of all arrays."""
        return sum(array.nbytes for array in self._arrays())

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give everything that cannot be derived, to be packed."""
        hours, nodes = int(self.minutes.blocks.meta[blocks.HIGH]), int(self.nodes.meta[chains.HIGH])
        days, chunks = int(self.days.blocks.meta[blocks.HIGH]), int(self.chunks.meta[chains.HIGH])
        return {
            "horizon": self.horizon,
            "hour_series": self.minutes.blocks.series[:hours],
            "hour_epoch": self.minutes.blocks.epoch[:hours],
            "hour_total": self.minutes.total[:hours],
            "hour_side": self.minutes.side[:hours],
            "hour_state": self.minutes.state[:hours],
            "day_series": self.days.blocks.series[:days],
            "day_epoch": self.days.blocks.epoch[:days],
            "day_total": self.days.total[:days],
            "day_good": self.days.good[:days],
            "day_head": self.days.head[:days],
            **_chain_arrays("node", self.nodes, nodes),
            **_chain_arrays("chunk", self.chunks, chunks),
        }

    def fill(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `arrays` gave; `kinds` and `alone` are those of the caller."""
        self.horizon = arrays["horizon"].copy()
        hours = Index.of(arrays["hour_series"], arrays["hour_epoch"], 1)
        self.minutes = Minutes.none()._replace(
            blocks=hours,
            total=blocks.widened(arrays["hour_total"], len(hours.series)),
            side=blocks.widened(arrays["hour_side"], len(hours.series)),
            state=blocks.widened(arrays["hour_state"], len(hours.series)),
        )
        days = Index.of(arrays["day_series"], arrays["day_epoch"], 1)
        self.days = Days(
            days,
            blocks.widened(arrays["day_total"], len(days.series)),
            blocks.widened(arrays["day_good"], len(days.series)),
            blocks.widened(arrays["day_head"], len(days.series)),
        )
        self.nodes, self.chunks = _chains("node", arrays), _chains("chunk", arrays)
        self.last_day = LastDay.none()

    def relist(self) -> None:
        """List the dirty panes anew, after `fill` or after states were set."""
        dirty = int((self.minutes.state[: self.minutes.blocks.meta[blocks.HIGH]] & 1).sum())
        self.minutes.n_dirty[:] = 0
        self.minutes = self.minutes.reserved(dirty)
        find_dirty(self.minutes, self.alone)

    def _arrays(self) -> Iterator[NDArray[Any]]:
        for part in (
            self.minutes,
            self.minutes.blocks,
            self.nodes,
            self.days,
            self.days.blocks,
            self.chunks,
            self.last_day.pool,
        ):
            yield from (array for array in part if isinstance(array, np.ndarray))


def _chain_arrays(prefix: str, pool: Chains, n: int) -> dict[str, NDArray[Any]]:
    return {
        f"{prefix}_chunk": pool.chunk[:n],
        f"{prefix}_next": pool.next[:n],
        f"{prefix}_counts": pool.counts[:n],
        f"{prefix}_meta": pool.meta,
    }


def _chains(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> Chains:
    chunk, after, counts, meta = (arrays[f"{prefix}_{name}"].copy() for name in ("chunk", "next", "counts", "meta"))
    return Chains(chunk, after, counts, meta)
