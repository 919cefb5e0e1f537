"""Steps `measure.split` and `measure`: changes -> signed counts per series shard -> panes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bytewax.operators import StatefulBatchLogic
from typing_extensions import override

from flows.decode import SERIES_SHARDS
from flows.items import Outbound, ShardCells, Tracked
from models.slis.cells import cells_of
from models.slis.records import sli_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from flows.metrics import Metrics
    from flows.shard_state import ShardState, ShardStates
    from models.slis.base import Sli
    from models.slis.cells import Cells
    from models.slis.panes import PaneTable
    from models.slis.readings import Readings

_TICK = timedelta(milliseconds=100)
_IDLE_TICK = timedelta(seconds=1)

Records = tuple[str, list[Outbound]]


class SplitStep:
    """Callable for `flat_map_batch`: counts all changes of an activation at once, then parts them by series shard."""

    def __init__(self, slis: Sequence[Sli]) -> None:
        self._slis = slis

    def __call__(self, items: list[Tracked]) -> list[tuple[str, ShardCells]]:
        """Count and part."""
        parts = cells_of([item.changes for item in items], self._slis).split()
        return [(SERIES_SHARDS[shard], ShardCells(SERIES_SHARDS[shard], part, ())) for shard, part in parts.items()]


class MeasureLogic(StatefulBatchLogic[ShardCells, Records, bytes]):
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
    ) -> None:
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
            if value.cells is not None:
                state.table.apply(value.cells)
                self._fresh.append(value.cells)
        if self._clock:
            self._due = min(self._due, self._free) if self._due else self._free
            return (), False
        self._promise(state)
        return self._tell(state.key, state.table.final(state.watermark.current)), False

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
        return early + final, False

    @override
    def on_eof(self) -> tuple[Iterable[Records], bool]:
        state = self._state
        return (self._tell(state.key, state.table.drain()) if self._drain and state else ()), False

    @override
    def notify_at(self) -> datetime | None:
        return self._due

    @override
    def snapshot(self) -> bytes:
        return self._state.snapshot() if self._state else b""

    def _opened(self, key: str) -> ShardState[PaneTable]:
        state = self._states.open(key)
        self._begin(state)
        return state

    def _begin(self, state: ShardState[PaneTable]) -> None:
        """Begin a life: what an earlier one may have told after the snapshot is to be told again."""
        for cells in state.promises.owed() if state.promises else ():
            state.table.apply(cells)
        self._metrics.watch_slis(state.key, state.table)

    def _promise(self, state: ShardState[PaneTable]) -> None:
        if self._fresh and state.promises:
            state.promises.note(self._fresh)
        self._fresh = []

    def _tell(self, key: str, readings: Readings) -> list[Records]:
        out = [Outbound(self._topic, group, line) for group, line in sli_lines(readings)]
        return [(key, out)] if out else []
