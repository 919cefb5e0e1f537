"""Step `track`: spans of a run shard -> what they changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from flows.items import Advanced, Outbound, Progress, ShardKills, ShardSpans, ShardTouched, Tracked
from flows.shard_logic import ShardLogic
from models.runaways.touched import Touched
from models.runs.changes import CALL, joined
from models.runs.record import RUN
from models.runs.report import run_ids, run_lines
from models.spans.batch import Spans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from flows.hearsay import Hearsay
    from flows.items import Marks, Said
    from flows.metrics import Metrics
    from flows.shard_state import ShardState, ShardStates
    from models.runs.changes import Changes
    from models.runs.table import RunTable

    Out = Said | ShardTouched | ShardKills

_TICK = timedelta(seconds=1)
_NO_SPANS, _NO_ROWS = Spans.empty(), np.empty(0, np.int64)


class TrackLogic(ShardLogic["ShardSpans | ShardKills", "Out"]):
    """One run shard. With a clock it ticks once a second while it holds anything; without one only events move it.

    Kills go through it to `watch`, which they reach with what was touched before and after.
    """

    def __init__(
        self,
        states: ShardStates[RunTable],
        snapshot: bytes | None,
        clock: Callable[[], int] | None,
        metrics: Metrics,
        hearsay: Hearsay,
        *,
        drain: bool,
        watches: bool = True,
    ) -> None:
        self._watches = watches
        self._states = states
        self._hearsay = hearsay
        self._versions = -1, -1
        """Of what was heard, and of what was said."""
        self._settled: list[Tracked] = []
        self._state = states.resume(snapshot) if snapshot else None
        self._clock = clock
        self._metrics = metrics
        self._drain = drain
        self._due: datetime | None = self._next_tick()
        if self._state:
            self._begin(self._state)

    @override
    def on_batch(self, values: list[ShardSpans | ShardKills]) -> tuple[Iterable[Out], bool]:
        now = self._clock() if self._clock else None
        state = self._state = self._state or self._opened(values[0].key)
        out: list[Changes] = []
        seen: list[ShardTouched | ShardKills] = []
        self._hearsay.stir()
        self._listen(state)
        for value in values:
            if isinstance(value, ShardKills):
                seen.append(value)
                continue
            watermark = self._hear(state, value.marks, now)
            if value.expected:
                state.table.expect_evaluations(value.expected)
            if value.joined:
                state.table.found(len(value))
            if value.asked is not None:
                state.table.ask(value.asked)
            if len(value):
                out.append(state.table.update(value.spans, value.rows, watermark))
                seen += self._touched(state, value.spans, value.rows)
        out.append(state.table.join(state.watermark.current))
        if not self._clock:
            out.append(state.table.advance(state.watermark.current))
        if self._due is None:
            self._due = self._next_tick()
        seen += self._touched(state)
        self._say(state)
        return [*seen, *_told(state.key, out), *self._progress(state)], False

    @override
    def on_notify(self) -> tuple[Iterable[Out], bool]:
        state = self._state
        if self._clock is None or state is None or self._due is None or datetime.now(UTC) < self._due:
            return (), False
        self._due = self._next_tick()
        now = self._clock()
        self._hearsay.refresh(now)
        self._listen(state)
        watermark = self._hear(state, (), now)
        out = [state.table.join(watermark), state.table.advance(watermark)]
        self._say(state)
        return [*self._touched(state), *_told(state.key, out), Advanced(state.key, watermark)], False

    @override
    def on_eof(self) -> tuple[Iterable[Out], bool]:
        state = self._state
        if state is None or not self._drain:
            return (), False
        self._hearsay.settle()
        told, self._settled = self._settled, []
        return told, False

    @override
    def notify_at(self) -> datetime | None:
        return self._due

    def _opened(self, key: str) -> ShardState[RunTable]:
        state = self._states.open(key)
        self._begin(state)
        return state

    def _begin(self, state: ShardState[RunTable]) -> None:
        state.table.is_watched = self._watches
        self._metrics.watch_runs(state.key, state.table, state.watermark)
        self._hearsay.register(state.key, self._settle)

    def _settle(self) -> None:
        """End the input, or end it again with what other shards said at its end."""
        if (state := self._state) is None:
            return
        self._listen(state)
        joined = state.table.join(state.watermark.current, at_once=True)
        self._settled += _told(state.key, [joined, state.table.drain()])
        self._say(state)

    @staticmethod
    def _hear(state: ShardState[RunTable], marks: Marks, now_ns: int | None) -> int:
        """Take note of source progress; where the clock was ahead, the runs go back with the watermark."""
        before = state.watermark.current
        watermark = state.hear(marks, now_ns)
        if watermark < before:
            state.table.set_back(watermark)
        return watermark

    def _listen(self, state: ShardState[RunTable]) -> None:
        heard, said = self._versions
        if heard != self._hearsay.version:
            state.table.hear_of_evaluations(self._hearsay.heard(state.key))
            self._versions = self._hearsay.version, said

    def _say(self, state: ShardState[RunTable]) -> None:
        heard, said = self._versions
        if said != state.table.expectations.own_version:
            self._hearsay.say(state.key, state.table.expectations.own())
            self._versions = heard, state.table.expectations.own_version

    def _next_tick(self) -> datetime | None:
        table = self._state.table if self._state else None
        busy = self._clock and table and (table.open_runs or table.remembered)
        return datetime.now(UTC) + _TICK if busy else None

    def _progress(self, state: ShardState[RunTable]) -> list[Progress | Advanced]:
        """Tell how far it is. By the clock that is where the last tick came to; a shard that holds nothing has none."""
        if not self._clock:
            return [Progress(state.key, state.watermark.current)]
        return [Advanced(state.key, state.watermark.current)] if self._due is None else []

    @staticmethod
    def _touched(
        state: ShardState[RunTable], spans: Spans = _NO_SPANS, rows: NDArray[np.int64] = _NO_ROWS
    ) -> list[ShardTouched]:
        """Give what these rows touched, or what time did."""
        told = [Touched(pulses, spans, rows) for pulses in state.table.pulses()]
        return [ShardTouched(state.key, state.table, touched) for touched in told]


def _told(key: str, changes: list[Changes]) -> list[Tracked]:
    return [Tracked(key, change) for change in changes if len(change.runs) or len(change.records)]


class RunRecordStep:
    """Callable for `flat_map_batch`: the run records among what was tracked, as JSON on their way out."""

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def __call__(self, items: list[Tracked]) -> list[tuple[str, list[Outbound]]]:
        """Write all records of an activation at once, then give each shard its own: they keep their order."""
        told = [item for item in items if len(item.changes.records)]
        if not told:
            return []
        names: dict[int, str] = {}
        for item in told:
            names |= item.changes.names
        rows = joined([item.changes.records for item in told], RUN)
        ends = np.cumsum([len(item.changes.records) for item in told]).tolist()
        tools = [item.changes.tools.copy() for item in told]
        for part, start in zip(tools, [0, *ends], strict=False):
            part["run"] += start
        topic, ids = self._topic, [run_id.encode() for run_id in run_ids(rows)]
        lines = run_lines(rows, names, joined(tools, CALL))
        out = [Outbound(topic, key, line) for key, line in zip(ids, lines, strict=True)]
        return [(item.key, out[start:end]) for item, start, end in zip(told, [0, *ends], ends, strict=False)]
