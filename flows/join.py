"""Step `join`: feedback on a conversation becomes feedback on a run, and goes to that run's shard."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from typing_extensions import override

from flows.decode import RUN_SHARDS
from flows.items import ShardSpans, ShardTalk
from flows.shard_logic import ShardLogic
from models.runs.shards import by_shard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flows.shard_state import ShardState, ShardStates
    from models.runs.conversations import Conversations
    from models.spans.batch import Spans

_TICK = timedelta(seconds=1)

RunItem = tuple[str, ShardSpans]


class JoinLogic(ShardLogic[ShardTalk, RunItem]):
    """One shard of conversations. With a clock it ticks once a second while anything waits."""

    def __init__(
        self,
        states: ShardStates[Conversations],
        snapshot: bytes | None,
        clock: Callable[[], int] | None,
        *,
        drain: bool,
    ) -> None:
        self._states = states
        self._state: ShardState[Conversations] | None = states.resume(snapshot) if snapshot else None
        self._clock = clock
        self._drain = drain
        self._due: datetime | None = self._next_tick()

    @override
    def on_batch(self, values: list[ShardTalk]) -> tuple[Iterable[RunItem], bool]:
        now = self._clock() if self._clock else None
        state = self._state = self._state or self._states.open(values[0].key)
        for value in values:
            state.hear(value.marks, now)
            state.table.hear(value.ends)
            if value.asked is not None:
                state.table.ask(value.asked)
        if self._due is None:
            self._due = self._next_tick()
        return self._tell(state.table.join(state.watermark.current)), False

    @override
    def on_notify(self) -> tuple[Iterable[RunItem], bool]:
        state = self._state
        if self._clock is None or state is None or self._due is None or datetime.now(UTC) < self._due:
            return (), False
        self._due = self._next_tick()
        return self._tell(state.table.join(state.hear((), self._clock()))), False

    @override
    def on_eof(self) -> tuple[Iterable[RunItem], bool]:
        return (self._tell(self._state.table.drain()) if self._drain and self._state else ()), False

    @override
    def notify_at(self) -> datetime | None:
        return self._due

    def _next_tick(self) -> datetime | None:
        return datetime.now(UTC) + _TICK if self._clock and self._state and len(self._state.table) else None

    def _tell(self, found: Spans) -> list[RunItem]:
        if not len(found):
            return []
        parts = zip(RUN_SHARDS, by_shard(found.cols), strict=True)
        return [(key, ShardSpans(key, found, rows, (), joined=True)) for key, rows in parts if len(rows)]
