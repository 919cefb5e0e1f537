"""Steps `count` and `judge`: changes -> events per judge shard -> budgets, burn alerts, incidents, verdicts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
from bytewax.operators import StatefulBatchLogic
from typing_extensions import override

from flows.items import Outbound, Progress, ShardEvents, Tracked
from flows.notes import Notes
from models.slos.events import SHARDS
from models.slos.silence import Lag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from flows.backlog import Backlog
    from flows.items import Watched
    from flows.metrics import Metrics
    from flows.settings import Topics
    from flows.shard_state import ShardState, ShardStates
    from models.slos.counting import Counter
    from models.slos.keeping import KeptSloTable
    from models.slos.table import Judged

_SECOND_NS = 1_000_000_000
_TICK, _SOON = timedelta(seconds=1), timedelta(milliseconds=250)
JUDGE_SHARDS = [f"j{shard}" for shard in range(SHARDS)]

Records = tuple[str, list[Outbound]]


class CountStep:
    """Callable for `flat_map_batch`: counts all changes of an activation at once; progress follows what it is of."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._is_first = True

    def __call__(self, items: list[Tracked | Watched | Progress]) -> list[tuple[str, ShardEvents]]:
        """Count and part."""
        tracked = [item.changes for item in items if isinstance(item, Tracked)]
        parts = self._counter.count(tracked).split() if tracked else {}
        out = [(JUDGE_SHARDS[shard], ShardEvents(JUDGE_SHARDS[shard], part, ())) for shard, part in parts.items()]
        marks = tuple((item.key, item.watermark_ns) for item in items if isinstance(item, Progress))
        tell_all = bool(marks) or self._is_first  # a shard is there from the first batch on, to tell of a lag
        self._is_first = False
        return out + ([(key, ShardEvents(key, None, marks)) for key in JUDGE_SHARDS] if tell_all else [])


class LagWatch:
    """Says how far the input is behind; the first of the judge shards tells of it."""

    def __init__(self, backlog: Backlog, limit_ns: int) -> None:
        self._backlog = backlog
        self._limit_ns = limit_ns

    def at(self, now_ns: int, key: str) -> Lag:
        """Give the lag as the shard `key` is to take it."""
        age = self._backlog.age_ns(now_ns)
        return Lag(age // _SECOND_NS, self._limit_ns // _SECOND_NS, is_told=key == JUDGE_SHARDS[0])


class JudgeLogic(StatefulBatchLogic[ShardEvents, Records, bytes]):
    """One judge shard.

    With a clock it looks each second, and soon after events; without one, as far as all shards of `track` have come.
    """

    def __init__(
        self,
        states: ShardStates[KeptSloTable],
        snapshot: bytes | None,
        clock: Callable[[], int] | None,
        topics: Topics,
        metrics: Metrics,
        lag: LagWatch,
        *,
        drain: bool,
    ) -> None:
        self._lag = lag
        self._states = states
        self._state = states.resume(snapshot) if snapshot else None
        self._clock = clock
        self._topics = topics
        self._metrics = metrics
        self._drain = drain
        self._due: datetime | None = datetime.now(UTC) + _TICK if clock else None
        self._notes: Notes | None = None
        self._owed: list[Outbound] = []
        if self._state:
            self._begin(self._state)

    @override
    def on_batch(self, values: list[ShardEvents]) -> tuple[Iterable[Records], bool]:
        state = self._state = self._state or self._opened(values[0].key)
        for value in values:
            state.hear(value.marks, None)
            if value.events is not None:
                state.table.apply(value.events)
        if self._clock:
            soon = datetime.now(UTC) + _SOON
            self._due = min(self._due, soon) if self._due else soon
            return (), False
        return self._tell(state, state.table.follow(state.watermark.current // _SECOND_NS)), False

    @override
    def on_notify(self) -> tuple[Iterable[Records], bool]:
        state = self._state
        if self._clock is None or state is None or self._due is None or datetime.now(UTC) < self._due:
            return (), False
        self._due = datetime.now(UTC) + _TICK
        now = self._clock()
        return self._tell(state, state.table.look(now // _SECOND_NS, self._lag.at(now, state.key))), False

    @override
    def on_eof(self) -> tuple[Iterable[Records], bool]:
        state = self._state
        return (self._tell(state, state.table.finish()) if self._drain and state else ()), False

    @override
    def notify_at(self) -> datetime | None:
        return self._due

    @override
    def snapshot(self) -> bytes:
        if self._notes and not self._owed:
            self._notes.turn()
        return self._state.snapshot() if self._state else b""

    def _opened(self, key: str) -> ShardState[KeptSloTable]:
        state = self._states.open(key)
        self._begin(state)
        return state

    def _begin(self, state: ShardState[KeptSloTable]) -> None:
        """Begin a life: what an earlier one was about to tell of incidents is true, and told again.

        It may have died before the log had it.
        """
        self._metrics.watch_slos(state.key, state.table)
        if state.folder is None:
            return
        self._notes = Notes(state.folder, "told")
        for note in self._notes.owed():
            lives, told = orjson.loads(note)
            state.table.adopt(lives)
            self._owed += _outbound(self._topics.incidents, [(record["key"], record) for record in told])

    def _tell(self, state: ShardState[KeptSloTable], judged: Judged) -> list[Records]:
        if not judged and not self._owed:
            return []
        lives = state.table.book.take_told()
        incidents = [(incident.key, incident.record()) for incident in judged.incidents]
        if self._notes and lives:
            self._notes.note(orjson.dumps([lives, [record for _, record in incidents]]))
        owed, self._owed = self._owed, []
        out = [
            *owed,
            *_outbound(self._topics.incidents, incidents),
            *_outbound(self._topics.verdicts, [(verdict["id"], verdict) for verdict in judged.verdicts]),
            *_outbound(self._topics.slos, [(record["slo"], record) for record in judged.slos]),
        ]
        return [(state.key, out)]


def _outbound(topic: str, records: Sequence[tuple[str, dict[str, Any]]]) -> list[Outbound]:
    return [Outbound(topic, key.encode(), orjson.dumps(record)) for key, record in records]
