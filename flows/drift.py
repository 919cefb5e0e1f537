"""Steps `drift` and `fleet`: minutes that are over -> evidence by stream -> drift records and incidents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from bytewax.operators import StatefulBatchLogic
from typing_extensions import override

from flows.items import Outbound, ShardAccepted, ShardClosed, ShardExamples, ShardLooked, Tracked
from flows.telling import TellingLogic
from models.drift.examples import examples_of
from models.drift.fleet_table import FleetTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flows.shard_state import ShardState, ShardStates
    from models.drift.table import DriftTable
    from models.incidents.incident import Incident

_SECOND_NS = 1_000_000_000
_MINUTE_NS = 60 * _SECOND_NS
FLEET = "fleet"
"""The one shard of `fleet`: whom to tell is decided over all streams."""


class DriftLogic(StatefulBatchLogic["ShardClosed | ShardAccepted", tuple[str, ShardLooked], bytes]):
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
            looked = state.table.look(value.closed)
            out.append((FLEET, ShardLooked(FLEET, state.key, looked, ((state.key, looked.until * _MINUTE_NS),))))
        return out, False

    @override
    def snapshot(self) -> bytes:
        return self._state.snapshot() if self._state else b""


def examples_step(values: list[Any]) -> list[tuple[str, ShardExamples]]:
    """Give the fleet some of the runs of a batch."""
    found = examples_of([value.changes for value in values if isinstance(value, Tracked)])
    return [(FLEET, ShardExamples(FLEET, found))] if found else []


class FleetLogic(TellingLogic[ShardLooked | ShardExamples, FleetTable]):
    """The fleet."""

    @override
    def _take(self, table: FleetTable, item: ShardLooked | ShardExamples) -> None:
        if isinstance(item, ShardExamples):
            table.examples.take(item.examples)
        else:
            table.take(item.shard, item.looked)

    @override
    def _look(
        self, state: ShardState[FleetTable], now_ns: int, *, is_last: bool
    ) -> tuple[Sequence[Incident], Sequence[Outbound]]:
        told = state.table.look(now_ns // _SECOND_NS)
        topic = self._topics.drift
        return told.incidents, [
            Outbound(topic, record["workflow"].encode("utf-8", "surrogatepass"), orjson.dumps(record))
            for record in told.records
        ]
