"""Steps `drift` and `fleet`: minutes that are over -> evidence by stream -> drift records and incidents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from typing_extensions import override

from flows.items import Outbound, ShardAccepted, ShardClosed, ShardExamples, ShardLooked, Tracked
from flows.shard_logic import ShardLogic
from flows.telling import TellingLogic
from models.drift.examples import examples_of
from models.drift.fleet_table import FleetTable, Told
from models.slis.closing import pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flows.shard_state import ShardState, ShardStates
    from models.drift.table import DriftTable
    from models.incidents.incident import Incident

_SECOND_NS = 1_000_000_000
_MINUTE_NS = 60 * _SECOND_NS
_RHYTHM = 1
"""Minutes; what is closed at once, in a replay or a backlog, is looked at and told in this rhythm, as live: what is
told does not hang on how much was read at once."""
FLEET = "fleet"
"""The one shard of `fleet`: whom to tell is decided over all streams."""


class DriftLogic(ShardLogic["ShardClosed | ShardAccepted", tuple[str, ShardLooked]]):
    """One series shard."""

    def __init__(self, states: ShardStates[DriftTable], snapshot: bytes | None) -> None:
        self._states = states
        self._state = states.resume(snapshot) if snapshot else None

    @override
    def on_batch(self, values: list[ShardClosed | ShardAccepted]) -> tuple[Iterable[tuple[str, ShardLooked]], bool]:
        state = self._state = self._state or self._states.open(values[0].key)
        out = []
        for value in values:
            if isinstance(value, ShardAccepted):
                state.table.accept(value.accepted)
                continue
            for piece in pieces(value.closed, _RHYTHM):
                looked = state.table.look(piece)
                out.append((FLEET, ShardLooked(FLEET, state.key, looked, ((state.key, looked.until * _MINUTE_NS),))))
        return out, False


def examples_step(values: list[Any]) -> list[tuple[str, ShardExamples]]:
    """Give the fleet some of the runs of a batch."""
    found = examples_of([value.changes for value in values if isinstance(value, Tracked)])
    return [(FLEET, ShardExamples(FLEET, found))] if found else []


class FleetLogic(TellingLogic[ShardLooked | ShardExamples, FleetTable]):
    """The fleet. In a replay shards come hours at a time: what they say waits until all of them have said so much."""

    _waiting: dict[int, list[ShardLooked]]
    """By the Unix minute of the next look; nothing with a clock."""

    @override
    def _begin(self, state: ShardState[FleetTable]) -> None:
        self._waiting = {}
        super()._begin(state)

    @override
    def _take(self, table: FleetTable, item: ShardLooked | ShardExamples) -> None:
        if isinstance(item, ShardExamples):
            table.examples.take(item.examples)
        elif self._clock:
            table.take(item.shard, item.looked)
        else:
            self._waiting.setdefault(item.looked.until, []).append(item)

    @override
    def _look(
        self, state: ShardState[FleetTable], now_ns: int, *, is_last: bool
    ) -> tuple[Sequence[Incident], Sequence[Outbound]]:
        told = Told()
        for minute in sorted(each for each in self._waiting if is_last or each * _MINUTE_NS <= now_ns):
            for item in self._waiting.pop(minute):
                state.table.take(item.shard, item.looked)
            told.add(state.table.look(minute * _MINUTE_NS // _SECOND_NS))
        told.add(state.table.look(now_ns // _SECOND_NS))
        topic = self._topics.drift
        return told.incidents, [
            Outbound(topic, record["workflow"].encode("utf-8", "surrogatepass"), orjson.dumps(record))
            for record in told.records
        ]
