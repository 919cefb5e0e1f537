"""Steps `count` and `judge`: changes -> events per judge shard -> budgets, burn alerts, incidents, verdicts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from typing_extensions import override

from flows.items import Progress, ShardEvents, Tracked
from flows.telling import TellingLogic, outbound
from models.slos.events import SHARDS
from models.slos.keeping import KeptSloTable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flows.behind import LagWatch
    from flows.items import Outbound, Said
    from flows.metrics import Metrics
    from flows.settings import Topics
    from flows.shard_state import ShardState, ShardStates
    from models.incidents.incident import Incident
    from models.slos.counting import Counter
    from models.slos.table import Judged

_SECOND_NS = 1_000_000_000
_SOON = timedelta(milliseconds=200)
"""Between two looks at events."""
JUDGE_SHARDS = [f"j{shard}" for shard in range(SHARDS)]


class CountStep:
    """Callable for `flat_map_batch`: counts all changes of an activation at once; progress follows what it is of."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._is_first = True

    def __call__(self, items: list[Said]) -> list[tuple[str, ShardEvents]]:
        """Count and part."""
        tracked = [item.changes for item in items if isinstance(item, Tracked)]
        parts = self._counter.count(tracked).split() if tracked else {}
        out = [(JUDGE_SHARDS[shard], ShardEvents(JUDGE_SHARDS[shard], part, ())) for shard, part in parts.items()]
        marks = tuple((item.key, item.watermark_ns) for item in items if isinstance(item, Progress))
        tell_all = bool(marks) or self._is_first  # a shard is there from the first batch on, to tell of a lag
        self._is_first = False
        return out + ([(key, ShardEvents(key, None, marks)) for key in JUDGE_SHARDS] if tell_all else [])


class JudgeLogic(TellingLogic[ShardEvents, KeptSloTable]):
    """One judge shard. With a clock it looks at events at once, within limits; without one, after every batch."""

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
        self._free = datetime.now(UTC)
        """When it may look again."""
        super().__init__(states, snapshot, clock, topics, drain=drain, watch=metrics.watch_slos)

    @override
    def _take(self, table: KeptSloTable, item: ShardEvents) -> None:
        if item.behind is not None:
            self._lag.hear(item.behind)
        if item.events is not None:
            table.apply(item.events)

    @override
    def _hurry(self) -> None:
        self._due = min(self._due, self._free) if self._due else self._free

    @override
    def _is_due(self, watermark_ns: int) -> bool:
        return True

    @override
    def _look(
        self, state: ShardState[KeptSloTable], now_ns: int, *, is_last: bool
    ) -> tuple[Sequence[Incident], Sequence[Outbound]]:
        self._free = datetime.now(UTC) + _SOON
        judged = self._judged(state, now_ns, is_last=is_last)
        verdicts = [outbound(self._topics.verdicts, verdict["id"], verdict) for verdict in judged.verdicts]
        return judged.incidents, verdicts + [outbound(self._topics.slos, each["slo"], each) for each in judged.slos]

    def _judged(self, state: ShardState[KeptSloTable], now_ns: int, *, is_last: bool) -> Judged:
        if is_last:
            return state.table.finish()
        if self._clock:
            return state.table.look(now_ns // _SECOND_NS, self._lag.at(now_ns, state.key))
        return state.table.follow(now_ns // _SECOND_NS)
