"""Steps `ordered` and `in_force`: the topic of orders -> kills in force, for every run shard; accepted drift.

Orders come by the same source as spans, but beside the watermark: they are no events, and hold nothing back.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from flows.decode import RUN_SHARDS, SERIES_SHARDS
from flows.items import Outbound, RawBatch, ShardAccepted, ShardKills, ShardOrders
from flows.letters import dead_letter
from flows.shard_logic import ShardLogic
from models.digest import digest_of
from models.drift.settings import Accepted
from models.orders.in_force import in_force
from models.orders.order import Acceptance, Lift, OrderError, read
from models.slis.groups import series_shard

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flows.metrics import Metrics
    from flows.shard_state import ShardState, ShardStates
    from models.orders.book import OrderBook
    from models.orders.order import Order

_MINUTE_NS = 60_000_000_000
ORDERS = "orders"
"""The one shard of `in_force`: orders are few, and count in order."""


class OrderStep:
    """Callable for `flat_map_batch`: the orders in raw messages; what is none becomes a dead letter."""

    def __init__(self, metrics: Metrics, dead_letters_topic: str) -> None:
        self._metrics = metrics
        self._topic = dead_letters_topic

    def __call__(self, batches: list[RawBatch]) -> list[tuple[str, ShardOrders] | Outbound]:
        """Read."""
        orders: list[Order] = []
        out: list[tuple[str, ShardOrders] | Outbound] = []
        for batch in batches:
            for offset, message in zip(batch.offsets.tolist(), batch.messages, strict=True):
                try:
                    orders.append(read(message))
                except OrderError as error:
                    self._metrics.dead_letters.labels(str(error)).inc()
                    where = batch.topic, batch.partition, offset
                    out.append(dead_letter(self._topic, str(error), where, len(message)))
        return [*out, (ORDERS, ShardOrders(ORDERS, orders))] if orders else out


class InForceLogic(ShardLogic[ShardOrders, "tuple[str, ShardKills | ShardAccepted]"]):
    """What is in force. Kills are kept here alone: run shards are told all of them when they change, and at the start.

    Accepted drift is passed on once; the shard of its workflow keeps it.
    """

    def __init__(self, states: ShardStates[OrderBook], snapshot: bytes | None) -> None:
        self._states = states
        self._state = states.resume(snapshot) if snapshot else None
        self._due: datetime | None = datetime.now(UTC) if self._state else None

    @override
    def on_batch(self, values: list[ShardOrders]) -> tuple[Iterable[tuple[str, Any]], bool]:
        state = self._state = self._state or self._states.open(values[0].key)
        news = state.table.take([order for value in values for order in value.orders])
        accepted = [order.what for order in news if isinstance(order.what, Acceptance)]
        lifted = [order.what.place for order in news if isinstance(order.what, Lift)]
        resumed = tuple(place.id for place in lifted if place.level == "run")
        kills = self._told(state, resumed) if len(accepted) < len(news) else []
        return [*kills, *map(_accepted, accepted)], False

    @override
    def on_notify(self) -> tuple[Iterable[tuple[str, Any]], bool]:
        self._due = None
        state = self._state
        return (self._told(state) if state and (state.table.kills() or state.table.lifts()) else ()), False

    @override
    def notify_at(self) -> datetime | None:
        return self._due

    @staticmethod
    def _told(state: ShardState[OrderBook], resumed: tuple[str, ...] = ()) -> list[tuple[str, ShardKills]]:
        known, lifted = in_force(state.table.kills()), state.table.lifts()
        return [(key, ShardKills(key, known, resumed, lifted)) for key in RUN_SHARDS]


def _accepted(said: Acceptance) -> tuple[str, ShardAccepted]:
    """Address an acceptance; it holds from the first minute at or after its time, as one in policy.yaml."""
    key = SERIES_SHARDS[series_shard(digest_of(said.workflow))]
    return key, ShardAccepted(key, [Accepted(said.workflow, -(-said.since_ns // _MINUTE_NS), said.sli)])
