"""Steps `measure.split` and `measure`: changes -> signed counts per series shard -> panes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from typing_extensions import override

from flows.decode import RUN_SHARDS, SERIES_SHARDS
from flows.items import Advanced, Outbound, Progress, ShardCells, ShardClosed, Tracked
from flows.shard_logic import ShardLogic
from models.slis.cells import cells_of
from models.slis.records import sli_lines
from models.watermark import Watermark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from flows.items import Said
    from flows.metrics import Metrics
    from flows.shard_state import ShardState, ShardStates
    from models.slis.base import Sli
    from models.slis.cells import Cells
    from models.slis.panes import PaneTable
    from models.slis.readings import Readings

_TICK = timedelta(milliseconds=50)
_IDLE_TICK = timedelta(seconds=1)
_MINUTE_NS = 60_000_000_000

Records = tuple[str, list[Outbound] | ShardClosed]


class SplitStep:
    """Callable for `flat_map_batch`: counts all changes of an activation at once, then parts them by series shard.

    How far `track` is, is passed on where it comes to another minute.
    """

    def __init__(self, slis: Sequence[Sli], *, by_user: bool = False) -> None:
        self._slis, self._by_user = slis, by_user
        self._minutes: dict[str, int] = {}

    def __call__(self, items: list[Said]) -> list[tuple[str, ShardCells]]:
        """Count and part."""
        changes = [item.changes for item in items if isinstance(item, Tracked)]
        parts = cells_of(changes, self._slis, by_user=self._by_user).split() if changes else {}
        out = [(SERIES_SHARDS[shard], ShardCells(SERIES_SHARDS[shard], part, ())) for shard, part in parts.items()]
        tracked = tuple(self._further([item for item in items if isinstance(item, Progress | Advanced)]))
        return out + [(key, ShardCells(key, None, (), tracked)) for key in SERIES_SHARDS if tracked]

    def _further(self, items: list[Progress | Advanced]) -> Iterator[tuple[str, int]]:
        for item in items:
            minute = item.watermark_ns // _MINUTE_NS
            if minute > self._minutes.get(item.key, -1):
                self._minutes[item.key] = minute
                yield item.key, item.watermark_ns


class MeasureLogic(ShardLogic[ShardCells, Records]):
    """One series shard: early panes by the clock, final ones at the watermark."""

    def __init__(
        self,
        states: ShardStates[PaneTable],
        snapshot: bytes | None,
        clock: Callable[[], int] | None,
        metrics: Metrics,
        topic: str,
        *,
        drain: bool,
        closes: bool = True,
    ) -> None:
        self._closes = closes
        self._tracked = Watermark(0)
        """How far `track` is; minutes are closed by it. What sources say is ahead of it, far ahead of a backlog."""
        self._tracked.expect(RUN_SHARDS, clock() if clock else None)
        self._states = states
        self._state = states.resume(snapshot) if snapshot else None
        self._clock = clock
        self._metrics = metrics
        self._topic = topic
        self._drain = drain
        self._due: datetime | None = datetime.now(UTC) + _IDLE_TICK if clock else None
        self._free = datetime.now(UTC)
        """When panes may be told again: at once after a quiet while, else a tick after the last ones."""
        self._fresh: list[Cells] = []
        if self._state:
            self._begin(self._state)

    @override
    def on_batch(self, values: list[ShardCells]) -> tuple[Iterable[Records], bool]:
        now = self._clock() if self._clock else None
        state = self._state = self._state or self._opened(values[0].key)
        for value in values:
            state.hear(value.marks, now)
            for shard, watermark_ns in value.tracked:
                self._tracked.observe(shard, watermark_ns, now)
            if value.cells is not None:
                self._fresh.append(state.table.apply(value.cells))
        if self._clock:
            self._due = min(self._due, self._free) if self._due else self._free
            return (), False
        self._promise(state)
        told = self._tell(state.key, state.table.final(state.watermark.current))
        return told + self._close(state, self._tracked.at(None), None), False

    @override
    def on_notify(self) -> tuple[Iterable[Records], bool]:
        state = self._state
        if self._clock is None or state is None or self._due is None or datetime.now(UTC) < self._due:
            return (), False
        now = self._clock()
        self._promise(state)
        early = self._tell(state.key, state.table.early(now))
        final = self._tell(state.key, state.table.final(state.hear((), now)))
        pending = state.table.pending
        self._free = datetime.now(UTC) + _TICK
        self._due = self._free if pending else datetime.now(UTC) + _IDLE_TICK
        return early + final + self._close(state, self._tracked.at(now), now), False

    @override
    def on_eof(self) -> tuple[Iterable[Records], bool]:
        state = self._state
        if not self._drain or state is None:
            return (), False
        closed = state.table.close() if self._closes else None
        last: list[Records] = [(state.key, ShardClosed(state.key, closed))] if closed else []
        return self._tell(state.key, state.table.drain()) + last, False

    @override
    def notify_at(self) -> datetime | None:
        return self._due

    def _opened(self, key: str) -> ShardState[PaneTable]:
        state = self._states.open(key)
        self._begin(state)
        return state

    def _begin(self, state: ShardState[PaneTable]) -> None:
        """Begin a life: what an earlier one may have told after the snapshot is to be told again."""
        for cells in state.promises.owed() if state.promises else ():
            state.table.owe(cells)
        self._metrics.watch_slis(state.key, state.table)

    def _promise(self, state: ShardState[PaneTable]) -> None:
        if self._fresh and state.promises:
            state.promises.note(self._fresh)
        self._fresh = []

    def _close(self, state: ShardState[PaneTable], watermark_ns: int, now_ns: int | None) -> list[Records]:
        closed = state.table.closed(watermark_ns, now_ns) if self._closes else None
        return [(state.key, ShardClosed(state.key, closed))] if closed else []

    def _tell(self, key: str, readings: Readings) -> list[Records]:
        out = [Outbound(self._topic, group, line) for group, line in sli_lines(readings)]
        return [(key, out)] if out else []
