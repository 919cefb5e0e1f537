"""TellingLogic: a shard that looks at its table by the clock, or as `track` comes on, and tells records.

Incidents are noted before they are told (`flows.notes`): the next life adopts them and tells them again.
"""

from __future__ import annotations

from abc import abstractmethod
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import orjson
from typing_extensions import override

from flows.items import Outbound
from flows.notes import Notes
from flows.shard_logic import ShardLogic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

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


class TellingLogic(ShardLogic[Item, Records], Generic[Item, Table]):
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
        self._seen_ns = 0
        self._notes: Notes | None = None
        self._owed: list[Outbound] = []
        self._state = states.resume(snapshot) if snapshot else None
        if self._state:
            self._begin(self._state)

    @abstractmethod
    def _take(self, table: Table, item: Item) -> None:
        """Take in one item."""

    @abstractmethod
    def _look(
        self, state: ShardState[Table], now_ns: int, *, is_last: bool
    ) -> tuple[Sequence[Incident], Sequence[Outbound]]:
        """Look at the table as of `now_ns`, Unix ns: incidents, and the rest. `is_last`: the input ends."""

    def _hurry(self) -> None:
        """Say, with a clock, that something came that is not to wait for the next second."""

    def _is_due(self, watermark_ns: int) -> bool:
        """Say, without a clock, whether to look after a batch."""
        return watermark_ns // _SECOND_NS > self._seen_ns // _SECOND_NS

    @override
    def on_batch(self, values: list[Item]) -> tuple[Iterable[Records], bool]:
        state = self._state
        if state is None:
            state = self._state = self._states.open(values[0].key)
            self._begin(state)
        for value in values:
            state.hear(value.marks, None)
            self._take(state.table, value)
        if self._clock:
            self._hurry()
            return (), False
        watermark_ns = state.watermark.current
        if not self._is_due(watermark_ns):
            return (), False
        self._seen_ns = watermark_ns
        return self._tell(state, watermark_ns), False

    @override
    def on_notify(self) -> tuple[Iterable[Records], bool]:
        if self._clock is None or self._due is None or datetime.now(UTC) < self._due:
            return (), False
        self._due = datetime.now(UTC) + _TICK
        return (self._tell(self._state, self._clock()) if self._state else ()), False

    @override
    def on_eof(self) -> tuple[Iterable[Records], bool]:
        state = self._state
        if state is None or not self._drain:
            return (), False
        return self._tell(state, max(self._seen_ns, state.watermark.current), is_last=True), False

    @override
    def notify_at(self) -> datetime | None:
        return self._due

    @override
    def snapshot(self) -> bytes:
        if self._notes and not self._owed:
            self._notes.turn()
        return super().snapshot()

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
        if self._clock:
            state.table.book.wait_anew()

    def _tell(self, state: ShardState[Table], now_ns: int, *, is_last: bool = False) -> list[Records]:
        found, rest = self._look(state, now_ns, is_last=is_last)
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
