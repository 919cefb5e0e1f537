"""TellingLogic: a shard that looks at its table by the clock, or as `track` comes on, and tells records.

Incidents are noted before they are told (`flows.notes`): the next life adopts them and tells them again.
"""

from __future__ import annotations

from abc import abstractmethod
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import orjson
from bytewax.operators import StatefulBatchLogic
from typing_extensions import override

from flows.items import Outbound
from flows.notes import Notes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flows.items import Marks
    from flows.settings import Topics
    from flows.shard_state import ShardState, ShardStates
    from models.incidents.book import IncidentBook
    from models.incidents.incident import Incident

_SECOND_NS = 1_000_000_000
_TICK = timedelta(seconds=1)
Records = tuple[str, list[Outbound]]


class _Item(Protocol):
    @property
    def key(self) -> str: ...
    @property
    def marks(self) -> Marks: ...


class _Table(Protocol):
    book: IncidentBook

    def take_delta(self) -> bytes: ...
    def dump(self) -> bytes: ...


Item = TypeVar("Item", bound=_Item)
Table = TypeVar("Table", bound=_Table)


class TellingLogic(StatefulBatchLogic[Item, Records, bytes], Generic[Item, Table]):
    """One shard. With a clock it looks each second; without one, whenever `track` has come on by a second."""

    def __init__(
        self,
        states: ShardStates[Table],
        snapshot: bytes | None,
        clock: Callable[[], int] | None,
        topics: Topics,
        *,
        drain: bool,
        watch: Callable[[str, Table], None] | None = None,
    ) -> None:
        self._states = states
        self._clock = clock
        self._topics = topics
        self._drain = drain
        self._watch = watch
        self._due: datetime | None = datetime.now(UTC) + _TICK if clock else None
        self._seen_s = 0
        self._notes: Notes | None = None
        self._owed: list[Outbound] = []
        self._state = states.resume(snapshot) if snapshot else None
        if self._state:
            self._begin(self._state)

    @abstractmethod
    def _take(self, table: Table, item: Item) -> None:
        """Take in one item."""

    @abstractmethod
    def _look(self, table: Table, now_s: int, *, is_last: bool) -> tuple[list[Incident], list[Outbound]]:
        """Look at the table as of `now_s`, Unix seconds: incidents, and the rest. `is_last`: the input ends."""

    @override
    def on_batch(self, values: list[Item]) -> tuple[Iterable[Records], bool]:
        state = self._state
        if state is None:
            state = self._state = self._states.open(values[0].key)
            self._begin(state)
        for value in values:
            state.hear(value.marks, None)
            self._take(state.table, value)
        now_s = state.watermark.current // _SECOND_NS
        if self._clock or now_s <= self._seen_s:
            return (), False
        self._seen_s = now_s
        return self._tell(state, now_s), False

    @override
    def on_notify(self) -> tuple[Iterable[Records], bool]:
        if self._clock is None or self._due is None or datetime.now(UTC) < self._due:
            return (), False
        self._due = datetime.now(UTC) + _TICK
        return (self._tell(self._state, self._clock() // _SECOND_NS) if self._state else ()), False

    @override
    def on_eof(self) -> tuple[Iterable[Records], bool]:
        state = self._state
        if state is None or not self._drain:
            return (), False
        return self._tell(state, max(self._seen_s, state.watermark.current // _SECOND_NS), is_last=True), False

    @override
    def notify_at(self) -> datetime | None:
        return self._due

    @override
    def snapshot(self) -> bytes:
        if self._notes and not self._owed:
            self._notes.turn()
        return self._state.snapshot() if self._state else b""

    def _begin(self, state: ShardState[Table]) -> None:
        if self._watch:
            self._watch(state.key, state.table)
        if state.folder is None:
            return
        self._notes = Notes(state.folder, "told")
        for note in self._notes.owed():
            lives, told = orjson.loads(note)
            state.table.book.adopt(lives)
            self._owed += [outbound(self._topics.incidents, record["key"], record) for record in told]

    def _tell(self, state: ShardState[Table], now_s: int, *, is_last: bool = False) -> list[Records]:
        found, rest = self._look(state.table, now_s, is_last=is_last)
        incidents = [incident.record() for incident in found]
        lives = state.table.book.take_told()
        if self._notes and lives:
            self._notes.note(orjson.dumps([lives, incidents]))
        owed, self._owed = self._owed, []
        out = [*owed, *[outbound(self._topics.incidents, record["key"], record) for record in incidents], *rest]
        return [(state.key, out)] if out else []


def outbound(topic: str, key: str, record: dict[str, Any]) -> Outbound:
    """Give a record on its way out."""
    return Outbound(topic, key.encode(), orjson.dumps(record))
