"""PaneTable: the state of one series shard. Signed counts in; panes to tell, rolling readings and a journal out."""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.layout import plain
from models.slis import ALL
from models.slis.additions import EVERYWHERE, NOWHERE, Additions, unpack_additions
from models.slis.cells import Cells
from models.slis.closing import Closed, closed_panes
from models.slis.delta import DeltaLog
from models.slis.minutes import ALONE_LIST, DIRTY, GROUP_LIST, set_states, states_of, take_dirty
from models.slis.packing import pack, unpack
from models.slis.readings import Readings, revisions
from models.slis.records import quantile_values
from models.slis.series import SeriesBook
from models.slis.settings import DAY_MINUTES
from models.slis.spread import spread_of
from models.slis.store import Store
from models.slis.telling import tell
from models.slis.user_ages import NAMES as AGES
from models.slis.user_ages import UserAges, texts_by_task
from models.slis.user_runs import LatestRuns
from models.slis.windows import SECONDS, WINDOWS
from models.watermark import AHEAD_NS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.slis.base import Sli
    from models.slis.readings import Label
    from models.slis.settings import SliSettings
    from models.slis.spread import Spread

_MINUTE_NS = 60_000_000_000
_DAY_NS = DAY_MINUTES * _MINUTE_NS
_FOREVER = 2**40
"""A minute after all others."""


class Gauge(NamedTuple):
    """A rolling reading of one series."""

    sli: str
    group: dict[str, str]
    window: str
    good: int
    total: int
    quantiles: tuple[float | None, float | None, float | None] | None
    """p50, p95, p99 of a histogram; None for a ratio."""


class PaneTable:
    """The panes of one series shard.

    Totals are the same for any order and batching of the cells (as long as none is too late, and values stay below the
    bound). `life` says how often the shard was restored: revisions rise with it.
    """

    def __init__(self, settings: SliSettings, life: int = 0, slis: Sequence[Sli] = ALL) -> None:
        self._settings = settings
        self._life = life
        self._slis = slis
        self._book = SeriesBook(settings, slis)
        self._store = Store(settings.keep_minutes, settings.keep_days)
        self._ages = UserAges(settings.new_user_days, settings.max_users)
        self._shown = LatestRuns()
        self._log = DeltaLog()
        self._logged = 0  # series that the last delta or dump holds
        self._early_at = [0, 0]  # processing time of the last early panes, by list
        self._lock = RLock()  # gauges are read from other threads, and kernels do not check bounds
        self._late = np.zeros(2, np.int64)  # cells by level: too late for any pane, too late for their minute
        self._closed = np.zeros(2, np.int64)  # minute of the next look, series that were named in one

    def apply(self, cells: Cells) -> Cells:
        """Add cells. Their panes are told by the next `early` or `final` that comes to them.

        Those by user count by the age of the user: gives the cells that were counted.
        """
        with self._lock:
            aged = self._ages.aged(cells.users)
            if cells.users.shape[1]:
                self._log.touch()
                self._show(cells)
            if aged.shape[1]:
                texts = AGES | texts_by_task(cells.users, cells.names)
                cells = Cells(np.concatenate([cells.cols, aged], axis=1), cells.names | texts)
            if len(cells):
                self._apply(cells)
        return cells

    def owe(self, cells: Cells) -> None:
        """Have the panes of these cells, which count 0, told again: a life that is dead may have told them.

        Also those in which nothing is counted now: what that life counted there need not come again.
        """
        with self._lock:
            if len(cells):
                series, minute, *_ = self._apply(cells)
                told_once = np.maximum(states_of(self._store.minutes, series, minute), 2 | DIRTY)
                set_states(self._store.minutes, series, minute, told_once)
                self._log.tell(np.stack([minute, series], axis=1))

    def _show(self, cells: Cells) -> None:
        workflow, user, ended, *_ = runs = cells.runs
        self._shown.add(runs, self._ages.ages(workflow, user, ended // _DAY_NS), cells.names)

    def _apply(self, cells: Cells) -> Additions:
        """Add cells; gives those that count in the pane of their minute."""
        series = self._book.resolve(cells.cols, cells.names)
        self._store.kinds, self._store.alone = self._book.kinds, self._book.alone
        level = self._store.levels(cells.minute)
        additions = Additions(series, cells.minute, cells.bin, cells.count, level)
        if series.min() < 0 or level.min() < EVERYWHERE:
            self._late += np.bincount(level[series >= 0], minlength=EVERYWHERE + 1)[:EVERYWHERE]
            additions = additions.where((series >= 0) & (level != NOWHERE))
        self._store.add(additions)
        self._log.add(additions)
        return additions.where(additions.level == EVERYWHERE)

    def early(self, now_ns: int) -> Readings:
        """Give panes that changed since they were told, also while they last; throttled by processing time `now_ns`."""
        lists = []
        for which, every in ((ALONE_LIST, self._settings.early_alone_ns), (GROUP_LIST, self._settings.early_groups_ns)):
            if not 0 <= now_ns - self._early_at[which] < every:  # below 0: the clock was ahead
                self._early_at[which] = now_ns
                lists.append(which)
        return self._tell(lists, _FOREVER)

    def final(self, watermark_ns: int) -> Readings:
        """Give panes that ended by the watermark and changed since they were told; lets go of what is too old."""
        minute = watermark_ns // _MINUTE_NS
        with self._lock:
            readings = self._tell([ALONE_LIST, GROUP_LIST], minute)
            if self._store.evict(minute):
                self._log.touch()
        return readings

    def closed(self, watermark_ns: int, now_ns: int | None = None) -> Closed | None:
        """Give the panes of the looks that ended by the watermark, each once; None when no minute has ended since.

        What is counted in a pane after that is not told here any more. What is long after `now_ns`, the clock, was
        closed by one that was ahead: from now on minutes are closed again, else none would be until then.
        """
        until = watermark_ns // _MINUTE_NS
        if now_ns is not None and (now_ns + AHEAD_NS) // _MINUTE_NS < self._closed[0]:
            self._closed[0] = now_ns // _MINUTE_NS
            self._log.touch()
        return self._close(until) if until > self._closed[0] else None

    def close(self) -> Closed | None:
        """Give the panes of all looks that are left: the end of the input."""
        newest = self._store.newest()
        return self._close(newest + max(self._settings.waits) + 1) if newest >= 0 else None

    def _close(self, until: int) -> Closed:
        since, named = self._closed.tolist()
        with self._lock:
            waits = self._settings.waits
            wait = np.array([waits[label.waits] for label in self._book.labels], np.int64)
            panes, bins = closed_panes(self._store, wait, since, until)
            runs = self._shown.take()
        self._closed[:] = until, len(self._book)
        self._log.touch()
        look, series, total, good = panes.T
        return Closed(until, named, self._book.labels[named:], look, series, total, good, bins, waits, runs)

    def drain(self) -> Readings:
        """Give all panes that changed since they were told: the end of the input."""
        return self._tell([ALONE_LIST, GROUP_LIST], _FOREVER)

    def gauges(self, now_ns: int) -> list[Gauge]:
        """Give the rolling readings of all series over 5m, 1h, 1d and 30d up to `now_ns` (event time).

        A window is made of whole panes, that of `now_ns` the last: it may be short of its length by less than a pane.
        A pane is a minute, in the 30d window an hour (ratios) or a day (histograms). Quiet windows have total 0.
        """
        with self._lock:
            counts, places = self._store.windows(now_ns // _MINUTE_NS)
            labels = self._book.labels[: len(counts)]
        return [
            Gauge(label.sli, label.group, window, good, total, _points(label, place))
            for label, of_series, placed in zip(labels, counts.tolist(), places.tolist(), strict=True)
            if not label.untold
            for window, (total, good), place in zip(WINDOWS, of_series, placed, strict=True)
        ]

    def spread(self, now_ns: int) -> list[Spread]:
        """Give how long the runs of the last five minutes were, by workflow."""
        with self._lock:
            return spread_of(self._store, self._book.labels, now_ns // _MINUTE_NS)

    def rolling(self, window_s: int, now_ns: int) -> list[Gauge]:
        """Give the rolling readings over one window; raises ValueError for one that is not kept."""
        if window_s not in SECONDS:
            msg = f"window of {window_s} s; kept are {SECONDS}"
            raise ValueError(msg)
        window = WINDOWS[SECONDS.index(window_s)]
        return [gauge for gauge in self.gauges(now_ns) if gauge.window == window]

    @property
    def pending(self) -> int:
        """Panes that changed since they were told."""
        return int(self._store.minutes.n_dirty.sum())

    @property
    def memory_bytes(self) -> int:
        """Size of the panes' arrays."""
        return self._store.memory_bytes + self._ages.memory_bytes

    @property
    def counters(self) -> dict[str, int]:
        """Cells that did not count as they said, by reason."""
        workflows, cohorts, others = self._book.admission.overflow.tolist()
        nowhere, days_only = self._late.tolist()
        return {
            "sli_cells_refused_workflow": workflows,
            "sli_cells_refused_cohort": cohorts,
            "sli_cells_to_other": others,
            "sli_cells_late": nowhere + days_only,
            "sli_users_refused": self._ages.refused,
        }

    def take_delta(self) -> bytes:
        """Give what changed since the last call, empty when nothing did."""
        if self._log.overflowed:
            delta = self.dump()
        elif self._log or len(self._book) > self._logged:
            delta = pack(self._delta())
        else:
            return b""
        self._log.clear()
        self._ages.clear()
        self._logged = len(self._book)
        return delta

    def dump(self) -> bytes:
        """Give everything, including what no delta has been taken of."""
        parts = self._book.arrays() | self._store.arrays() | self._ages.arrays()
        return pack({"late": self._late, "closed": self._closed, **parts})

    @staticmethod
    def load(
        settings: SliSettings, base: bytes | None, deltas: Sequence[bytes], life: int = 0, slis: Sequence[Sli] = ALL
    ) -> PaneTable:
        """Restore from a dump and the deltas after it. Raises PackingError for bytes of another version."""
        table = PaneTable(settings, life, slis)
        for raw in ([base] if base else []) + list(deltas):
            table._restore(raw)  # its own class
        table._store.relist()
        table._logged = len(table._book)
        return table

    def _tell(self, lists: Sequence[int], until: int) -> Readings:
        store = self._store
        taken = [take_dirty(store.minutes, which, until) for which in lists]
        panes = np.concatenate(taken) if taken else np.empty((0, 3), np.int64)
        if not len(panes):
            return Readings.none()
        panes = panes[np.lexsort((panes[:, 1], panes[:, 0]))]
        counts, places, bounds, bins = tell(store.minutes, store.nodes, store.kinds, panes)
        self._log.tell(panes[:, :2])
        told = np.flatnonzero(counts[:, 2] >= 0)
        if len(told) < len(panes):  # those left out have no bins
            panes, counts, places = panes[told], counts[told], places[told]
            bounds = np.concatenate([bounds[:1], bounds[told + 1]])
        revision = revisions(counts[:, 2], self._life)
        return Readings(
            self._book.labels, panes[:, 1], panes[:, 0], counts[:, 0], counts[:, 1], revision, places, bounds, bins
        )

    def _delta(self) -> dict[str, NDArray[np.generic]]:
        minute, series = plain(self._log.told().T)
        return {
            "late": self._late,
            "closed": self._closed,
            "kept_from": self._store.horizon,
            **self._book.arrays(self._logged),
            **self._ages.delta(),
            **self._log.added(),
            "told_minute": minute.astype(np.int32),
            "told_series": series.astype(np.int32),
            "told_state": states_of(self._store.minutes, series, minute),
        }

    def _restore(self, raw: bytes) -> None:
        arrays = unpack(raw)
        store = self._store
        if "horizon" in arrays:  # a dump
            self._book = SeriesBook(self._settings, self._slis)
            self._ages = UserAges(self._settings.new_user_days, self._settings.max_users)
            store.fill(arrays)
        self._book.fill(arrays)
        self._ages.fill(arrays)
        self._late, self._closed = arrays["late"].copy(), arrays["closed"].copy()
        store.kinds, store.alone = self._book.kinds, self._book.alone
        if "horizon" in arrays:
            return
        store.minutes.n_dirty[:] = 0  # listed anew at the end
        store.add(unpack_additions(arrays))
        there = arrays["told_state"] >= 0
        told = (arrays[f"told_{name}"][there] for name in ("series", "minute", "state"))
        set_states(store.minutes, *told)
        store.evict_before(*arrays["kept_from"].tolist())


def _points(label: Label, places: list[int]) -> tuple[float | None, float | None, float | None] | None:
    if not label.histogram:
        return None
    p50, p95, p99 = quantile_values(label, places)
    return p50, p95, p99
